"""Verification finds whatever a generation holds that its facts do not say, table by table."""

import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from engine.digest import Digest, head_of, row_hash, says_nothing, whole_of
from projections.database import queries
from tests.harness import Harness, Reader, ruleset, score

pytestmark = pytest.mark.services
RULES = """
game = "arcade"
[metrics.points]
[sources.runs]
origin = "score"
[sources.picks]
origin = "picks"
missing = "zero"
grades = [{ points = 3 }]
[boards.total]
sources = ["runs"]
rank_by = ["points desc"]
windows = [3]
[boards.total.metrics]
points = { op = "sum", of = "points" }
[boards.total.badges]
ten = { where = { points = { min = 10 } } }
[boards.picks]
sources = ["picks"]
rank_by = ["points desc"]
[boards.picks.metrics]
points = { op = "sum", of = "points" }
"""
FAR = 4_000_000_000_000


def event(type_: str, id_: str, **fields: Any) -> dict[str, Any]:
    return {"type": type_, "id": id_, "game": "arcade", **fields}


@pytest.fixture
async def reader(harness: Harness) -> AsyncIterator[Reader]:
    async with harness.consuming() as reader:
        await harness.publish(ruleset(RULES))
        await reader.drain()
        now = int((await harness.log.time())[0]) * 1000
        await harness.publish(
            event("player", "p1", player="ann", name="Ann", attributes={"team": "red", "age": 7}, status="hidden"),
            score("s1", "ann", 12, occurred_at=now),
            score("s2", "bob", 5, occurred_at=now),
            event("fixture", "m1", fixture="m", round=1, starts_at=FAR),
            event("pick", "k1", player="ann", fixture="m", choice="a"),
            event("pick", "k2", player="bob", fixture="m", choice="b"),
            event("pick", "k3", player="bob", fixture="none", choice="b"),
            event("result", "r1", fixture="m", revision=1, outcomes={"winner": ["a"]}),
            event("void", "v1", event="s2", reason="checked"),
            event("close", "c1", board="picks"),
        )
        await reader.drain()
        yield reader


DAMAGE = {
    "badges": ("UPDATE badges SET occurred_ms = occurred_ms + 1", "DELETE FROM badges"),
    "fixtures": ("UPDATE fixtures SET starts_ms = 5", "DELETE FROM fixtures", "UPDATE fixtures SET state = '{}'"),
    "picks": (
        "UPDATE picks SET choice = '[\"b\"]' WHERE player = 'ann'",
        "DELETE FROM picks WHERE player = 'bob'",
        "INSERT INTO picks SELECT generation_id, fixture, 'x', market, epoch, ms, seq, event, choice, stake FROM picks LIMIT 1",
    ),
    "rejections": ("UPDATE rejections SET reason = 'other'", "DELETE FROM rejections"),
    "players": (
        "UPDATE players SET status = 'active' WHERE player = 'ann'",
        "UPDATE players SET attributes = '{}' WHERE player = 'ann'",
        "UPDATE players SET joined_ms = 1 WHERE player = 'bob'",
        "UPDATE players SET name = NULL",
        "INSERT INTO players (generation_id, player) SELECT generation_id, 'nobody' FROM players LIMIT 1",
    ),
    "voids": ("DELETE FROM voids", "INSERT INTO voids SELECT generation_id, 's1' FROM voids"),
    "closes": ("DELETE FROM closes", "UPDATE closes SET period = 'all'"),
    "dues": ("DELETE FROM dues", "UPDATE dues SET due = due + 1"),
}


async def test_damage_is_found_in_every_table(harness: Harness, reader: Reader) -> None:
    before = await harness.verify()
    assert (before.differences, before.live_digest) == ([], before.replayed_digest)
    held = {kind.name: kind for kind in before.kinds}
    assert all(kind.rows and kind.live_digest == kind.replayed_digest for kind in before.kinds), before.kinds
    for name, statements in DAMAGE.items():
        for statement in statements:
            async with harness.pool.acquire() as connection:
                await connection.execute(f"CREATE TEMP TABLE kept AS SELECT * FROM {name}")
                await connection.execute(statement)
                found = await harness.verify()
                await connection.execute(f"DELETE FROM {name}; INSERT INTO {name} SELECT * FROM kept; DROP TABLE kept")
            assert found.differences, statement
            assert {difference.kind for difference in found.differences} == {name}, statement
            unlike = {kind.name for kind in found.kinds if kind.live_digest != kind.replayed_digest}
            assert unlike == {name}, statement
            assert found.live_digest == found.replayed_digest
            assert {kind.name: kind.replayed_digest for kind in found.kinds}[name] == held[name].replayed_digest
    assert (await harness.verify()).differences == []


async def test_differences_say_what_and_where(harness: Harness, reader: Reader) -> None:
    await harness.pool.execute("DELETE FROM picks WHERE player = 'bob'")
    [line] = (await harness.verify()).differences
    assert (line.kind, line.player, line.live, line.key.split()[0]) == ("picks", "bob", "-", "m")
    assert "k2" in line.replayed


def stored_rows(seed: int) -> list[tuple[str, bytes | None, bytes, bytes, bytes | None]]:
    """Rows of a ranking as they may be, and as they never should be, among them some that say nothing."""
    chance = random.Random(seed)

    def some(*sizes: int) -> bytes:
        return chance.randbytes(chance.choice(sizes))

    def none_or(content: bytes) -> bytes | None:
        return chance.choice([None, content, content])

    names = [f"{chance.choice(['p', 'é', '日本', '+', '-'])}{number}" for number in range(200)]
    return [(name, none_or(some(0, 1, 40, 300)), some(0, 0, 9), some(0, 2, 700), none_or(some(0, 3))) for name in names]


@pytest.mark.parametrize("seed", range(3))
async def test_postgresql_hashes_rows_as_the_engine_does(harness: Harness, reader: Reader, seed: int) -> None:
    names, expected = [("total", "all", ""), ("total", "day:2026-01-01", "team=é"), ("tot", "alall", "")], Digest()
    generation_id = await harness.value(
        "INSERT INTO generations (game_id, ruleset_version, status)"
        " SELECT game_id, ruleset_version, 'failed' FROM generations RETURNING generation_id"
    )
    for number, name in enumerate(names):
        ranking_id = await harness.value(
            "INSERT INTO rankings (generation_id, board, period, segment, version) VALUES ($1, $2, $3, $4, 1)"
            " RETURNING ranking_id",
            generation_id,
            *name,
        )
        rows = stored_rows(10 * seed + number)
        await harness.pool.executemany(
            "INSERT INTO standings (ranking_id, player, prefix, extra, state, hidden, since)"
            " VALUES ($1, $2, $3, $4, $5, $6, 1)",
            [(ranking_id, *row) for row in rows],
        )
        told = [row for row in rows if not says_nothing(row[1], row[3], row[4])]
        assert len(told) < len(rows)
        expected.add_hashes(row_hash(head_of(name), *row) for row in told)
    found = await harness.pool.fetchrow(queries("replay")["digest"], generation_id)
    held = Digest(found["rows"], whole_of(int(found["high"]), int(found["low"])))
    assert (held.rows, str(held)) == (expected.rows, str(expected))
