"""Selection: which of a player's marks count (`keep`).

A selection takes marks in contest order and gives back those that count, in the same order. Adjustments count always,
except that with rounds as units an adjustment dated to a round stands or falls with it.
"""

from collections.abc import Callable
from operator import attrgetter

from engine.marks import Mark
from schemas.events import Round
from schemas.language import Keep, Ruleset, Span, rank_item

Selection = Callable[[list[Mark]], list[Mark]]
Worth = Callable[[Mark], int]
Rank = tuple[bool, int]
"""(whether the metric that `keep` compares is lacking, what there is of it, negated): the least comes first."""


def compile_keep(keep: Keep, rules: Ruleset) -> Selection:
    """The selection of a `keep` table."""
    by, descending = rank_item(keep.by) if keep.by is not None else ("", True)
    sign = 1 if descending else -1

    def worth(mark: Mark) -> int:
        return sign * mark.values.get(by, 0)

    if keep.per == "round":
        return _by_round(keep, by, worth)
    if keep.mode == "all":
        return lambda marks: marks
    return _by_mark(keep, by, worth)


def _by_mark(keep: Keep, by: str, worth: Worth) -> Selection:
    def select(marks: list[Mark]) -> list[Mark]:
        plain = [mark for mark in marks if not mark.adjusts and (keep.mode != "best" or by in mark.values)]
        if keep.mode == "best":
            # sorted() is stable: of equal marks the earlier one stays in front.
            counted = sorted(plain, key=lambda mark: -worth(mark))[: keep.n]
        else:
            counted = plain[-keep.n :] if keep.mode == "latest" else plain[: keep.n]
        chosen = {id(mark) for mark in counted}
        return [mark for mark in marks if mark.adjusts or id(mark) in chosen]

    return select


class _Unit:
    """One round of one player: its marks that count, and how they rank together. What lacks the metric is behind."""

    __slots__ = ("marks", "rank")

    def __init__(self, marks: list[Mark], by: str, worth: Worth, most: int | None) -> None:
        plain = sorted(
            (mark for mark in marks if not mark.adjusts), key=lambda mark: (by not in mark.values, -worth(mark))
        )
        self.marks = plain[:most] + [mark for mark in marks if mark.adjusts]
        self.rank: Rank = all(by not in mark.values for mark in self.marks), -sum(map(worth, self.marks))


def _by_round(keep: Keep, by: str, worth: Worth) -> Selection:
    def select(marks: list[Mark]) -> list[Mark]:
        rounds: dict[Round, list[Mark]] = {}
        for mark in marks:
            if mark.round is not None:
                rounds.setdefault(mark.round, []).append(mark)
        units = {number: _Unit(held, by, worth, keep.marks) for number, held in rounds.items()}
        counted = {id(mark) for unit in _best_units(keep, units) for mark in unit.marks}
        return [mark for mark in marks if id(mark) in counted or (mark.round is None and mark.adjusts)]

    return select


def _best_units(keep: Keep, units: dict[Round, _Unit]) -> list[_Unit]:
    if keep.mode == "all":
        return list(units.values())
    if keep.mode != "best":
        ordered = list(units.values())
        return ordered[-keep.n :] if keep.mode == "latest" else ordered[: keep.n]
    spans = keep.spans or [Span(first=0, n=keep.n)]
    chosen: list[_Unit] = []
    for span in spans:
        inside = [unit for number, unit in units.items() if keep.spans == [] or _within(number, span)]
        chosen += sorted(inside, key=attrgetter("rank"))[: span.n]
    return chosen


def _within(number: Round, span: Span) -> bool:
    return isinstance(number, int) and span.first <= number and (span.last is None or number <= span.last)
