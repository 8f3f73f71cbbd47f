"""The auditor's marks: exact numbers of one player, where they count, and the conditions that rulesets put on them.

A second implementation for checking the first: nothing here may come from `engine`.
"""

import re
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor
from typing import Any

from schemas.language import MetricType, Range, Ruleset, Where

Values = dict[str, Fraction]
_DECIMAL = re.compile(r"[+-]?\d{1,28}(\.\d{1,28})?", re.ASCII)


@dataclass(frozen=True)
class Mark:
    """What an event or a contest is worth to `who`. `at` is contest time, `entry` the place in the log (0, 0 for contests)."""

    who: str
    source: str
    values: Values
    at: int
    entry: tuple[int, int]
    origin: str
    round: str | int | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    adjusts: bool = False
    board: str | None = None
    """The only board that an adjustment is for."""

    @property
    def order(self) -> tuple[int, int, int, str]:
        """Contest order."""
        return (self.at, *self.entry, self.origin)


def rounded(value: Fraction, scale: int) -> Fraction:
    """To so many digits; halves go up."""
    unit = 10**scale
    return Fraction(floor(value * unit + Fraction(1, 2)), unit)


def exact(values: dict[str, Any] | None, rules: Ruleset) -> Values:
    """An event's numbers, those with too many digits rounded as the metric says."""
    return {
        name: rounded(Fraction(value), rules.metrics[name].scale)
        for name, value in (values or {}).items()
        if name in rules.metrics
    }


def meets(where: Where, mark: Mark, metrics: dict[str, MetricType]) -> bool:
    """Whether a mark meets all conditions."""
    for name, condition in where.items():
        value = looked_up(mark, name)
        if isinstance(condition, Range):
            if not in_range(condition, value):
                return False
        else:
            wanted = condition if isinstance(condition, list) else [condition]
            if value is None or not any(same(value, one, name in metrics) for one in wanted):
                return False
    return True


def looked_up(mark: Mark, name: str) -> Any:
    """The round, a metric, or an attribute."""
    if name == "round":
        return mark.round
    return mark.values.get(name, mark.attributes.get(name))


def same(value: Any, wanted: Any, is_metric: bool) -> bool:
    """Equal, where true is not 1; numbers of a ruleset with digits behind the point are text."""
    if is_metric and isinstance(wanted, str) and _DECIMAL.fullmatch(wanted):
        wanted = Fraction(wanted)
    return isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)


def in_range(condition: Range, value: Any) -> bool:
    """Whether a value lies within a range; nothing lies only in `exists = false`."""
    if value is None:
        return condition.exists is False
    if condition.exists is False:
        return False
    bounds = (condition.min, condition.max, condition.above, condition.below)
    if all(bound is None for bound in bounds):
        return True
    if isinstance(value, bool) or not isinstance(value, int | Fraction):
        return False
    low, high, above, below = (None if bound is None else Fraction(bound) for bound in bounds)
    return (
        (low is None or value >= low)
        and (high is None or value <= high)
        and (above is None or value > above)
        and (below is None or value < below)
    )
