"""Metrics over groups of marks, as programming contests need them: how many groups, and what the first success in each cost.

Both look at the marks in contest order, so only a board that keeps them all can have such a metric.
"""

from collections.abc import Callable
from fractions import Fraction

from engine.marks import Mark, compile_where, look_up
from engine.numbers import round_half_up
from schemas.language import Metric, Ruleset

Grouped = Callable[[list[Mark]], int | None]
"""Marks in contest order to the scaled number."""


def compile_grouped(metric: Metric, rules: Ruleset) -> Grouped | None:
    """The operation of a `distinct` or `attempts` metric; None for the other operations."""
    if metric.op == "distinct":
        return _distinct(metric, rules)
    return _attempts(metric, rules) if metric.op == "attempts" else None


def _distinct(metric: Metric, rules: Ruleset) -> Grouped:
    where = compile_where(metric.where, rules.metrics)
    group = metric.group or ""

    def count(marks: list[Mark]) -> int:
        found = {_key(mark, group) for mark in marks if not mark.adjusts and where(mark)}
        return len(found - {None})

    return count


def _attempts(metric: Metric, rules: Ruleset) -> Grouped:
    where, tries = compile_where(metric.where, rules.metrics), compile_where(metric.tries, rules.metrics)
    group, of = metric.group or "", metric.of or ""
    each = Fraction(metric.each) * 10 ** (rules.metrics[of].scale if of in rules.metrics else 0)
    greatest = metric.across == "max"

    def cost(marks: list[Mark]) -> int | None:
        failed: dict[object, int] = {}
        done: dict[object, Fraction] = {}
        added: list[int] = []
        for mark in marks:
            key = _key(mark, group)
            if mark.adjusts:
                added += [mark.values[of]] if of in mark.values else []
            elif key is None or key in done:
                continue
            elif where(mark):
                done[key] = mark.values.get(of, 0) + failed.get(key, 0) * each
            elif tries(mark):
                failed[key] = failed.get(key, 0) + 1
        if greatest and not done:
            return sum(added) if added else None
        total = max(done.values()) if greatest else sum(done.values(), Fraction(0))
        return round_half_up(total) + sum(added)

    return cost


def _key(mark: Mark, group: str) -> object:
    """The value that groups a mark, None without one; true and 1 are different groups."""
    value = look_up(mark, group)
    return None if value is None else (type(value) is bool, value)
