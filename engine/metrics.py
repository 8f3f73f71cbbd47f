"""The metrics of a board: operations over a player's marks."""

from fractions import Fraction

from engine.attempts import compile_grouped
from engine.caps import compile_caps
from engine.form import compile_form, letters
from engine.marks import Mark, Predicate, compile_where
from engine.numbers import INFINITE, round_half_up, unscaled
from engine.streaks import Streak, compile_streak
from schemas.language import Metric, Ruleset

AVERAGE_SCALE = 6
DERIVED = frozenset(("difference", "ratio"))
"""Operations on metrics of the same board (engine/derived.py)."""


class MetricPlan:
    """A board's metric: an operation over the marks that count.

    `derived` metrics are none of marks: they wait for the others. Their `scale` and `big` are set by engine/derived.py.
    """

    __slots__ = (
        "_digits",
        "big",
        "caps",
        "derived",
        "grouped",
        "name",
        "of",
        "op",
        "over_all",
        "scale",
        "streak",
        "where",
    )

    def __init__(self, name: str, metric: Metric, rules: Ruleset) -> None:
        declared = rules.metrics.get(metric.of or "")
        self.name = name
        self.op = metric.op
        self.of = metric.of or ""
        self.where: Predicate | None = compile_where(metric.where, rules.metrics) if metric.where else None
        self.over_all = metric.over == "all"
        self.derived = metric.op in DERIVED
        self.caps = compile_caps(metric, rules)
        self.grouped = compile_grouped(metric, rules) if self.caps is None else self.caps.of_marks
        if metric.op == "form":
            self.grouped = compile_form(metric.n, self.where)
        self.streak: Streak | None = compile_streak(metric, rules)
        self.scale = self._digits = declared.scale if declared is not None and not self.derived else 0
        if metric.op == "average":
            self.scale = AVERAGE_SCALE if metric.scale is None else metric.scale
        self.big = declared is not None and declared.big

    def of_marks(self, marks: list[Mark]) -> int | None:
        """The metric of marks in contest order; adjustments add to whatever the operation gives, or averages."""
        if self.derived:
            return None
        if self.streak is not None:
            return self.streak.value(marks)
        if self.grouped is not None:
            return self.grouped(marks)
        if self.op == "count":
            return sum(1 for mark in marks if not mark.adjusts and (self.where is None or self.where(mark)))
        values, added, adjusted = [], 0, False
        for mark in marks:
            value = mark.values.get(self.of)
            if value is None or (self.where is not None and not mark.adjusts and not self.where(mark)):
                continue
            if mark.adjusts:
                added += value
                adjusted = True
            else:
                values.append(value)
        if self.op == "sum":
            return sum(values) + added
        if self.op == "average":
            return self.mean(sum(values) + added, len(values))
        if not values:
            return added if adjusted else None
        if self.op in ("max", "min"):
            return (max(values) if self.op == "max" else min(values)) + added
        return values[-1 if self.op == "last" else 0] + added

    def has_value(self, mark: Mark) -> bool:
        """Whether a mark is one of those that an average is of."""
        return self.of in mark.values and (self.where is None or self.where(mark))

    def mean(self, total: int, count: int) -> int | None:
        """The average of `count` scaled values that come to `total`, at the metric's scale; None of nothing."""
        return round_half_up(Fraction(total * 10**self.scale, count * 10**self._digits)) if count else None

    def shown(self, value: int | None) -> int | str | None:
        """As JSON shows it: whole numbers as numbers, metrics declared decimal or big as text, a form as letters."""
        if self.op == "form":
            return None if value is None else letters(value)
        if value is None or value == INFINITE:
            return None
        return value if self.scale == 0 and not self.big else unscaled(value, self.scale)
