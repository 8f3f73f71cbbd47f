"""Marks: what an event is worth to one player, and the conditions that rulesets put on them."""

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import msgspec

from engine.numbers import scaled, scaled_rounding
from schemas.events import Number
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


_DECIMAL = re.compile(r"[+-]?\d{1,28}(\.\d{1,28})?", re.ASCII)
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
