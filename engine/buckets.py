"""The shape `Bucketed`: sums by local day, for boards that must know on which day something was scored but not by which
mark: capped sums, and windows of the last days. A player's state grows with his days, not with his marks.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from engine.days import Days
from engine.marks import Mark
from engine.shapes import Shape
from schemas.events import Round
from schemas.language import Ruleset

if TYPE_CHECKING:
    from engine.boards import BoardPlan

Key = tuple[int, Round | None]
State = dict[Key, list[int]]
"""By (local day, round; None where no cap asks for it): how many marks, then the sums of each metric's slots."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[tuple[int, Round | None, list[int]]]).decode


class Bucketed(Shape):
    """Sums and counts by local day."""

    def __init__(self, plan: "BoardPlan", rules: Ruleset) -> None:
        self.plan = plan
        self._days = Days(rules)
        self._by_round = any(metric.caps is not None and metric.caps.by_round for metric in plan.metrics)
        self._columns = []
        self._width = 1
        for number, metric in enumerate(plan.metrics):
            if not metric.derived:
                self._columns.append((number, metric, self._width))
                self._width += metric.caps.slots if metric.caps is not None else 1

    def new(self) -> State:
        return {}

    def absorb(self, state: State, mark: Mark) -> bool:
        self._count(state, mark, 1)
        return True

    def revoke(self, state: State, mark: Mark) -> bool:
        self._count(state, mark, -1)
        return True

    def _count(self, state: State, mark: Mark, sign: int) -> None:
        """Adds a mark to its day, or takes it away."""
        key = (self._days.of(mark.occurred_ms), mark.round if self._by_round else None)
        bucket = state.get(key)
        if bucket is None:
            bucket = state[key] = [0] * self._width
        bucket[0] += sign
        if bucket[0] == 0:
            del state[key]
            return
        for _, metric, at in self._columns:
            if metric.op == "count":
                bucket[at] += sign * (not mark.adjusts and (metric.where is None or metric.where(mark)))
                continue
            value = mark.values.get(metric.of)
            if value and (metric.where is None or mark.adjusts or metric.where(mark)):
                bucket[at if metric.caps is None else at + metric.caps.slot_of(mark)] += sign * value

    def result(self, state: State) -> tuple[bytes | None, bytes]:
        return self.result_of(state.items())

    def result_of(self, buckets: Iterable[tuple[Key, list[int]]]) -> tuple[bytes | None, bytes]:
        """(prefix, extra) of some buckets."""
        plan, found = self.plan, list(buckets)
        values: list[int | None] = [None] * len(plan.metrics)
        if not found:
            return None, plan.extra(values)
        for number, metric, at in self._columns:
            if metric.caps is None:
                values[number] = sum(bucket[at] for _, bucket in found)
            else:
                slots = range(at, at + metric.caps.slots)
                portions = [[(*key, bucket[slot]) for key, bucket in found if bucket[slot]] for slot in slots]
                values[number] = metric.caps.total(portions)
        plan.derived.complete(values)
        return plan.key(values, None, []), plan.extra(values)

    def dump(self, state: State) -> bytes:
        # A round is a number or a name, or there is none: text orders them all.
        rows = ((*key, bucket) for key, bucket in state.items())
        return _encode(sorted(rows, key=lambda row: (row[0], repr(row[1]))))

    def load(self, data: bytes) -> Any:
        return {(day, round_): bucket for day, round_, bucket in _decode(data)}


def can_bucket(plan: "BoardPlan") -> bool:
    """Whether sums by day tell everything that the board ranks by and shows."""
    keep = plan.board.keep
    return (
        keep.mode == "all"
        and keep.per == "mark"
        and all(metric.derived or metric.op in ("sum", "count") for metric in plan.metrics)
        and all(kind in ("asc", "desc", "lot") for kind, _ in plan.order)
    )
