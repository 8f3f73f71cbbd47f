"""Capped sums: of the marks of one day, week, month or round at most so much counts.

Summing goes in two steps, so that marks need not be kept: first by day, round and slot (the cap that a mark falls under),
then by the unit of each cap.
"""

from collections.abc import Iterable, Iterator

from engine.days import Days, unit_of
from engine.marks import Mark, compile_where
from engine.numbers import scaled_rounding
from schemas.events import Round
from schemas.language import Metric, Ruleset

Portion = tuple[int, Round | None, int]
"""(local day, round, sum) of marks of one slot."""


class Caps:
    """The caps of one metric. Slots are the caps in their order, and behind them one for what no cap concerns."""

    def __init__(self, metric: Metric, rules: Ruleset) -> None:
        of = metric.of or ""
        scale = rules.metrics[of].scale if of in rules.metrics else 0
        self.slots = len(metric.caps) + 1
        self.by_round = any(cap.per == "round" for cap in metric.caps)
        self._of = of
        self._where = compile_where(metric.where, rules.metrics)
        self._tests = [compile_where(cap.where, rules.metrics) for cap in metric.caps]
        self._limits = [
            (number, scaled_rounding(cap.most, scale), unit_of(cap.per, rules))
            for number, cap in enumerate(metric.caps)
        ]
        self._days = Days(rules)

    def slot_of(self, mark: Mark) -> int:
        """The slot of a mark: adjustments fall under no cap."""
        if not mark.adjusts:
            for slot, test in enumerate(self._tests):
                if test(mark):
                    return slot
        return self.slots - 1

    def total(self, portions: list[list[Portion]]) -> int:
        """The capped sum of the portions of each slot."""
        whole = sum(amount for _, _, amount in portions[-1])
        for slot, most, unit in self._limits:
            sums: dict[object, int] = {}
            for day, round_, amount in portions[slot]:
                key = unit(day, round_)
                sums[key] = sums.get(key, 0) + amount
            whole += sum(min(most, amount) for amount in sums.values())
        return whole

    def gives(self, marks: Iterable[Mark]) -> Iterator[int | None]:
        """What each mark, in contest order, adds to the capped sum; None for those that have nothing to add."""
        sums: dict[object, int] = {}
        for mark in marks:
            value = mark.values.get(self._of)
            if not value or not (mark.adjusts or self._where(mark)):
                yield None
                continue
            slot = self.slot_of(mark)
            if slot == self.slots - 1:
                yield value
                continue
            _, most, unit = self._limits[slot]
            key = (slot, unit(self._days.of(mark.occurred_ms), mark.round))
            before = min(most, sums[key]) if key in sums else 0
            sums[key] = sums.get(key, 0) + value
            yield min(most, sums[key]) - before

    def of_marks(self, marks: Iterable[Mark]) -> int:
        """The capped sum of marks; adjustments need not meet `where`."""
        portions: list[list[Portion]] = [[] for _ in range(self.slots)]
        for mark in marks:
            value = mark.values.get(self._of)
            if value and (mark.adjusts or self._where(mark)):
                portions[self.slot_of(mark)].append((self._days.of(mark.occurred_ms), mark.round, value))
        return self.total(portions)


def compile_caps(metric: Metric, rules: Ruleset) -> Caps | None:
    """The caps of a metric, None when it has none."""
    return Caps(metric, rules) if metric.caps else None
