"""Makes up a season: fixtures, predictions, results, visits. The same seed makes the same season; no clock is looked at."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.events import Adjustment, Event, Fixture, Pick, Player, Result, Score, Tick

GAME = "football-league"
CLUBS = ("Albion", "Beacon", "Castle", "Dockers", "Elms", "Falcons", "Grange", "Harbour")
FANS = tuple("ada ben cleo dan eva fred gus hana ivo jo kai lena".split())
ROUNDS = 2 * (len(CLUBS) - 1)
ANNOUNCED = datetime(2025, 8, 1, 9, tzinfo=UTC)
KICK_OFF = datetime(2025, 9, 6, 14, tzinfo=UTC)
VISITS_FROM = datetime(2025, 10, 12, tzinfo=UTC)
VISIT_DAYS = 62
"""Until the season is over; the clocks go back meanwhile."""

Timed = tuple[datetime, Event]
Match = tuple[str, list[str], datetime]
"""(fixture, sides, kick-off)."""


class Season:
    """Fourteen rounds of four matches, two against each club.

    One match is put off, one abandoned and played again, one result corrected; a club loses points, a fan is shut out.
    """

    def __init__(self, seed: int = 17) -> None:
        self._chance = random.Random(seed)
        self._ids = 0

    def events(self) -> Iterator[Event]:
        """Everything that happens, in the order in which it is recorded."""
        timed: list[Timed] = []
        for number, pairs in enumerate(self._pairs(), 1):
            timed += self._round(number, pairs)
        timed += self._visits()
        timed += self._decisions()
        over = KICK_OFF + timedelta(weeks=ROUNDS)
        timed.append((over, Tick(**self._head(over), at=over)))
        for _, event in sorted(timed, key=lambda item: item[0]):
            yield event

    def _pairs(self) -> Iterator[list[list[str]]]:
        """Who plays whom in each round: everybody against everybody, then the same with the venues turned around."""
        clubs = list(CLUBS)
        self._chance.shuffle(clubs)
        first = []
        for turn in range(len(clubs) - 1):
            around = [clubs[0], *clubs[1 + turn :], *clubs[1 : 1 + turn]]
            half = len(around) // 2
            pairs = zip(around[:half], reversed(around[half:]), strict=True)
            first.append([[one, other] if turn % 2 else [other, one] for one, other in pairs])
        yield from first
        yield from ([[away, home] for home, away in pairs] for pairs in first)

    def _round(self, number: int, pairs: list[list[str]]) -> Iterator[Timed]:
        start = KICK_OFF + timedelta(weeks=number - 1)
        for at, sides in enumerate(pairs):
            fixture, kick_off = f"{number}-{sides[0]}-{sides[1]}", start + timedelta(hours=2 * (at % 2))
            yield ANNOUNCED, self._fixture(ANNOUNCED, fixture, number, kick_off, sides)
            if (number, at) == (4, 2):
                told, kick_off = kick_off - timedelta(days=1), kick_off + timedelta(days=11)
                yield told, self._fixture(told, fixture, number, kick_off, sides)
            yield from self._predictions((fixture, sides, kick_off))
            yield from self._results((fixture, sides, kick_off), (number, at))

    def _predictions(self, match: Match) -> Iterator[Timed]:
        fixture, _, kick_off = match
        for fan in FANS:
            for _ in range(self._chance.choices((0, 1, 2), (1, 8, 1))[0]):
                # One prediction in fifteen comes after the kick-off, and does not count.
                late = self._chance.random() < 1 / 15
                moment = kick_off + timedelta(seconds=self._chance.randint(1, 900) * (1 if late else -90))
                choice = "-".join(map(str, self._score()))
                yield moment, Pick(**self._head(moment), player=fan, fixture=fixture, choice=choice)

    def _results(self, match: Match, which: tuple[int, int]) -> Iterator[Timed]:
        fixture, _, kick_off = match
        moment = kick_off + timedelta(hours=2)
        if which == (6, 1):
            yield moment, Result(**self._head(moment), fixture=fixture, status="abandoned")
            moment += timedelta(days=4)
            yield moment, Result(**self._head(moment), fixture=fixture, revision=2, score=self._score())
            return
        yield moment, Result(**self._head(moment), fixture=fixture, score=self._score())
        if which == (9, 0):
            # The league corrects the score the day after.
            moment += timedelta(days=1)
            yield moment, Result(**self._head(moment), fixture=fixture, revision=2, score=self._score())

    def _visits(self) -> Iterator[Timed]:
        for fan in FANS:
            faith = self._chance.choice((0.5, 0.8, 0.95, 0.99))
            for day in range(VISIT_DAYS):
                while self._chance.random() < faith:
                    moment = VISITS_FROM + timedelta(days=day, minutes=self._chance.randrange(24 * 60))
                    yield moment, Score(**self._head(moment), player=fan, values={"visits": 1})
                    if self._chance.random() < 0.9:
                        break

    def _decisions(self) -> Iterator[Timed]:
        moment = KICK_OFF + timedelta(weeks=9, days=2)
        club, fan = self._chance.choice(CLUBS), self._chance.choice(FANS)
        reason = "fielded a player who was not registered"
        yield moment, Adjustment(**self._head(moment), player=club, values={"points": -3}, reason=reason)
        moment += timedelta(weeks=2)
        yield moment, Player(**self._head(moment), player=fan, status="banned", reason="played under several names")

    def _fixture(self, moment: datetime, fixture: str, number: int, kick_off: datetime, sides: list[str]) -> Fixture:
        return Fixture(**self._head(moment), fixture=fixture, round=number, starts_at=kick_off, sides=sides)

    def _score(self) -> list[int]:
        return [self._chance.choices(range(4), (6, 7, 4, 1))[0] for _ in range(2)]

    def _head(self, moment: datetime) -> dict[str, Any]:
        self._ids += 1
        return {"id": f"league-{self._ids}", "game": GAME, "occurred_at": moment}
