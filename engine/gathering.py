"""Gathering: plain scores as they come, for shapes that need to know no more of them than what they come to.

What is gathered for one entrant lies in one flat list, with some places for each shape: it is looked at for every score, and
memory is slow.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from engine.marks import Mark
from engine.shapes import Running, Shape, Single
from schemas.events import Score


class Gather(NamedTuple):
    """How scores, in whatever order, are gathered for a shape."""

    empty: list[Any]
    """What stands in the shape's places before the first one."""
    take: Callable[[list[Any], Score, dict[str, int], int, int, int], None]
    """(all that is gathered, score, its scaled values, occurred_ms, ms, seq): takes a score in."""
    gist: Callable[[list[Any]], Any]
    """What is gathered, as `Shape.take` wants it."""


def gather_of(shape: Shape, at: int) -> Gather | None:
    """How to gather for a shape whose places begin at `at`; None for one that has to see every mark."""
    if type(shape) is Running and shape.simple:
        return _sums(shape, at)
    return _best(shape, at) if type(shape) is Single and shape.mode == "best" else None


def _sums(shape: Running, at: int) -> Gather:
    sums = [(at + number, of) for number, (_, of) in enumerate(shape.sums, 1)]

    def take(held: list[Any], _: Score, values: dict[str, int], *__: int) -> None:
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

    def take(held: list[Any], event: Score, values: dict[str, int], occurred: int, ms: int, seq: int) -> None:
        """The best run, and the first where that has to be known. Most are neither, and never become a mark."""
        value = values.get(by)
        if value is None:
            return
        best = held[at]
        if best is not None:
            lead = (value - held[worst]) * sign
            better = lead > 0 or (lead == 0 and (occurred, ms, seq) < best.order)
            earlier = dated and occurred <= held[earliest] and (occurred, ms, seq) < held[first].order
            if not better and not earlier:
                return
        else:
            better = earlier = True
        mark = Mark(occurred, ms, seq, values, event.round, event.attributes, event.id)
        if better:
            held[at], held[worst] = mark, value
        if earlier:
            held[first], held[earliest] = mark, occurred

    def gist(held: list[Any]) -> Any:
        if held[at] is None:
            return ()
        return (held[at], held[first]) if dated else (held[at],)

    return Gather([None, 0, None, 0], take, gist)
