"""Makes up players and their runs. The same seed makes the same runs; nothing here looks at a clock."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate

from schemas.events import Score

GAME = "arcade"
FIRST = (
    "amber brave calm dusty eager fuzzy gentle hasty icy jolly keen lucky mellow nimble odd proud quiet rapid".split()
)
SECOND = (
    "badger crane dingo falcon gecko heron ibis jackal koala lynx marten newt otter panda quail raven stoat".split()
)
LEVEL_POINTS = 900


class Arcade:
    """Players of unlike skill and diligence: a few play most of the runs, as in any real game."""

    def __init__(self, seed: int, players: int) -> None:
        self._chance = random.Random(seed)
        self._seed = seed
        self._runs = 0
        self._players = [self._name(number) for number in range(players)]
        self._skill = [self._chance.lognormvariate(7.0, 0.5) for _ in self._players]
        self._diligence = list(accumulate(1 / (5 + number) for number in range(players)))

    def runs(self) -> Iterator[Score]:
        """Runs without end that do not say when they happened: they happen when they reach the log."""
        while True:
            yield self._run(None)

    def past(self, count: int, start: datetime, end: datetime) -> Iterator[Score]:
        """`count` runs spread evenly over [start, end)."""
        step = (end - start) / max(count, 1)
        for number in range(count):
            moment = start + step * number
            yield self._run(moment - timedelta(microseconds=moment.microsecond % 1000))

    def _run(self, moment: datetime | None) -> Score:
        self._runs += 1
        (at,) = self._chance.choices(range(len(self._players)), cum_weights=self._diligence)
        points = min(1_000_000, int(self._skill[at] * self._chance.lognormvariate(0, 0.6)) // 10 * 10)
        return Score(
            id=f"run-{self._seed}-{self._runs}",
            game=GAME,
            occurred_at=None if moment is None else moment.astimezone(UTC),
            player=self._players[at],
            values={"points": points, "level": min(99, 1 + points // LEVEL_POINTS)},
        )

    def _name(self, number: int) -> str:
        name = f"{self._chance.choice(FIRST)}-{self._chance.choice(SECOND)}"
        return f"{name}-{number}" if number else name
