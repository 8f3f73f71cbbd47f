"""Streaks: how many marks, days or rounds in a row meet a condition, the present ones or the most ever.

Pure functions of a player's marks in contest order, whenever these were settled. Adjustments are no marks of a streak.
"""

from collections.abc import Iterable, Iterator, Sequence

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

    def value(self, marks: Sequence[Mark]) -> int:
        """The streak as of the last mark."""
        return self._longest_of(marks) if self._longest else self._present_of(marks)[0]

    def present(self, marks: Sequence[Mark]) -> tuple[int, int | None]:
        """(present streak as of the last mark, when it ends if no other comes, epoch milliseconds; None: it does not)."""
        run, end = self._present_of(marks)
        return run, self._days.of(end)[1] if self.clocked and run else None

    def _present_of(self, marks: Sequence[Mark]) -> tuple[int, int]:
        """(present streak, number behind the last unit): backwards, only as far as it reaches."""
        run = end = 0
        later: int | None = None
        for number, following, does in self._units(reversed(marks), backwards=True):
            if later is None:
                end = following
            if does == _RESETS or (later is not None and following < later and self._gaps):
                break
            run += does == _ADDS
            later = number
        return run, end

    def _longest_of(self, marks: Sequence[Mark]) -> int:
        run = longest = 0
        expected: int | None = None
        for number, following, does in self._units(marks):
            if does == _RESETS or (expected is not None and number > expected and self._gaps):
                run = 0
            if does == _ADDS:
                run += 1
                longest = max(longest, run)
            expected = following
        return longest

    def _units(self, marks: Iterable[Mark], *, backwards: bool = False) -> Iterable[_Unit]:
        if self._per == "mark":
            return ((0, 0, self._does(mark)) for mark in marks if not mark.adjusts)
        return self._by_day(marks) if self._per == "day" else self._by_round(marks, backwards=backwards)

    def _by_day(self, marks: Iterable[Mark]) -> Iterator[_Unit]:
        """Marks of one day stand together, since marks come in the order of time, or against it."""
        start = end = does = 0
        for mark in marks:
            if mark.adjusts:
                continue
            if not start <= mark.occurred_ms < end:
                if start < end:
                    yield start, end, does
                start, end = self._days.of(mark.occurred_ms)
                does = self._does(mark)
            elif does != _ADDS:
                does = max(does, self._does(mark))
        if start < end:
            yield start, end, does

    def _by_round(self, marks: Iterable[Mark], *, backwards: bool) -> Iterator[_Unit]:
        does: dict[int, int] = {}
        for mark in marks:
            if type(mark.round) is int and not mark.adjusts:
                does[mark.round] = max(does.get(mark.round, _RESETS), self._does(mark))
        for number in sorted(does, reverse=backwards):
            yield number, number + 1, does[number]

    def _does(self, mark: Mark) -> int:
        if self._holds is not None and self._holds(mark):
            return _HOLDS
        return _ADDS if self._adds(mark) else _RESETS


def compile_streak(metric: Metric, rules: Ruleset) -> Streak | None:
    """The streak of a metric; None for the other operations."""
    return Streak(metric, rules) if metric.op in ("streak", "longest_streak") else None
