"""Gathering: plain scores as they come, for shapes that need to know no more of them than what they come to.

What is gathered for one entrant lies in one flat list, with some places for each shape: it is looked at for every score, and
memory is slow.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from engine.marks import Scores
from engine.shapes import Running, Shape, Single


class Gather(NamedTuple):
    """How scores, in whatever order, are gathered for a shape."""

    empty: list[Any]
    """What stands in the shape's places before the first one."""
    take: Callable[[list[list[Any]], Scores], None]
    """Takes scores in, each into what is gathered for its entrant, in the same order."""
    gist: Callable[[list[Any]], Any]
    """What is gathered, as `Shape.take` wants it."""


def gather_of(shape: Shape, at: int) -> Gather | None:
    """How to gather for a shape whose places begin at `at`; None for one that has to see every mark."""
    if type(shape) is Running and shape.simple:
        return _sums(shape, at)
    return _best(shape, at) if type(shape) is Single and shape.mode == "best" else None


def _sums(shape: Running, at: int) -> Gather:
    sums = [(at + number, of) for number, (_, of) in enumerate(shape.sums, 1)]

    def take(gathered: list[list[Any]], scores: Scores) -> None:
        for held, values in zip(gathered, scores.values, strict=True):
            held[at] += 1
            for place, of in sums:
                if of in values:
                    held[place] += values[of]

    def gist(held: list[Any]) -> Any:
        return held[at + 1 : at + 1 + len(sums)], held[at], ()

    return Gather([0] * (1 + len(sums)), take, gist)


def _best(shape: Single, at: int) -> Gather:
    by, sign, dated = shape.by, shape.sign, shape.dated
    worst, first, earliest = at + 1, at + 2, at + 3

    def take(gathered: list[list[Any]], scores: Scores) -> None:
        """The best run, and the first where that has to be known. Most are neither, and never become a mark."""
        occurred = scores.occurred
        for index, (held, values) in enumerate(zip(gathered, scores.values, strict=True)):
            value = values.get(by)
            if value is None:
                continue
            best = held[at]
            if best is not None:
                lead = (value - held[worst]) * sign
                better = lead > 0 or (lead == 0 and scores.order(index) < best.order)
                earlier = dated and occurred[index] <= held[earliest] and scores.order(index) < held[first].order
                if not better and not earlier:
                    continue
            else:
                better = earlier = True
            mark = scores.mark(index)
            if better:
                held[at], held[worst] = mark, value
            if earlier:
                held[first], held[earliest] = mark, mark.occurred_ms

    def gist(held: list[Any]) -> Any:
        best, oldest = held[at], held[first]
        if best is None:
            return ()
        return (best, oldest) if dated and oldest is not best else (best,)

    return Gather([None, 0, None, 0], take, gist)
