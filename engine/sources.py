"""Sources: what makes marks of events. Those here look at one event alone; those of contests have modules of their own."""

from collections.abc import Iterable
from fractions import Fraction
from typing import Protocol

import msgspec

from engine.contests import Contest
from engine.marks import Mark, compile_where
from engine.numbers import round_half_up
from schemas.events import Adjustment, Score
from schemas.language import AdjustmentSource, MetricType, ScoreSource

Entry = tuple[str, Mark]
"""(entrant, mark)."""


class ContestSource(Protocol):
    """A source whose marks follow from a contest as a whole: its fixture, its result, its picks."""

    def marks(self, contest: Contest) -> Iterable[Entry]:
        """All marks of the contest as it stands; the same contest always gives the same."""
        ...


class ValueSource:
    """Scores or adjustments: the values of the event, and points computed from them."""

    def __init__(self, source: ScoreSource | AdjustmentSource, metrics: dict[str, MetricType]) -> None:
        self.adjusts = isinstance(source, AdjustmentSource)
        self._entrant = source.entrant
        self._where = compile_where(source.where, metrics)
        self._metric = source.metric
        self._metrics = metrics
        per = source.per if isinstance(source, ScoreSource) else {}
        bonuses = source.bonuses if isinstance(source, ScoreSource) else []
        self._per = [(name, Fraction(weight)) for name, weight in per.items()]
        self._bonuses = [(Fraction(bonus.points), compile_where(bonus.where, metrics)) for bonus in bonuses]
        self._computes = bool(per or bonuses)
        self.plain = not source.where and source.entrant is None and not self._computes and not self.adjusts

    def marks(
        self, event: Score | Adjustment, values: dict[str, int], occurred_ms: int, ms: int, seq: int
    ) -> Iterable[Entry]:
        """The mark of an event whose values have been scaled."""
        attributes = event.attributes if isinstance(event, Score) else None
        mark = Mark(occurred_ms, ms, seq, values, event.round, attributes, event.id, self.adjusts)
        entrant = event.player if self._entrant is None else (attributes or {}).get(self._entrant)
        if entrant is None or not self._where(mark):
            return ()
        if self._computes:
            mark = msgspec.structs.replace(mark, values=self._worth(mark))
        return ((str(entrant), mark),)

    def _worth(self, mark: Mark) -> dict[str, int]:
        """The event's own values, plus its points in the source's metric."""
        points = sum((bonus for bonus, where in self._bonuses if where(mark)), Fraction(0))
        for name, weight in self._per:
            points += weight * Fraction(mark.values.get(name, 0), 10 ** self._metrics[name].scale)
        total = round_half_up(points * 10 ** self._metrics[self._metric].scale)
        return {**mark.values, self._metric: mark.values.get(self._metric, 0) + total}
