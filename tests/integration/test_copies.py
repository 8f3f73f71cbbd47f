"""Rankings before the present stretch and segments by players' attributes, through the consumer: live equals replay."""

import random
from typing import Any

import msgspec
import pytest

from engine.fold import fold
from engine.movement import BEFORE
from schemas.codec import decode
from schemas.position import Position
from schemas.ruleset import parse
from tests.harness import Harness, event, ruleset, score

RULES = """
game = "arcade"
time_zone = "Europe/Berlin"
[metrics.points]
[metrics.goals]
[sources.score]
origin = "score"
[sources.duel]
origin = "table"
scored = "goals"

[boards.daily]
sources = ["score"]
rank_by = ["points desc", "reached"]
periods = ["all", "monthly"]
movement = "daily"
segments = { country = "player" }
metrics = { points = { op = "sum", of = "points" } }

[boards.plain]
sources = ["score"]
rank_by = ["points desc"]
ranks = "dense"
periods = ["all", "daily"]
segments = { country = "player" }
metrics = { points = { op = "sum", of = "points" } }

[boards.league]
sources = ["duel"]
rank_by = ["points desc", { head_to_head = ["points desc", "goals desc"] }, { lot = 3 }]
movement = "round"
segments = { country = "player" }
metrics = { points = { op = "sum", of = "points" }, goals = { op = "sum", of = "goals" } }
[boards.league.badges]
winner = { where = { points = { min = 3 } } }
"""
DAY = 1_770_000_000_000
HOUR = 3_600_000
PLAYERS = [f"p{number}" for number in range(9)]


def some_events(seed: int, size: int) -> list[dict[str, Any]]:
    """Scores, profiles, sanctions, and matches whose results are corrected now and then."""
    rng = random.Random(seed)
    events: list[dict[str, Any]] = []
    for at in range(size):
        occurred_at = DAY + at * 5 * HOUR + rng.randrange(-20, 20) * HOUR
        kind = rng.random()
        player = rng.choice(PLAYERS)
        if kind < 0.5:
            events.append(score(f"e{at}", player, rng.randrange(9), occurred_at=occurred_at))
        elif kind < 0.62:
            country = rng.choice(["se", "no", "de"])
            events.append(event("player", f"e{at}", player=player, attributes={"country": country, "x": at}))
        elif kind < 0.66:
            events.append(
                event("player", f"e{at}", player=player, status=rng.choice(["hidden", "banned", "active", "erased"]))
            )
        else:
            name = f"m{rng.randrange(size // 6)}"
            sides = rng.sample(PLAYERS, 2)
            number = 1 + int(name[1:]) // 4
            events.append(
                event("fixture", f"f{at}", fixture=name, round=number, starts_at=DAY + number * 24 * HOUR, sides=sides)
            )
            goals = [rng.randrange(3), rng.randrange(3)]
            events.append(event("result", f"e{at}", fixture=name, revision=at + 1, status="final", score=goals))
    return events


async def copies(harness: Harness) -> dict[tuple[str, str, str], list[tuple[str, bytes]]]:
    """What the copies hold: the ranked players with their sort keys, by board, period and segment."""
    rows = await harness.pool.fetch(
        "SELECT r.board, r.period, r.segment, s.player, s.prefix FROM games g"
        " JOIN rankings r ON r.generation_id = g.live_generation JOIN standings s USING (ranking_id)"
        " WHERE g.name = 'arcade' AND r.segment <> '' AND s.prefix IS NOT NULL"
    )
    found: dict[tuple[str, str, str], list[tuple[str, bytes]]] = {}
    for row in rows:
        found.setdefault((row["board"], row["period"], row["segment"]), []).append((row["player"], row["prefix"]))
    return {name: sorted(lines) for name, lines in found.items()}


@pytest.mark.parametrize(
    ("seed", "batch", "cache_rows"), [(1, 1_000, 100_000), (2, 7, 60), (3, 1, 1), (4, 23, 100_000)]
)
async def test_live_equals_replay(harness: Harness, seed: int, batch: int, cache_rows: int) -> None:
    events = some_events(seed, 120)
    await harness.publish(ruleset(RULES))
    log: list[tuple[Position, Any]] = []
    for part in (events[:70], events[70:]):
        # Each part is folded by a consumer that has nothing in memory.
        entries = await harness.publish(*part)
        log += (
            (Position(1, 0, *entry), decode(msgspec.json.encode(body)))
            for entry, body in zip(entries, part, strict=True)
        )
        async with harness.consuming(batch=batch, cache_rows=cache_rows) as reader:
            await reader.drain()
            await harness.assert_exact("arcade")
    state = fold(parse(RULES), log)
    held = await copies(harness)
    assert held == {
        name: lines
        for name, table in state.tables.items()
        if name[2] and (lines := sorted((who, row.prefix) for who, row in table.rows.items() if row.prefix is not None))
    }
    assert {name[0] for name in held if name[2].startswith(BEFORE)} == {"daily", "league"}
    assert {name[0] for name in held if name[2].startswith("country:")} == {"daily", "plain", "league"}
    await harness.swap()
    assert await copies(harness) == held
    async with harness.consuming() as reader:
        await harness.publish(score("last", "p1", 50, occurred_at=DAY + 9_000 * HOUR))
        await reader.drain()
    await harness.assert_exact("arcade")


async def test_another_version_of_the_rules_makes_no_rankings_that_nobody_shows(harness: Harness) -> None:
    """Rankings before the first stretch are empty: they are neither stored nor shown, whichever event a batch holds."""
    await harness.publish(ruleset(RULES), score("e1", "ann", 5, occurred_at=DAY))
    async with harness.consuming() as reader:
        await reader.drain()
        stored = await harness.value("SELECT count(*) FROM rankings")
        await harness.publish(ruleset(RULES, version=2))
        await reader.drain()
    assert await harness.value("SELECT count(*) FROM rankings") == stored
    await harness.assert_exact()


async def test_a_void_reaches_segments_when_nothing_is_in_memory(harness: Harness) -> None:
    """The rows that a void takes from are settled as well: what country their players are of has to be looked up."""
    await harness.publish(
        ruleset(RULES),
        event("player", "who", player="ada", attributes={"country": "NO"}),
        score("s1", "ada", 5),
        score("s2", "ada", 7),
    )
    async with harness.consuming() as reader:
        await reader.drain()
    async with harness.consuming() as reader:
        await harness.publish(event("void", "v1", event="s2", reason="glitch"))
        await reader.drain()
    held = await harness.pool.fetch(
        "SELECT prefix FROM standings JOIN rankings USING (ranking_id)"
        " WHERE board = 'plain' AND period = 'all' AND segment IN ('', 'country:NO')"
    )
    assert len(held) == 2
    assert len(set(held)) == 1
    await harness.assert_exact("arcade")


async def test_a_void_of_the_day_before_when_nothing_is_in_memory(harness: Harness) -> None:
    """What the board was before the present day depends on all of its rows: they have to be loaded for a void as well."""
    await harness.publish(
        ruleset(RULES),
        score("s1", "ada", 5, occurred_at=DAY),
        score("s2", "bob", 4, occurred_at=DAY),
        score("s3", "ada", 7, occurred_at=DAY + 24 * HOUR),
        score("s4", "bob", 9, occurred_at=DAY + 24 * HOUR),
    )
    async with harness.consuming() as reader:
        await reader.drain()
    async with harness.consuming() as reader:
        await harness.publish(event("void", "v1", event="s1", reason="glitch"))
        await reader.drain()
    assert await harness.points("daily") == {"bob": 13, "ada": 7}
    await harness.assert_exact("arcade")
