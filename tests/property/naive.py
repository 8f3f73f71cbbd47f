"""What a board should show, written down as plainly as possible: dicts, sorted() and no state."""

from fractions import Fraction
from math import floor
from typing import Any

from engine.marks import Mark
from engine.numbers import INFINITE
from schemas.language import Board, Keep, Metric, Range, Where

Values = list[int | None]


def meets(where: Where, mark: Mark) -> bool:
    """The few conditions that these tests use: an attribute's value, or a range of a whole-numbered metric."""
    for name, condition in where.items():
        if isinstance(condition, Range):
            value = mark.values.get(name)
            if value is None or (condition.min is not None and value < condition.min):
                return False
        elif (mark.attributes or {}).get(name) != condition:
            return False
    return True


def kept(keep: Keep, marks: list[Mark]) -> list[Mark]:
    """The marks that count, of marks in contest order."""
    by, _, direction = (keep.by or "a").partition(" ")
    sign = 1 if direction == "asc" else -1

    def worth(mark: Mark) -> int:
        return sign * mark.values.get(by, 0)

    runs = [mark for mark in marks if not mark.adjusts]
    if keep.per == "round":
        return _rounds(keep, by, marks, worth)
    if keep.mode == "best":
        runs = sorted((mark for mark in runs if by in mark.values), key=lambda mark: (worth(mark), mark.order))[
            : keep.n
        ]
    elif keep.mode == "latest":
        runs = runs[-keep.n :]
    elif keep.mode == "first":
        runs = runs[: keep.n]
    return sorted(runs + [mark for mark in marks if mark.adjusts], key=lambda mark: mark.order)


def _rounds(keep: Keep, by: str, marks: list[Mark], worth: Any) -> list[Mark]:
    def bad(some: list[Mark]) -> tuple[bool, int]:
        return not any(by in mark.values for mark in some), sum(map(worth, some))

    numbers = list(dict.fromkeys(mark.round for mark in marks if mark.round is not None))
    of_round = {}
    for number in numbers:
        inside = [mark for mark in marks if mark.round == number]
        runs = sorted((mark for mark in inside if not mark.adjusts), key=lambda mark: (bad([mark]), mark.order))
        of_round[number] = runs[: keep.marks] + [mark for mark in inside if mark.adjusts]

    def total(number: Any) -> Any:
        return bad(of_round[number])

    chosen: list[Any] = numbers
    if keep.mode == "latest":
        chosen = numbers[-keep.n :]
    elif keep.mode == "first":
        chosen = numbers[: keep.n]
    elif keep.mode == "best" and keep.spans:
        chosen = []
        for span in keep.spans:
            inside_span = [n for n in numbers if isinstance(n, int) and span.first <= n <= (span.last or 1 << 40)]
            chosen += sorted(inside_span, key=total)[: span.n]
    elif keep.mode == "best":
        chosen = sorted(numbers, key=total)[: keep.n]
    counted = [mark for number in chosen for mark in of_round[number]]
    counted += [mark for mark in marks if mark.round is None and mark.adjusts]
    return sorted(counted, key=lambda mark: mark.order)


def value_of(metric: Metric, marks: list[Mark]) -> int | None:
    """A metric of marks in contest order."""
    runs = [mark for mark in marks if not mark.adjusts and meets(metric.where, mark)]
    if metric.op == "count":
        return len(runs)
    of = metric.of or ""
    values = [mark.values[of] for mark in runs if of in mark.values]
    added = [mark.values[of] for mark in marks if mark.adjusts and of in mark.values]
    if metric.op == "sum":
        return sum(values) + sum(added)
    if metric.op == "average":
        return _rounded(Fraction(sum(values) + sum(added), len(values)), metric.scale) if values else None
    if not values:
        return sum(added) if added else None
    pick = {"max": max(values), "min": min(values), "last": values[-1], "first": values[0]}
    return pick[metric.op] + sum(added)


def values_of(board: Board, marks: list[Mark]) -> dict[str, int | None]:
    """All metrics of marks in contest order."""
    counted = kept(board.keep, marks)
    own = {
        name: value_of(metric, marks if metric.over == "all" else counted)
        for name, metric in board.metrics.items()
        if metric.by is None
    }
    return {name: own[name] if name in own else derived(metric, own) for name, metric in board.metrics.items()}


def derived(metric: Metric, own: dict[str, int | None]) -> int | None:
    """A difference or a ratio of two whole metrics."""
    of, by = own[metric.of or ""], own[metric.by or ""]
    if of is None or by is None:
        return None
    if metric.op == "difference":
        return of - by
    if by == 0:
        return INFINITE if of > 0 else None
    return _rounded(Fraction(of, by), metric.scale)


def _rounded(value: Fraction, scale: int | None) -> int:
    return floor(value * 10 ** (scale or 0) + Fraction(1, 2))


def counts_of(places: int, marks: list[Mark]) -> list[int]:
    """How often each place was taken."""
    positions = [(mark.attributes or {}).get("position") for mark in marks]
    return [positions.count(place) for place in range(1, places + 1)]


def reached(board: Board, marks: list[Mark]) -> tuple[int, int, int] | None:
    """The order of the last mark with which a criterion before `reached` became another."""
    before_it = board.rank_by[: board.rank_by.index("reached")]

    def criteria(end: int) -> list[Any]:
        values = values_of(board, marks[:end])
        return [
            values[item.split()[0]] if isinstance(item, str) else counts_of(item.places, marks[:end])
            for item in before_it
        ]

    changed = [mark.order for end, mark in enumerate(marks) if criteria(end) != criteria(end + 1)]
    return changed[-1] if changed else None
