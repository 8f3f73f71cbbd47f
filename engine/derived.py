"""Metrics made of other metrics of the same board: differences and ratios, computed when those are there."""

from collections.abc import Sequence
from fractions import Fraction

from engine.metrics import MetricPlan
from engine.numbers import INFINITE, round_half_up
from schemas.language import Board

RATIO_SCALE = 6


class Derived:
    """The derived metrics of a board. Finishes their plans: scale, and how they are shown, follow from their parts."""

    def __init__(self, board: Board, metrics: Sequence[MetricPlan]) -> None:
        index = {metric.name: at for at, metric in enumerate(metrics)}
        self._made: list[tuple[int, int, int]] = []
        self._metrics = metrics
        for at, plan in enumerate(metrics):
            metric = board.metrics[plan.name]
            if plan.derived and metric.of is not None and metric.by is not None:
                of, by = metrics[index[metric.of]], metrics[index[metric.by]]
                plan.scale = max(of.scale, by.scale)
                if plan.op == "ratio":
                    plan.scale = RATIO_SCALE if metric.scale is None else metric.scale
                plan.big = of.big or by.big
                self._made.append((at, index[metric.of], index[metric.by]))

    def complete(self, values: list[int | None]) -> list[int | None]:
        """Fills in the derived metrics of a board's scaled values, in place."""
        for at, of, by in self._made:
            one, other = values[of], values[by]
            if one is None or other is None:
                values[at] = None
                continue
            exact = Fraction(one, 10 ** self._metrics[of].scale)
            divisor = Fraction(other, 10 ** self._metrics[by].scale)
            scale = self._metrics[at].scale
            if self._metrics[at].op == "difference":
                values[at] = int((exact - divisor) * 10**scale)
            else:
                values[at] = quotient(exact, divisor, scale)
        return values


def quotient(number: Fraction, divisor: Fraction, scale: int) -> int | None:
    """The ratio at `scale` digits, rounded half up. By zero: INFINITE for a positive number, else None."""
    if divisor:
        return round_half_up(number / divisor * 10**scale)
    return INFINITE if number > 0 else None
