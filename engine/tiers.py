"""Tiers: classes of ranked players, found when a place is read; nothing of them is stored."""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from engine.marks import Mark, compile_where
from engine.metrics import MetricPlan
from engine.places import Entry, Place
from schemas.language import MetricType, Range, Tier

MetricTest = Callable[[list[int | None]], bool]
"""Whether a player's metrics, scaled and in the board's order, meet a condition."""

Values = Callable[[bytes, bytes], list[int | None]]
"""The metrics out of a sort key and the bytes beside it."""


def compile_conditions(where: Mapping[str, Range], metrics: Sequence[MetricPlan]) -> MetricTest:
    """One test of a board's metrics; bounds are written in each metric's own unit. An absent value meets no bound."""
    names = [metric.name for metric in metrics]
    places = [(name, names.index(name)) for name in where]
    scales = {metric.name: MetricType(scale=metric.scale) for metric in metrics}
    holds = compile_where(dict(where), scales)

    def meets(values: list[int | None]) -> bool:
        return holds(Mark(0, 0, 0, {name: value for name, at in places if (value := values[at]) is not None}))

    return meets


class Tiers:
    """A board's tiers in their order; a place belongs to the first whose condition it meets."""

    def __init__(self, tiers: Sequence[Tier], metrics: Sequence[MetricPlan], values: Values) -> None:
        self._values = values
        self._tests = [(tier.name, tier.top, _fraction(tier), _conditions(tier, metrics)) for tier in tiers]

    def of(self, place: Entry | Place, total: int) -> str | None:
        """The tier of a place in a ranking of `total` players, or None.

        The rank decides as it is shown, so whoever shares a rank shares the tier. The first p per cent of n players are the
        first n * p / 100 of them, rounded up: there always is a first.
        """
        rank = place.rank
        for name, top, share, meets in self._tests:
            if top is not None:
                holds = rank <= top
            elif share is not None:
                # rank <= ceil(total * share) for whole ranks.
                holds = rank - 1 < total * share
            else:
                holds = meets is not None and meets(self._values(place.prefix, place.extra))
            if holds:
                return name
        return None


def _fraction(tier: Tier) -> Fraction | None:
    return None if tier.percent is None else Fraction(tier.percent) / 100


def _conditions(tier: Tier, metrics: Sequence[MetricPlan]) -> MetricTest | None:
    return compile_conditions(tier.where, metrics) if tier.where else None
