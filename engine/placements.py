"""Placements: marks from finishing positions, with bonuses, factors and shared seats."""

from collections.abc import Iterable
from fractions import Fraction

import msgspec

from engine.contests import Contest
from engine.marks import Mark, compile_where, scale_values
from engine.numbers import round_half_up
from engine.sources import Entry
from schemas.events import Placement
from schemas.language import MetricType, PlacementsSource


class PlacementMarks:
    """A compiled source of placements."""

    def __init__(self, source: PlacementsSource, metrics: dict[str, MetricType]) -> None:
        self._source = source
        self._metrics = metrics
        self._where = compile_where(source.where, metrics)
        self._points = [Fraction(number) for number in source.points]
        self._factors = [(Fraction(f.times), compile_where(f.where, metrics)) for f in source.factors]
        self._bonuses = [(Fraction(b.points), compile_where(b.where, metrics), b.split) for b in source.bonuses]
        self._per = [(name, Fraction(weight)) for name, weight in source.per.items()]

    def marks(self, contest: Contest) -> Iterable[Entry]:
        """The marks of a final result's placements, one a line."""
        result = contest.result
        if result is None or result.status != "final":
            return ()
        lines = [(line, self._facts(contest, line)) for line in result.placements or ()]
        chosen = [(line, facts) for line, facts in lines if self._where(facts)]
        seats: dict[str, int] = {}
        for line, _ in chosen:
            if line.seat is not None:
                seats[line.seat] = seats.get(line.seat, 0) + 1
        eligible = [sum(1 for _, facts in chosen if where(facts)) for _, where, _ in self._bonuses]
        return [
            (entrant, msgspec.structs.replace(facts, values=self._worth(line, facts, seats, eligible)))
            for line, facts in chosen
            if (entrant := self._entrant(line, facts)) is not None
        ]

    def _facts(self, contest: Contest, line: Placement) -> Mark:
        attributes = {**contest.facts, **(line.attributes or {})}
        if line.position is not None:
            attributes["position"] = line.position
        if line.status is not None:
            attributes["status"] = line.status
        values = scale_values(line.values or {}, self._metrics)
        if line.position is not None:
            values["position"] = line.position
        return Mark(contest.occurred_ms, 0, 0, values, contest.held_in, attributes, contest.fixture)

    def _entrant(self, line: Placement, facts: Mark) -> str | None:
        if self._source.entrant is None:
            return line.player
        value = (facts.attributes or {}).get(self._source.entrant)
        return None if value is None else str(value)

    def _worth(self, line: Placement, facts: Mark, seats: dict[str, int], eligible: list[int]) -> dict[str, int]:
        """The line's own values, plus its points in the source's metric."""
        source = self._source
        if source.award is not None and source.award in facts.values:
            awarded = Fraction(facts.values[source.award], 10 ** self._metrics[source.award].scale)
            return {**facts.values, source.metric: round_half_up(awarded * 10 ** self._metrics[source.metric].scale)}
        if not (self._points or self._bonuses or self._per):
            return facts.values
        points = Fraction(0)
        if line.position is not None and line.position <= len(self._points):
            points = self._points[line.position - 1]
        for times, where in self._factors:
            if where(facts):
                points *= times
        sharers = seats.get(line.seat, 1) if line.seat is not None else 1
        if sharers > 1 and source.shared != "each":
            points = points / sharers if source.shared == "split" else Fraction(0)
        for (bonus, where, split), among in zip(self._bonuses, eligible, strict=True):
            if where(facts):
                points += bonus / among if split else bonus
        for name, weight in self._per:
            points += weight * Fraction(facts.values.get(name, 0), 10 ** self._metrics[name].scale)
        metric = source.metric
        total = round_half_up(points * 10 ** self._metrics[metric].scale)
        return {**facts.values, metric: facts.values.get(metric, 0) + total}
