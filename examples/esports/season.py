"""Makes up a season: cups of lobbies and series, and what officials decided. The same seed makes the same events."""

import random
from collections.abc import Generator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.events import Adjustment, AnyEvent, Fixture, Placement, Player, Result

GAME = "esports"
TEAMS = "apex bolt cobra drift ember frost ghost hydra ion jade karma lynx".split()
CUPS, LOBBIES = 4, 6
START = datetime(2026, 2, 7, 17, tzinfo=UTC)
PLACE_POINTS = (12, 9, 7, 5, 4, 3, 2, 1)

CHEATED_CUP, CHEATED_LOBBIES = 2, 4
"""The cup from which a team is disqualified, and after how many lobbies that becomes known."""

Lines = list[tuple[str, int]]
"""(team, kills), the winner first."""


class Season:
    """Teams of unlike strength; a season is `events()`."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._strength = {team: self._chance.uniform(0.5, 2.0) for team in TEAMS}
        self._cheat, self._late, self._barred = self._chance.sample(TEAMS, 3)
        self._now = START

    def events(self) -> Iterator[AnyEvent]:
        """The whole season, in the order of the log."""
        for team in TEAMS:
            yield Player(id=f"team-{team}", game=GAME, occurred_at=START, player=team, name=f"Team {team.title()}")
        for cup in range(1, CUPS + 1):
            self._now = START + timedelta(weeks=2 * (cup - 1))
            yield from self._cup(cup)
        yield Player(
            id=f"ban-{self._barred}",
            game=GAME,
            occurred_at=self._later(60),
            player=self._barred,
            status="banned",
            reason="two teams under one management",
        )

    def _cup(self, cup: int) -> Iterator[AnyEvent]:
        teams = list(TEAMS)
        lobbies: list[Lines] = []
        for number in range(1, LOBBIES + 1):
            lobbies.append(self._lines(teams))
            yield from self._lobby(cup, number, lobbies[-1])
            if (cup, number) == (CHEATED_CUP, CHEATED_LOBBIES):
                teams.remove(self._cheat)
                for earlier, lines in enumerate(lobbies, 1):
                    yield self._restated(cup, earlier, lines)
        if cup == 1:
            yield Adjustment(
                id=f"late-{cup}",
                game=GAME,
                occurred_at=self._later(5),
                player=self._late,
                values={"points": -4},
                round=cup,
                board="cup",
                reason="not ready at the start of lobby 3",
                author="referee-1",
            )
        if cup == CUPS - 1:
            yield self._recounted(cup, lobbies[1])
        yield from self._playoffs(cup, teams, lobbies)

    def _lines(self, teams: list[str]) -> Lines:
        ordered = sorted(teams, key=lambda team: -self._strength[team] * self._chance.expovariate(1))
        return [
            (team, int(self._chance.expovariate(1 / (2 + 4 * self._strength[team] / place))))
            for place, team in enumerate(ordered, 1)
        ]

    def _lobby(self, cup: int, number: int, lines: Lines) -> Iterator[AnyEvent]:
        name = f"cup-{cup}.lobby-{number}"
        start = self._later(40)
        yield Fixture(
            id=name,
            game=GAME,
            occurred_at=start,
            fixture=name,
            round=cup,
            starts_at=start,
            attributes={"kind": "lobby"},
        )
        yield self._result(name, 1, placements=_placements(lines))

    def _restated(self, cup: int, number: int, lines: Lines) -> Result:
        """The lobby without the disqualified team: those behind it move up."""
        left = [(team, kills) for team, kills in lines if team != self._cheat]
        out = Placement(player=self._cheat, status="DSQ", values={"kills": dict(lines)[self._cheat]})
        return self._result(
            f"cup-{cup}.lobby-{number}",
            2,
            placements=[*_placements(left), out],
            reason="played with a forbidden macro",
            author="referee-2",
        )

    def _recounted(self, cup: int, lines: Lines) -> Result:
        first, *others = lines
        return self._result(
            f"cup-{cup}.lobby-2",
            2,
            placements=_placements([(first[0], first[1] + 3), *others]),
            reason="three kills were credited to nobody",
            author="referee-1",
        )

    def _playoffs(self, cup: int, teams: list[str], lobbies: list[Lines]) -> Iterator[AnyEvent]:
        worth = {team: sum(_worth(lines, team) for lines in lobbies) for team in teams}
        seeds = sorted(teams, key=lambda team: (-worth[team], team))
        finalists, others = [], []
        for number, sides in enumerate(((seeds[0], seeds[3]), (seeds[1], seeds[2])), 1):
            score = yield from self._series(cup, f"semi-{number}", sides, 3)
            finalists.append(sides[score[0] < score[1]])
            others.append(sides[score[0] > score[1]])
        score = yield from self._series(cup, "final", (finalists[0], finalists[1]), 5)
        winner = finalists[score[0] < score[1]]
        podium = [winner, *(team for team in finalists if team != winner)]
        lines = [Placement(player=team, position=at) for at, team in enumerate(podium, 1)]
        lines += [Placement(player=team, position=3) for team in others]
        lines += [Placement(player=team, position=at) for at, team in enumerate(seeds[4:], 5)]
        if cup == CHEATED_CUP:
            lines.append(Placement(player=self._cheat, status="DSQ"))
        name = f"cup-{cup}"
        start = self._later(30)
        facts: Any = {"kind": "cup"}
        yield Fixture(id=name, game=GAME, occurred_at=start, fixture=name, round=cup, starts_at=start, attributes=facts)
        yield self._result(name, 1, placements=lines)

    def _series(self, cup: int, stage: str, sides: tuple[str, str], games: int) -> Generator[AnyEvent, None, list[int]]:
        """A series, its score told after every game."""
        name = f"cup-{cup}.{stage}"
        start = self._later(30)
        facts: Any = {"kind": "series", "games": games}
        yield Fixture(
            id=name,
            game=GAME,
            occurred_at=start,
            fixture=name,
            round=cup,
            starts_at=start,
            sides=list(sides),
            attributes=facts,
        )
        score = [0, 0]
        weights = [self._strength[team] for team in sides]
        if (cup, stage) == (CUPS, "semi-2"):
            decided: Any = {"reason": "did not appear", "author": "referee-3"}
            yield self._result(name, 1, score=[games // 2 + 1, 0], **decided)
            return [games // 2 + 1, 0]
        while max(score) <= games // 2:
            score[self._chance.choices((0, 1), weights)[0]] += 1
            yield self._result(name, sum(score), score=list(score))
        return score

    def _result(self, fixture: str, revision: int, **what: Any) -> Result:
        return Result(
            id=f"{fixture}.result-{revision}",
            game=GAME,
            occurred_at=self._later(10),
            fixture=fixture,
            revision=revision,
            **what,
        )

    def _later(self, minutes: int) -> datetime:
        self._now += timedelta(minutes=minutes)
        return self._now


def _placements(lines: Lines) -> list[Placement]:
    return [
        Placement(player=team, position=at, status="played", values={"kills": kills})
        for at, (team, kills) in enumerate(lines, 1)
    ]


def _worth(lines: Lines, team: str) -> int:
    """About what a lobby is worth to a team: enough to say who plays whom."""
    for at, (other, kills) in enumerate(lines):
        if other == team:
            return kills + (PLACE_POINTS[at] if at < len(PLACE_POINTS) else 0)
    return 0
