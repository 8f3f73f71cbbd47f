"""Explains the metrics of one player on a board: what each of his marks gives to each of them, so that the parts recombine.

A part is a mark; the parts outside the stretch that is looked at are added up. How parts combine depends on a metric's
operation: most are sums; max, min, last and first choose one; an average divides; a form strings letters together. Of a
streak, of distinct groups and of attempts, a mark's part is by how much the number changed with it.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from itertools import pairwise
from typing import NamedTuple

from engine.boards import BoardPlan
from engine.fold import Fold
from engine.form import DIGITS, digit_of
from engine.marks import Mark
from engine.metrics import MetricPlan
from engine.rules import Game
from engine.tables import TableName
from schemas.events import Adjustment, Event, Score
from schemas.language import AdjustmentSource, ScoreSource
from schemas.position import Position

_CHANGES = frozenset(("streak", "longest_streak", "distinct", "attempts"))
"""Operations that no mark has a share in of its own."""


class Share(NamedTuple):
    """What some marks give to a metric: combined, of how many, and what adjustments add beside, how many of these."""

    plain: int | None = None
    of: int = 0
    added: int = 0
    adjustments: int = 0

    @property
    def all(self) -> int | None:
        """Everything together; None for nothing at all."""
        return None if self.plain is None and not self.adjustments else (self.plain or 0) + self.added


NOTHING = Share()


class Rest(NamedTuple):
    """Marks that are not listed one by one: how many, and their share in every metric of the board."""

    marks: int
    shares: list[Share]


class Part(NamedTuple):
    """One mark: its number in contest order, from 0; whether `keep` lets it count; its share in every metric of the board;
    and the metrics that all marks up to this one make, of those that count in the end."""

    number: int
    mark: Mark
    counts: bool
    shares: list[Share]
    running: list[int | None]


class Explained(NamedTuple):
    """The metrics of a player, scaled, in the board's order, and the parts that make them.

    `lapsed` are streaks, by the number of their metric, that ended because time went on: what they had come to.
    """

    values: list[int | None]
    older: Rest
    parts: list[Part]
    newer: Rest
    lapsed: dict[int, int]

    @property
    def marks(self) -> int:
        """How many marks there are."""
        return self.older.marks + len(self.parts) + self.newer.marks


def explain(plan: BoardPlan, marks: list[Mark], first: int, last: int, clock: int) -> Explained:
    """The metrics that marks in contest order give; those from number `first` up to `last` are listed.

    `clock` (epoch milliseconds) is by what present streaks end; of a window only the marks inside count, and are given.
    """
    chosen = {id(mark) for mark in plan.selection(marks)}
    kept = [id(mark) in chosen for mark in marks]
    everyone = [True] * len(marks)
    shares = [
        _shares(plan, metric, marks, everyone if metric.over_all else kept, first, last) for metric in plan.metrics
    ]
    older = Rest(first, [each[0] for each in shares])
    newer = Rest(len(marks) - last, [each[-1] for each in shares])
    parts, present = [], older.shares
    for number in range(first, last):
        own = [each[1 + number - first] for each in shares]
        present = [
            joined(metric.op, (one, other)) for metric, one, other in zip(plan.metrics, present, own, strict=True)
        ]
        parts.append(Part(number, marks[number], kept[number], own, values_of(plan, present)))
    total = [
        joined(metric.op, (one, other)) for metric, one, other in zip(plan.metrics, present, newer.shares, strict=True)
    ]
    values = values_of(plan, total)
    lapsed = {}
    for at, metric in enumerate(plan.metrics):
        if metric.streak is not None and metric.streak.clocked:
            run, ends = metric.streak.present(marks if metric.over_all else [m for m in marks if id(m) in chosen])
            if ends is not None and ends <= clock:
                lapsed[at], values[at] = run, 0
    return Explained(plan.derived.complete(values), older, parts, newer, lapsed)


def values_of(plan: BoardPlan, shares: Sequence[Share]) -> list[int | None]:
    """The metrics that shares come to."""
    return plan.derived.complete([_value(metric, share) for metric, share in zip(plan.metrics, shares, strict=True)])


def _value(metric: MetricPlan, share: Share) -> int | None:
    if metric.derived:
        return None
    if metric.op == "average":
        return metric.mean((share.plain or 0) + share.added, share.of)
    return metric.of_marks([]) if share.all is None else share.all


def joined(op: str, shares: Iterable[Share]) -> Share:
    """The share of marks together, given in contest order."""
    choose = _CHOICES.get(op)

    def join(one: Share, other: Share) -> Share:
        plain = one.plain if other.plain is None else other.plain
        if one.plain is not None and other.plain is not None:
            if op == "form":
                plain = one.plain * DIGITS**other.of + other.plain
            else:
                plain = one.plain + other.plain if choose is None else choose(one.plain, other.plain)
        return Share(plain, one.of + other.of, one.added + other.added, one.adjustments + other.adjustments)

    return reduce(join, shares, NOTHING)


_CHOICES: dict[str, Callable[[int, int], int]] = {
    "max": max,
    "min": min,
    "last": lambda _, later: later,
    "first": lambda earlier, _: earlier,
}


def _shares(
    plan: BoardPlan, metric: MetricPlan, marks: list[Mark], counts: list[bool], first: int, last: int
) -> list[Share]:
    """The share of the marks before `first` together, of each up to `last`, and of those from there on together."""
    if metric.op in _CHANGES:
        return _changes(metric, marks, counts, first, last)
    gives = iter(_gives(plan, metric, [mark for mark, held in zip(marks, counts, strict=True) if held]))
    found = [next(gives) if held else None for held in counts]
    stretches = (slice(0, first), slice(last, None))
    before, after = (_together(metric.op, found[stretch], marks[stretch]) for stretch in stretches)
    return [before, *map(_share, found[first:last], marks[first:last]), after]


def _share(give: int | None, mark: Mark) -> Share:
    if give is None:
        return NOTHING
    return Share(None, 0, give, 1) if mark.adjusts else Share(give, 1)


def _together(op: str, gives: list[int | None], marks: list[Mark]) -> Share:
    """`joined` of many marks, faster: a player may have a hundred thousand."""
    pairs = list(zip(gives, marks, strict=True))
    plain = [give for give, mark in pairs if give is not None and not mark.adjusts]
    added = [give for give, mark in pairs if give is not None and mark.adjusts]
    whole: int | None = None
    if op == "form":
        return joined(op, map(_share, gives, marks))
    if plain:
        choose = _CHOICES.get(op)
        whole = sum(plain) if choose is None else reduce(choose, plain)
    return Share(whole, len(plain), sum(added), len(added))


def _changes(metric: MetricPlan, marks: list[Mark], counts: list[bool], first: int, last: int) -> list[Share]:
    """By how much the metric changed with the marks before `first`, with each up to `last`, and with the others."""
    held = [mark for mark, counted in zip(marks[:first], counts, strict=False) if counted]
    values = [metric.of_marks([]), metric.of_marks(held)]
    for at in range(first, last):
        if counts[at]:
            held.append(marks[at])
        values.append(metric.of_marks(held) if counts[at] else values[-1])
    held += [mark for mark, counted in zip(marks[last:], counts[last:], strict=True) if counted]
    values.append(metric.of_marks(held))
    return [
        NOTHING if before == after else Share((after or 0) - (before or 0), 1) for before, after in pairwise(values)
    ]


def _gives(plan: BoardPlan, metric: MetricPlan, marks: list[Mark]) -> Iterable[int | None]:
    """What each of the marks that count gives; None where the metric does not concern it."""
    where = metric.where
    if metric.derived:
        return [None] * len(marks)
    if metric.caps is not None:
        return metric.caps.gives(marks)
    if metric.op == "form":
        return _letters(marks, metric, plan.board.metrics[metric.name].n)
    if metric.op == "count":
        return [None if mark.adjusts or (where is not None and not where(mark)) else 1 for mark in marks]
    return [mark.values.get(metric.of) if mark.adjusts or where is None or where(mark) else None for mark in marks]


def _letters(marks: list[Mark], metric: MetricPlan, n: int) -> list[int | None]:
    """The last n verdicts as digits of a form's code."""
    counts = metric.where
    digits = [None if mark.adjusts or (counts is not None and not counts(mark)) else digit_of(mark) for mark in marks]
    shown = set([at for at, digit in enumerate(digits) if digit is not None][-n:])
    return [digit if at in shown else None for at, digit in enumerate(digits)]


def costly(plan: BoardPlan) -> bool:
    """Whether some metric must be computed anew for every mark that is listed."""
    return any(metric.op in _CHANGES for metric in plan.metrics)


def told_by_himself(game: Game, plan: BoardPlan) -> bool:
    """Whether the marks of a board's players are those of each one's own scores and adjustments, whatever time it is."""
    rules = game.rules
    sources = [
        source for name, source in rules.sources.items() if plan.board.sources is None or name in plan.board.sources
    ]
    own = all(isinstance(source, ScoreSource | AdjustmentSource) and source.entrant is None for source in sources)
    return own and plan.name not in game.clocked


def marks_said(fold: Fold, said: Iterable[tuple[Position, Event]], player: str, table: TableName) -> list[Mark]:
    """The marks that a player's scores and adjustments give him in one ranking, in contest order.

    For boards that do not keep their marks one by one. `said` are events that count; `fold` is one of the game's rules.
    """
    found = [
        mark
        for position, event in said
        if isinstance(event, Score | Adjustment)
        for entrant, mark, tables in fold.entries(event, position.ms, position.seq)
        if entrant == player and any(each.name == table for each in tables)
    ]
    return in_order(found)


def in_order(marks: Iterable[Mark]) -> list[Mark]:
    """Marks in contest order."""
    return sorted(marks, key=lambda mark: (mark.order, mark.origin))
