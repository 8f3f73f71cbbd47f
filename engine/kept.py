"""The shape that keeps all marks of a player, for what cannot be had otherwise: best n, spans, streaks, revised results."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from engine.adjustments import Order
from engine.marks import Mark
from engine.shapes import Shape

if TYPE_CHECKING:
    from engine.boards import BoardPlan

NOTHING_KNOWN: Mapping[int, int] = {}
_decode_marks = msgspec.json.Decoder(list[Mark]).decode


class Kept(Shape):
    """All marks, sorted by contest order; the metrics are computed anew when they are asked for."""

    def __init__(self, plan: "BoardPlan") -> None:
        self.plan = plan
        streaks = [(at, metric.streak, metric.over_all) for at, metric in enumerate(plan.metrics) if metric.streak]
        self._lapsing = [(at, streak, over_all) for at, streak, over_all in streaks if streak.clocked]
        self.clocked = bool(self._lapsing)

    def new(self) -> list[Mark]:
        return []

    def absorb(self, state: list[Mark], mark: Mark) -> bool:
        at = len(state)
        order = (mark.order, mark.origin)
        while at and (state[at - 1].order, state[at - 1].origin) > order:
            at -= 1
        state.insert(at, mark)
        return True

    def withdraw(self, state: list[Mark], origin: str) -> None:
        state[:] = [mark for mark in state if mark.origin != origin]

    def revoke(self, state: list[Mark], mark: Mark) -> bool:
        if mark in state:
            state.remove(mark)
        return True

    def result(self, state: list[Mark]) -> tuple[bytes | None, bytes]:
        return self._result(state, {})

    def result_at(self, state: list[Mark], clock: int) -> tuple[bytes | None, bytes, int | None]:
        kept = self.plan.selection(state)
        due: int | None = None
        present: dict[int, int] = {}
        for at, streak, over_all in self._lapsing:
            run, lapses = streak.present(state if over_all else kept)
            if lapses is not None and clock < lapses:
                due = lapses if due is None else min(due, lapses)
            present[at] = 0 if lapses is not None and lapses <= clock else run
        return (*self._result(state, present), due)

    def _result(self, state: list[Mark], present: dict[int, int]) -> tuple[bytes | None, bytes]:
        plan = self.plan
        if not plan.selection(state):
            return None, plan.extra([None] * len(plan.metrics))
        values = self.values(state, present)
        reached = self._reached(state) if plan.needs_reached else None
        return plan.key(values, reached, plan.counts(state)), plan.extra(values)

    def values(self, marks: list[Mark], known: Mapping[int, int] = NOTHING_KNOWN) -> list[int | None]:
        """The board's metrics of marks in contest order; `known` are those, by their number, that go by the clock."""
        kept = self.plan.selection(marks)
        values = [
            known[at] if at in known else metric.of_marks(marks if metric.over_all else kept)
            for at, metric in enumerate(self.plan.metrics)
        ]
        return self.plan.derived.complete(values)

    def _reached(self, marks: list[Mark]) -> Order | None:
        """The order of the last mark, in contest order, with which the criteria before `reached` changed."""
        plan = self.plan
        criteria = plan.order[: next(at for at, (kind, _) in enumerate(plan.order) if kind == "reached")]
        # A head-to-head is no number of the player's own that he could have reached.
        criteria = [criterion for criterion in criteria if criterion[0] != "head_to_head"]

        def at_end(end: int) -> list[Any]:
            values, counts = self.values(marks[:end]), plan.counts(marks[:end])
            return [counts[at] if kind == "countback" else values[at] for kind, at in criteria]

        # From behind, since mostly it is one of the last marks.
        last = at_end(len(marks))
        return next((marks[end].order for end in reversed(range(len(marks))) if at_end(end) != last), None)

    def load(self, data: bytes) -> list[Mark]:
        return _decode_marks(data)
