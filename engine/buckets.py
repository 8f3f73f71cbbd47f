"""The shape `Bucketed`: sums by local day, for boards that must know on which day something was scored but not by which
mark: capped sums, and windows of the last days. A player's state grows with his days, not with his marks.
"""

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
        self._starts = []
        self._width = 1
        for metric in plan.metrics:
            self._starts.append(self._width)
            self._width += metric.caps.slots if metric.caps is not None else 1

    def new(self) -> State:
        return {}

    def absorb(self, state: State, mark: Mark) -> bool:
        key = (self._days.of(mark.occurred_ms), mark.round if self._by_round else None)
        bucket = state.get(key)
        if bucket is None:
            bucket = state[key] = [0] * self._width
        bucket[0] += 1
        for metric, at in zip(self.plan.metrics, self._starts, strict=True):
            if metric.op == "count":
                bucket[at] += not mark.adjusts and (metric.where is None or metric.where(mark))
                continue
            value = mark.values.get(metric.of)
            if value and (metric.where is None or mark.adjusts or metric.where(mark)):
                bucket[at if metric.caps is None else at + metric.caps.slot_of(mark)] += value
        return True

    def result(self, state: State) -> tuple[bytes | None, bytes]:
        plan = self.plan
        if not state:
            return None, plan.extra([None] * len(plan.metrics))
        values = self._values(list(state.items()))
        return plan.key(values, None, []), plan.extra(values)

    def _values(self, buckets: list[tuple[Key, list[int]]]) -> list[int | None]:
        values: list[int | None] = []
        for metric, at in zip(self.plan.metrics, self._starts, strict=True):
            if metric.caps is None:
                values.append(sum(bucket[at] for _, bucket in buckets))
            else:
                slots = range(at, at + metric.caps.slots)
                portions = [[(*key, bucket[slot]) for key, bucket in buckets if bucket[slot]] for slot in slots]
                values.append(metric.caps.total(portions))
        return values

    def dump(self, state: State) -> bytes:
        # A round is a number or a name, or there is none: text orders them all.
        return _encode(
            sorted(((*key, bucket) for key, bucket in state.items()), key=lambda row: (row[0], repr(row[1])))
        )

    def load(self, data: bytes) -> Any:
        return {(day, round_): bucket for day, round_, bucket in _decode(data)}


def can_bucket(plan: "BoardPlan") -> bool:
    """Whether sums by day tell everything that the board ranks by and shows."""
    keep = plan.board.keep
    return (
        keep.mode == "all"
        and keep.per == "mark"
        and all(metric.op in ("sum", "count") for metric in plan.metrics)
        and all(kind in ("asc", "desc", "lot") for kind, _ in plan.order)
    )
