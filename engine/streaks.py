"""Streaks: how many marks, days or rounds in a row meet a condition, the present ones or the most ever.

Pure functions of a player's marks in contest order, whenever these were settled. Adjustments are no marks of a streak.
"""

from collections.abc import Iterable, Iterator

from engine.clock import days_in
from engine.marks import Mark, compile_where
from schemas.language import Metric, Ruleset

_RESETS, _HOLDS, _ADDS = range(3)
_Unit = tuple[int, int, int]
"""(number, number of the next unit if none is missing between, what it does)."""


class Streak:
    """A `streak` or `longest_streak` metric.

    A mark that meets `hold` changes nothing, else one that meets `where` adds, any other starts anew. A local day or a round
    does the first of these that one of its marks does: add, change nothing, start anew. One without marks starts anew,
    unless absence holds. Rounds are taken in the order of their numbers; marks without a numbered round are nothing to them.

    `clocked`: the present streak by day ends without any event, once a whole local day has passed with no mark that adds
    or holds. A round is known to be missed only when the player's next mark comes.
    """

    __slots__ = ("_adds", "_days", "_gaps", "_holds", "_longest", "_per", "clocked")

    def __init__(self, metric: Metric, rules: Ruleset) -> None:
        self._adds = compile_where(metric.where, rules.metrics)
        self._holds = compile_where(metric.hold, rules.metrics) if metric.hold is not None else None
        self._days = days_in(rules.time_zone)
        self._gaps = metric.absence == "reset"
        self._longest = metric.op == "longest_streak"
        self._per = metric.per
        self.clocked = metric.per == "day" and self._gaps and not self._longest

    def value(self, marks: Iterable[Mark], clock: int | None = None) -> int:
        """The streak; the present one as of `clock` (epoch milliseconds), or of the last mark."""
        run, longest, end = self._walk(marks)
        if self._longest:
            return longest
        return run if clock is None or (lapses := self._lapses(run, end)) is None or clock < lapses else 0

    def due(self, marks: Iterable[Mark]) -> int | None:
        """When the present streak ends if no further mark comes, in epoch milliseconds; None when it does not."""
        run, _, end = self._walk(marks)
        return self._lapses(run, end)

    def _lapses(self, run: int, end: int | None) -> int | None:
        return self._days.of(end)[1] if self.clocked and run and end is not None else None

    def _walk(self, marks: Iterable[Mark]) -> tuple[int, int, int | None]:
        """(present streak, longest, number of the unit behind the last one)."""
        run = longest = 0
        expected: int | None = None
        for number, following, does in self._units(mark for mark in marks if not mark.adjusts):
            if does == _RESETS or (expected is not None and number > expected and self._gaps):
                run = 0
            if does == _ADDS:
                run += 1
                longest = max(longest, run)
            expected = following
        return run, longest, expected

    def _units(self, marks: Iterator[Mark]) -> Iterable[_Unit]:
        if self._per == "mark":
            return ((0, 0, self._does(mark)) for mark in marks)
        does: dict[tuple[int, int], int] = {}
        for mark in marks:
            if self._per == "day":
                unit = self._days.of(mark.occurred_ms)
            elif type(mark.round) is int:
                unit = (mark.round, mark.round + 1)
            else:
                continue
            if does.get(unit) != _ADDS:
                does[unit] = max(does.get(unit, _RESETS), self._does(mark))
        return ((*unit, does[unit]) for unit in sorted(does))

    def _does(self, mark: Mark) -> int:
        if self._holds is not None and self._holds(mark):
            return _HOLDS
        return _ADDS if self._adds(mark) else _RESETS


def compile_streak(metric: Metric, rules: Ruleset) -> Streak | None:
    """The streak of a metric; None for the other operations."""
    return Streak(metric, rules) if metric.op in ("streak", "longest_streak") else None
