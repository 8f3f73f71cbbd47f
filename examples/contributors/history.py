"""Makes up the contributions of half a year. The same seed makes the same ones; nothing here looks at a clock."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from schemas.events import Adjustment, Event, Player, Score

GAME = "contributors"
START = datetime(2026, 1, 5, 5, tzinfo=UTC)
DAYS = 182
REPOSITORIES = {"acme/engine": 6, "acme/site": 3, "acme/tools": 2, "lab/notes": 1}
"""Repositories, and how much happens in each."""

METRICS = {
    "commit": "commits",
    "pull_request": "pull_requests",
    "review": "reviews",
    "issue": "issues",
    "comment": "comments",
}
BOT = "renovate[bot]"
SPAMMER = "free-stars-4u"
NAMES = "Ada Ben Cleo Dmitri Eun-ji Farid Grace Hédi Ines Jonas Kofi Lena María Nils Okoye Priya".split()


class Habit(NamedTuple):
    """How somebody works: contributions on a busy day, and how likely each kind of them is."""

    name: str
    busy: int
    kinds: dict[str, int]


class History:
    """Events in the order in which they reach the log: work is often pushed days after it was done."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._count = 0
        self._people = [self._habit(number, name) for number, name in enumerate(NAMES)]

    def events(self) -> Iterator[Event]:
        """All of it. Every event says when it occurred."""
        made = [self._pushed(event) for day in range(DAYS) for event in self._day(START + timedelta(days=day))]
        for _, _, event in sorted(made, key=lambda item: item[:2]):
            yield event
        yield from self._decisions(START + timedelta(days=DAYS))

    def _habit(self, number: int, name: str) -> Habit:
        chance = self._chance
        kinds = {kind: chance.choice([0, 1, 2, 8]) for kind in METRICS} | {"commit": chance.randint(1, 12)}
        return Habit(name, 24 // (number + 2) + chance.randint(0, 3), kinds)

    def _day(self, day: datetime) -> Iterator[Score]:
        chance = self._chance
        for person in self._people:
            if chance.random() < 0.5:
                for _ in range(chance.randint(0, person.busy)):
                    (kind,) = chance.choices(list(person.kinds), list(person.kinds.values()))
                    yield self._contribution(person.name, kind, day)
        for _ in range(chance.randint(0, 4)):
            yield self._contribution(BOT, "commit", day, bot=True)
        if chance.random() < 0.1:
            for _ in range(30):
                yield self._contribution(SPAMMER, "comment", day)

    def _contribution(self, who: str, kind: str, day: datetime, **more: bool) -> Score:
        chance = self._chance
        self._count += 1
        (repository,) = chance.choices(list(REPOSITORIES), list(REPOSITORIES.values()))
        if kind == "pull_request" and chance.random() < 0.7:
            more["merged"] = True
        return Score(
            id=f"{kind}-{self._count}",
            game=GAME,
            occurred_at=day + timedelta(seconds=chance.randrange(86_400)),
            player=who,
            values={METRICS[kind]: 1},
            attributes={"repo": repository, "kind": kind, **more},
        )

    def _pushed(self, event: Score) -> tuple[datetime, str, Score]:
        """When an event reaches the log: commits when they are pushed, all else at once."""
        assert isinstance(event.occurred_at, datetime)
        late = (event.attributes or {})["kind"] == "commit" and self._chance.random() < 0.3
        delay = timedelta(hours=self._chance.randrange(72)) if late else timedelta()
        return event.occurred_at + delay, event.id, event

    def _decisions(self, moment: datetime) -> Iterator[Event]:
        """What maintainers decide in the end."""
        for number, (who, points, reason) in enumerate(
            [
                ("Ben", -25, "generated commits in acme/site"),
                ("Lena", 40, "organised the conference"),
                ("Priya", 15, "translated the handbook"),
            ]
        ):
            yield Adjustment(
                id=f"decision-{number}",
                game=GAME,
                occurred_at=moment + timedelta(minutes=number),
                player=who,
                values={"points": points},
                reason=reason,
                author="maintainers",
            )
        yield Player(
            id="decision-ban",
            game=GAME,
            occurred_at=moment + timedelta(minutes=9),
            player=SPAMMER,
            status="banned",
            reason="spam",
        )
