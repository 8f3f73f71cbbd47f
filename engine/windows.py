"""Windows: copies of a board over the marks of the last so many local days, today included, by the fold's clock.

What is too old stays in a player's state and is passed over, so that the state does not depend on when it is looked at.
"""

from typing import TYPE_CHECKING

from engine.buckets import Bucketed, State, can_bucket
from engine.clock import FAR
from engine.days import Days
from engine.kept import Kept
from engine.marks import Mark
from engine.shapes import Shape
from schemas.language import Ruleset

if TYPE_CHECKING:
    from engine.boards import BoardPlan


def window_id(days: int) -> str:
    """The period id of a window, such as last:7d."""
    return f"last:{days}d"


def windows_of(plan: "BoardPlan", rules: Ruleset, *, revised: bool) -> dict[str, Shape]:
    """The shapes of a board's windows by period id."""
    bucketed = can_bucket(plan) and not revised
    return {
        window_id(days): BucketedWindow(plan, rules, days) if bucketed else KeptWindow(plan, rules, days)
        for days in plan.board.windows
    }


class BucketedWindow(Bucketed):
    """Sums and counts by local day, of which the last ones count."""

    clocked = True

    def __init__(self, plan: "BoardPlan", rules: Ruleset, days: int) -> None:
        super().__init__(plan, rules)
        self._length = days

    def result(self, state: State) -> tuple[bytes | None, bytes]:
        last = max((day for day, _ in state), default=0)
        return self._result_on(state, last)

    def result_at(self, state: State, clock: int) -> tuple[bytes | None, bytes, int | None]:
        today = self._days.of(clock)
        changes = [day if day > today else day + self._length for day, _ in state if day > today - self._length]
        due = self._days.start(min(changes)) if changes else None
        return (*self._result_on(state, today), due)

    def inside(self, marks: list[Mark], clock: int) -> list[Mark]:
        """The marks that count when it is `clock` (epoch milliseconds)."""
        today = self._days.of(clock)
        return [mark for mark in marks if today - self._length < self._days.of(mark.occurred_ms) <= today]

    def _result_on(self, state: State, today: int) -> tuple[bytes | None, bytes]:
        oldest = today - self._length + 1
        return self.result_of(item for item in state.items() if oldest <= item[0][0] <= today)


class KeptWindow(Kept):
    """All marks, of which those of the last days count."""

    def __init__(self, plan: "BoardPlan", rules: Ruleset, days: int) -> None:
        super().__init__(plan)
        self.clocked = True
        self._days = Days(rules)
        self._length = days

    def result(self, state: list[Mark]) -> tuple[bytes | None, bytes]:
        last = max((mark.occurred_ms for mark in state), default=0)
        return super().result(self._inside(state, self._days.of(last)))

    def result_at(self, state: list[Mark], clock: int) -> tuple[bytes | None, bytes, int | None]:
        today = self._days.of(clock)
        inside = self._inside(state, today)
        prefix, extra, due = super().result_at(inside, clock)
        tomorrow = self._days.start(today + 1)
        changes = [] if due is None else [due]
        if inside:
            changes.append(self._days.start(self._days.of(inside[0].occurred_ms) + self._length))
        coming = min((mark.occurred_ms for mark in state if mark.occurred_ms >= tomorrow), default=FAR)
        if coming < FAR:
            changes.append(self._days.start(self._days.of(coming)))
        return prefix, extra, min(changes, default=None)

    def inside(self, marks: list[Mark], clock: int) -> list[Mark]:
        """The marks that count when it is `clock` (epoch milliseconds)."""
        return self._inside(marks, self._days.of(clock))

    def _inside(self, state: list[Mark], today: int) -> list[Mark]:
        start, end = self._days.start(today - self._length + 1), self._days.start(today + 1)
        return [mark for mark in state if start <= mark.occurred_ms < end]
