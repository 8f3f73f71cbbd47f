"""Tables: marks of both sides of a match, from its score."""

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import msgspec

from engine.contests import Contest
from engine.marks import Mark, compile_where
from engine.numbers import round_half_up
from engine.sources import Entry
from schemas.language import MetricType, TableSource

VERDICTS = {1: "win", 0: "draw", -1: "loss"}


def _decided(contest: Contest, best_of: int | str | None, home: int, away: int) -> bool:
    """Whether a series is over; what is no series always is."""
    games = contest.facts.get(best_of) if isinstance(best_of, str) else best_of
    if type(games) is not int:
        return True
    return 2 * max(home, away) > games or home + away >= games


class TableMarks:
    """A compiled source of tables."""

    def __init__(self, source: TableSource, metrics: dict[str, MetricType]) -> None:
        self._source = source
        self._metrics = metrics
        self._where = compile_where(source.where, metrics)
        self._points = {name: Fraction(getattr(source, name)) for name in VERDICTS.values()}
        self._factors = [(Fraction(f.times), compile_where(f.where, metrics)) for f in source.factors]
        self._bonuses = [(Fraction(b.points), compile_where(b.where, metrics), b.split) for b in source.bonuses]

    def marks(self, contest: Contest) -> Iterable[Entry]:
        """The marks of a final result, one a side. A fixture that is no match of two sides gives none."""
        result, sides = contest.result, contest.sides
        if result is None or result.status != "final" or result.score is None or sides is None or len(sides) != 2:
            return ()
        home, away = result.score
        if not _decided(contest, self._source.best_of, home, away):
            return ()
        facts = [
            self._facts(contest, sides[1], home, away, "home"),
            self._facts(contest, sides[0], away, home, "away"),
        ]
        chosen = [(side, mark) for side, mark in zip(sides, facts, strict=True) if self._where(mark)]
        eligible = [sum(1 for _, mark in chosen if where(mark)) for _, where, _ in self._bonuses]
        return [
            (entrant, msgspec.structs.replace(mark, values=self._worth(mark, eligible)))
            for side, mark in chosen
            if (entrant := self._entrant(side, mark)) is not None
        ]

    def _facts(self, contest: Contest, opponent: str, scored: int, conceded: int, venue: str) -> Mark:
        attributes: dict[str, Any] = contest.facts
        attributes["venue"] = "neutral" if attributes.get("neutral") is True else venue
        attributes["verdict"] = VERDICTS[(scored > conceded) - (scored < conceded)]
        attributes["opponent"] = opponent
        counted = {self._source.scored: scored, self._source.conceded: conceded}
        values = {
            name: number * 10 ** self._metrics[name].scale for name, number in counted.items() if name is not None
        }
        return Mark(contest.occurred_ms, 0, 0, values, contest.held_in, attributes, contest.fixture)

    def _entrant(self, side: str, mark: Mark) -> str | None:
        if self._source.entrant is None:
            return side
        value = (mark.attributes or {}).get(self._source.entrant)
        return None if value is None else str(value)

    def _worth(self, mark: Mark, eligible: list[int]) -> dict[str, int]:
        """What was scored and conceded, plus the points in the source's metric."""
        points = self._points[(mark.attributes or {})["verdict"]]
        for times, where in self._factors:
            if where(mark):
                points *= times
        for (bonus, where, split), among in zip(self._bonuses, eligible, strict=True):
            if where(mark):
                points += bonus / among if split else bonus
        metric = self._source.metric
        total = round_half_up(points * 10 ** self._metrics[metric].scale)
        return {**mark.values, metric: mark.values.get(metric, 0) + total}
