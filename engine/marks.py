"""Marks: what an event is worth to one player, and the conditions that rulesets put on them."""

import re
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from itertools import chain
from typing import Any, NamedTuple

import msgspec

from engine.numbers import scaled, scaled_rounding
from schemas.codec import epoch_ms
from schemas.events import Number, Score
from schemas.language import Condition, MetricType, Range, Where


class Mark(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Metric values scaled to integers, when and where they come from, and what conditions may ask about.

    `order` is (occurred_ms, ms, seq): contest time, then the event's place in the log. `origin` is the event's id, or the
    fixture's for what a contest gave, so that a later revision finds what it replaces. Marks of contests have no place in
    the log (ms and seq are 0): their order is that of the contests, start time and then fixture, whenever they were settled.
    """

    occurred_ms: int
    ms: int
    seq: int
    values: dict[str, int]
    round: str | int | None = None
    attributes: dict[str, Any] | None = None
    origin: str = ""
    adjusts: bool = False

    @property
    def order(self) -> tuple[int, int, int]:
        return (self.occurred_ms, self.ms, self.seq)


class Scores(NamedTuple):
    """Scores in the order of the log, column by column: `values` are scaled, (ms, seq) are their entries."""

    events: Sequence[Score]
    values: Sequence[dict[str, int]]
    occurred: Sequence[int]
    ms: Sequence[int]
    seq: Sequence[int]

    def order(self, index: int) -> tuple[int, int, int]:
        """The order of a score's mark."""
        return self.occurred[index], self.ms[index], self.seq[index]

    def mark(self, index: int) -> Mark:
        """What one of them is worth to its player."""
        event = self.events[index]
        order = self.occurred[index], self.ms[index], self.seq[index]
        return Mark(*order, self.values[index], event.round, event.attributes, event.id)

    def cut(self, start: int, end: int) -> "Scores":
        """Those from `start` up to `end`."""
        if (start, end) == (0, len(self.events)):
            return self
        events, values, occurred, ms, seq = self
        return Scores(events[start:end], values[start:end], occurred[start:end], ms[start:end], seq[start:end])


_WHOLE = {int}
_DECIMAL = re.compile(r"[+-]?\d{1,28}(\.\d{1,28})?(e[+-]?\d{1,2})?", re.ASCII | re.IGNORECASE)
Predicate = Callable[[Mark], bool]
Entry = tuple[str, Mark]


def always(mark: Mark) -> bool:
    """The predicate of an empty `where`."""
    return True


def compile_where(where: Where, metrics: dict[str, MetricType]) -> Predicate:
    """One predicate that holds when every condition does. An absent value meets no condition but `exists = false`."""
    if not where:
        return always
    tests = [(name, _compile(condition, metrics.get(name))) for name, condition in where.items()]

    def holds(mark: Mark) -> bool:
        return all(test(look_up(mark, name)) for name, test in tests)

    return holds


def look_up(mark: Mark, name: str) -> Any:
    """The value that conditions call `name`: the round, a metric (scaled), or an attribute; None when absent."""
    if name == "round":
        return mark.round
    value = mark.values.get(name)
    if value is None and mark.attributes is not None:
        return mark.attributes.get(name)
    return value


def _compile(condition: Condition, metric: MetricType | None) -> Callable[[Any], bool]:
    if isinstance(condition, Range):
        return _compile_range(condition, metric)
    allowed = [_same_type(item, metric) for item in (condition if isinstance(condition, list) else [condition])]
    return lambda value: value is not None and (type(value) is bool, value) in allowed


def _same_type(item: Any, metric: MetricType | None) -> tuple[bool, Any]:
    """True and 1 are different answers; a metric's value is compared at its scale. Decimals of a ruleset are text."""
    if metric is not None and type(item) is int:
        return False, scaled(item, metric.scale)
    if metric is not None and type(item) is str and _DECIMAL.fullmatch(item):
        return False, Fraction(item) * 10**metric.scale
    return type(item) is bool, item


def _compile_range(condition: Range, metric: MetricType | None) -> Callable[[Any], bool]:
    scale = metric.scale if metric is not None else 0

    def at_scale(bound: Number | None) -> Fraction | None:
        return None if bound is None else Fraction(bound) * 10**scale

    low, high = at_scale(condition.min), at_scale(condition.max)
    above, below = at_scale(condition.above), at_scale(condition.below)
    exists = condition.exists

    def holds(value: Any) -> bool:
        if value is None:
            return exists is False
        if exists is False:
            return False
        if low is None and high is None and above is None and below is None:
            return True
        return (
            type(value) is int
            and (low is None or value >= low)
            and (high is None or value <= high)
            and (above is None or value > above)
            and (below is None or value < below)
        )

    return holds


def scale_values(values: dict[str, Number], metrics: dict[str, MetricType]) -> dict[str, int]:
    """Declared metrics as scaled integers; `Game.check` has refused what cannot be scaled."""
    return {name: scaled_rounding(value, metrics[name].scale) for name, value in values.items() if name in metrics}


def scores_of(
    events: Sequence[Score], ms: Sequence[int], seq: Sequence[int], metrics: dict[str, MetricType], *, whole: bool
) -> Scores:
    """Scores with what they are worth. If all metrics are `whole` numbers without bounds, an integer is so already."""
    occurred = [at if e.occurred_at is None else epoch_ms(e.occurred_at) for e, at in zip(events, ms, strict=True)]
    given: list[Any] = [event.values for event in events]
    if not whole or not _all_whole(chain.from_iterable(map(dict.values, given))):
        given = [each if whole and _all_whole(each.values()) else scale_values(each, metrics) for each in given]
    return Scores(events, given, occurred, ms, seq)


def _all_whole(numbers: Iterable[Number]) -> bool:
    return set(map(type, numbers)) <= _WHOLE
