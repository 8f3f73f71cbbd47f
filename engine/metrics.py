"""The metrics of a board: operations over a player's marks."""

from engine.attempts import compile_grouped
from engine.caps import compile_caps
from engine.marks import Mark, Predicate, compile_where
from engine.numbers import unscaled
from schemas.language import Metric, Ruleset


class MetricPlan:
    """A board's metric: an operation over the marks that count."""

    __slots__ = ("big", "caps", "grouped", "name", "of", "op", "over_all", "scale", "where")

    def __init__(self, name: str, metric: Metric, rules: Ruleset) -> None:
        declared = rules.metrics.get(metric.of or "")
        self.name = name
        self.op = metric.op
        self.of = metric.of or ""
        self.where: Predicate | None = compile_where(metric.where, rules.metrics) if metric.where else None
        self.over_all = metric.over == "all"
        self.caps = compile_caps(metric, rules)
        self.grouped = compile_grouped(metric, rules) if self.caps is None else self.caps.of_marks
        self.scale = declared.scale if declared is not None else 0
        self.big = declared is not None and declared.big

    def of_marks(self, marks: list[Mark]) -> int | None:
        """The metric of marks in contest order; adjustments add to whatever the operation gives."""
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
        if not values:
            return added if adjusted else None
        if self.op in ("max", "min"):
            return (max(values) if self.op == "max" else min(values)) + added
        return values[-1 if self.op == "last" else 0] + added

    def shown(self, value: int | None) -> int | str | None:
        """As JSON shows it: whole numbers as numbers, metrics declared decimal or big as text."""
        if value is None or (self.scale == 0 and not self.big):
            return value
        return unscaled(value, self.scale)
