"""Verification in several processes finds what it finds in one."""

import random
import sys
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from engine.corrections import marks_of, subject_number
from projections.archive import Progress
from projections.database import Connection
from projections.replay import Verification, verify
from projections.share import Share, can_share
from projections.verifying import DIFFERENCES_MAX, Found, Task
from projections.workers import Workers
from schemas.errors import Unavailable
from schemas.ruleset import parse
from tests.harness import RULES as OTHERS
from tests.harness import Harness, event, ruleset, score, silent

pytestmark = pytest.mark.services
RULES = """
game = "arcade"
[metrics.points]
[sources.score]
origin = "score"
[sources.adjustment]
origin = "adjustment"
[boards.best]
sources = ["score"]
rank_by = ["points desc", "reached"]
periods = ["all", "daily"]
keep = { mode = "best", by = "points" }
metrics.points = { op = "max", of = "points" }
[boards.total]
sources = ["score", "adjustment"]
rank_by = ["points desc"]
windows = [3]
segments = { team = "player" }
metrics.points = { op = "sum", of = "points" }
[boards.total.badges]
hundred = { where = { points = { min = 100 } } }
"""
PLAYERS = [f"p{number}" for number in range(40)]


def story(seed: int) -> list[dict[str, Any]]:
    """Some of everything that a game of scores may be told."""
    chance = random.Random(seed)
    told: list[dict[str, Any]] = []
    for number in range(600):
        player, kind = chance.choice(PLAYERS), chance.random()
        if kind < 0.05:
            team = chance.choice(["red", "blue"])
            status = chance.choice(["active", "active", "hidden", "banned"])
            told.append(event("player", f"n{number}", player=player, attributes={"team": team}, status=status))
        elif kind < 0.1:
            values = {"points": chance.randrange(-9, 9)}
            told.append(event("adjustment", f"a{number}", player=player, values=values, reason="checked"))
        elif kind < 0.18:
            # Scores, players, what is not there yet and what never will be.
            what = chance.choice(["void", "void", "reinstate"])
            target = f"{chance.choice('sssna')}{chance.randrange(700)}"
            told.append(event(what, f"v{number}", event=target, reason="checked"))
        elif kind < 0.2:
            outcomes = {"winner": [player]}
            told.append(event("result", f"r{number}", fixture="m", revision=chance.randrange(1, 4), outcomes=outcomes))
        else:
            told.append(score(f"s{number}", player, chance.randrange(30)))
    return told


@pytest.fixture
async def told(harness: Harness) -> AsyncIterator[Harness]:
    """A game with a story."""
    await harness.publish(ruleset(RULES), *story(1))
    async with harness.consuming() as reader:
        await reader.drain()
        yield harness


class Counted(Workers):
    """Counts how often it shares something out."""

    shared = 0

    async def compare(self, connection: Connection, task: Task, progress: Progress) -> Found:
        self.shared += 1
        return await super().compare(connection, task, progress)


async def several(harness: Harness, count: int = 3, *, shared: bool = True) -> Verification:
    """Verifies in so many processes, or in one where it cannot be `shared`."""
    seen: list[tuple[int, int]] = []
    workers = Counted(harness.database_url, count, events_min=1)
    found = await verify(harness.pool, "arcade", lambda *progress: seen.append(progress), workers=workers)
    assert workers.shared == shared
    processes = [start.result() for start in workers._starts]
    assert len(processes) == count - 1
    assert all(process.returncode is not None for process in processes), "they end with the verification"
    assert all(done <= total == found.events for done, total in seen)
    return found


def plain(found: Verification) -> Verification:
    """What has to be the same however many processes there were."""
    return found._replace(seconds=0, differences=sorted(found.differences))


async def test_several_find_what_one_finds(told: Harness) -> None:
    alone = await told.verify()
    assert alone.differences == []
    held = {kind.name: kind.rows for kind in alone.kinds}
    assert all(held[name] > 0 for name in ("badges", "players", "voids", "rejections", "dues", "fixtures")), held
    for count in (2, 3):
        assert plain(await several(told, count)) == plain(alone)


DAMAGE = (
    "UPDATE standings SET state = '{}' WHERE player IN ('p1', 'p2')",
    "DELETE FROM standings WHERE player IN ('p3', 'p4')",
    "UPDATE standings SET player = 'somebody' WHERE player = 'p5'",
    "UPDATE badges SET occurred_ms = occurred_ms + 1 WHERE player IN ('p1', 'p2', 'p3', 'p4')",
    "DELETE FROM players WHERE player IN ('p1', 'p2', 'p3')",
    "UPDATE rejections SET reason = 'other'",
    "DELETE FROM voids WHERE event LIKE 's1%'",
    "DELETE FROM dues WHERE player IN ('p1', 'p2', 'p3')",
    "UPDATE fixtures SET starts_ms = 5",
)


@pytest.mark.parametrize("statement", DAMAGE)
async def test_several_find_the_same_damage(told: Harness, statement: str) -> None:
    await told.pool.execute(statement)
    alone = await told.verify()
    assert 0 < len(alone.differences) < DIFFERENCES_MAX
    assert plain(await several(told)) == plain(alone)


def test_what_is_not_each_players_own_is_not_shared() -> None:
    """Rules by which one's place is made of what others did too."""
    assert can_share(parse(RULES))
    assert not can_share(parse(OTHERS))
    for before, after in (
        ('origin = "score"', 'origin = "score"\nentrant = "team"'),
        ('periods = ["all", "daily"]', 'periods = ["all", "daily"]\nmovement = "daily"'),
        ("windows = [3]", 'windows = [3]\nranks = "dense"'),
    ):
        assert not can_share(parse(RULES.replace(before, after))), after


async def test_what_is_found_by_nobody_is_not_shared(told: Harness) -> None:
    """An event of which the archive does not tell whom it is about, and what an erasure has left."""
    await several(told)
    async with told.consuming() as reader:
        await told.publish(event("player", "gone", player="p7", status="erased"))
        await reader.drain()
        assert plain(await several(told, shared=False)) == plain(await told.verify())


async def test_time_that_was_told_is_not_shared(told: Harness) -> None:
    async with told.consuming() as reader:
        await told.publish(event("tick", "t1", at=1_700_000_000_000))
        await reader.drain()
    assert plain(await several(told, shared=False)) == plain(await told.verify())


async def test_a_process_that_fails_is_told(told: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = urlunsplit(urlsplit(told.database_url)._replace(path="/nowhere"))
    away = Workers(nowhere, 2, events_min=1)
    with pytest.raises(Unavailable, match="share 2 of 2 was not verified: InvalidCatalogNameError"):
        await verify(told.pool, "arcade", silent, workers=away)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(Unavailable, match=r"the process that verified share 2 of 2 ended \(1\)"):
        await several(told, 2)


def test_everybody_belongs_to_one_share() -> None:
    """And PostgreSQL says the same of what is found by the subject of his scores."""
    for of in (1, 2, 3, 5):
        for player in (*PLAYERS, "ü", "日本"):
            subject = subject_number(marks_of(player))
            [mine] = [number for number in range(of) if Share(number, of).owns(player)]
            assert mine == (subject & 0x7FFFFFFF) % of
