"""Makes up a season: fixtures, picks, results. The same seed makes the same season; nothing here looks at a clock."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from schemas.events import Event, Fixture, Pick, Result

GAME = "touchdown-picks"
WEEKS = 8
KICK_OFF = datetime(2025, 9, 7, 17, tzinfo=UTC)
TEAMS = ("bisons", "comets", "drakes", "foxes", "geysers", "hawks", "jets", "lynxes")
PLAYERS = tuple(
    "ada ben cleo dan eva fred gus hana ivo jo kai lena mo nora otto pia quinn rosa sven tess uma vito wim yara".split()
)


class Season:
    """Eight weeks of four games; some picks come too late, some are changed, one game is abandoned, one result corrected."""

    def __init__(self, seed: int = 7) -> None:
        self._chance = random.Random(seed)
        self._ids = 0

    def events(self) -> Iterator[Event]:
        """Everything that happens, in the order in which it is recorded."""
        for week in range(1, WEEKS + 1):
            yield from self._week(week)

    def _week(self, week: int) -> Iterator[Event]:
        start = KICK_OFF + timedelta(weeks=week - 1)
        teams = list(TEAMS)
        self._chance.shuffle(teams)
        games = [
            (f"week{week}-{home}-{away}", [home, away]) for home, away in zip(teams[::2], teams[1::2], strict=True)
        ]
        announced = start - timedelta(days=4)
        for number, (fixture, sides) in enumerate(games):
            yield Fixture(
                **self._head(announced),
                fixture=fixture,
                round=week,
                starts_at=start + timedelta(hours=3 * (number % 2)),
                sides=sides,
            )
        timed: list[tuple[datetime, Event]] = []
        for number, (fixture, sides) in enumerate(games):
            kick_off = start + timedelta(hours=3 * (number % 2))
            timed += self._picks(fixture, sides, kick_off, last=week == WEEKS and number == len(games) - 1)
            timed += self._results(fixture, sides, kick_off, week, number)
        for _, event in sorted(timed, key=lambda item: item[0]):
            yield event

    def _picks(
        self, fixture: str, sides: list[str], kick_off: datetime, *, last: bool
    ) -> Iterator[tuple[datetime, Event]]:
        for player in PLAYERS:
            for _ in range(self._chance.choices((0, 1, 2), (1, 8, 1))[0]):
                # One pick in twelve comes after the kick-off.
                late = self._chance.random() < 1 / 12
                moment = kick_off + timedelta(
                    seconds=self._chance.randint(0, 900) if late else -self._chance.randint(1, 90_000)
                )
                choice = self._scorer(sides)
                yield (
                    moment,
                    Pick(**self._head(moment), player=player, fixture=fixture, market="touchdown", choice=choice),
                )
            if last and self._chance.random() < 0.9:
                moment = kick_off - timedelta(hours=1)
                guess = str(self._chance.randint(20, 60))
                yield moment, Pick(**self._head(moment), player=player, fixture=fixture, market="total", choice=guess)

    def _results(
        self, fixture: str, sides: list[str], kick_off: datetime, week: int, number: int
    ) -> Iterator[tuple[datetime, Event]]:
        moment = kick_off + timedelta(hours=3)
        if (week, number) == (3, 1):
            yield moment, Result(**self._head(moment), fixture=fixture, status="abandoned")
            return
        yield moment, self._result(fixture, sides, moment, 1)
        if (week, number) == (5, 2):
            # The league corrects who scored, two days later.
            moment += timedelta(days=2)
            yield moment, self._result(fixture, sides, moment, 2)

    def _result(self, fixture: str, sides: list[str], moment: datetime, revision: int) -> Result:
        scorers = [self._scorer(sides) for _ in range(self._chance.randint(1, 7))]
        outcomes = {
            "first-touchdown": scorers[:1],
            "touchdown": sorted(set(scorers)),
            "total": [str(7 * len(scorers) + 3 * self._chance.randint(0, 3))],
        }
        return Result(**self._head(moment), fixture=fixture, revision=revision, outcomes=outcomes)

    def _scorer(self, sides: list[str]) -> str:
        (number,) = self._chance.choices(range(1, 7), (6, 5, 4, 3, 2, 1))
        return f"{self._chance.choice(sides)}-{number}"

    def _head(self, moment: datetime) -> dict[str, object]:
        self._ids += 1
        return {"id": f"touchdown-{self._ids}", "game": GAME, "occurred_at": moment}
