"""Services that come back with older data: healed where the log still has what they lack, else stopped with advice."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import structlog

from consumers import failures, shardlog
from projections import circuits, erasure
from projections.database import connect
from projections.names import applied_key, archived_key, floor_key, ranking_keys, stream_key
from tests.advice import follow
from tests.harness import Harness, event, ruleset, score, silent
from tests.services import eventually

pytestmark = pytest.mark.services


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped shard looks often, and every commit is marked."""
    monkeypatch.setattr(failures, "STOPPED_S", 0.05)
    monkeypatch.setattr(shardlog, "MARK_EVERY_S", 0.0)


async def copy(harness: Harness, name: str) -> str:
    """A copy of the database as it is, as a backup would be; returns its URL."""
    await harness.pool.close()
    admin = await asyncpg.connect(harness.database_url.replace(urlsplit(harness.database_url).path, "/postgres", 1))
    try:
        source = urlsplit(harness.database_url).path.lstrip("/")
        await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", source)
        await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
    finally:
        await admin.close()
    harness.pool = harness.store.pool = await connect(harness.database_url)
    return urlunsplit(urlsplit(harness.database_url)._replace(path=f"/{name}"))


@asynccontextmanager
async def on(harness: Harness, url: str, folder: Path) -> AsyncIterator[Harness]:
    """The same log and rankings with another database."""
    other = Harness((url, harness.log_url, harness.rankings_url), await connect(url), folder)
    try:
        yield other
    finally:
        await other.close()


async def publish_all(harness: Harness, first: int, last: int) -> None:
    await harness.publish(*(score(f"e{n}", f"player-{n % 7}", n) for n in range(first, last)))


async def test_a_database_that_was_restored_goes_on_from_where_it_is(harness: Harness, tmp_path: Path) -> None:
    await harness.publish(ruleset())
    async with harness.consuming(batch=10) as reader:
        await publish_all(harness, 0, 30)
        await reader.drain()
        url = await copy(harness, "restored_1")
    async with harness.consuming(batch=10) as reader:
        await publish_all(harness, 30, 60)
        await reader.drain()
        before = await harness.points()
        seen = (await harness.store.shard(0)).version
    async with on(harness, url, tmp_path) as restored:
        assert await restored.points() != before
        with structlog.testing.capture_logs() as logs:
            async with restored.consuming(batch=7) as reader:
                # What readers keep by version must not look current: none is given away twice.
                assert (await restored.store.shard(0)).version > seen
                await reader.drain()
        assert any("folded again" in line["event"] for line in logs)
        assert await restored.points() == before
        await restored.assert_exact("arcade")
        with structlog.testing.capture_logs() as logs:
            async with restored.consuming() as reader:
                await publish_all(restored, 60, 61)
                await reader.drain()
        assert not any("folded again" in line["event"] for line in logs)


async def test_rankings_that_nothing_touches_after_a_restore_are_those_of_the_database(
    harness: Harness, tmp_path: Path
) -> None:
    """Redis is ahead of PostgreSQL then, and the entry that would bring it there again was deleted."""
    await harness.publish(ruleset(), score("e1", "ada", 5))
    async with harness.consuming() as reader:
        await reader.drain()
        url = await copy(harness, "restored_2")
        ((ms, seq),) = await harness.publish(score("e2", "bob", 7))
        await reader.drain()
    await harness.log.xdel(stream_key(0), f"{ms}-{seq}")
    async with on(harness, url, tmp_path) as restored, restored.consuming() as reader:
        await reader.drain()
        await restored.assert_rankings_agree()
        assert await restored.points() == {"ada": 5}


async def test_what_was_lost_since_the_last_mark_is_noticed_as_well(
    harness: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a crash with synchronous_commit off: the mark is older than what readers were shown."""
    await harness.publish(ruleset(), score("e1", "ada", 5))
    async with harness.consuming() as reader:
        await reader.drain()
        url = await copy(harness, "restored_5")
    monkeypatch.setattr(shardlog, "MARK_EVERY_S", 3_600.0)
    before = await harness.log.get(archived_key(0))
    async with harness.consuming() as reader:
        reader.consumer.log._marked = time.monotonic()
        await harness.publish(score("e2", "ada", 7))
        await reader.drain()
        seen = (await harness.store.shard(0)).version
    assert await harness.log.get(archived_key(0)) == before
    async with on(harness, url, tmp_path) as restored, restored.consuming() as reader:
        assert reader.consumer.state.version > seen
        await reader.drain()
        assert await restored.points() == {"ada": 12}
        await restored.assert_exact("arcade")


async def stops(harness: Harness, mend: Callable[[str], Awaitable[Any]], says: str) -> None:
    """A consumer that starts stops its shard with this advice, tells so, and goes on once it was followed."""

    async def start() -> None:
        async with harness.consuming() as reader:
            await reader.drain()

    with structlog.testing.capture_logs() as logs:
        starting = asyncio.create_task(start())
        (stop,) = await eventually(lambda: [line for line in logs if line["event"] == "shard stopped"])
        assert says in f"{stop['reason']} {stop['advice']}"

        async def told() -> bool:
            circuit = (await circuits.told(harness.rankings, [0]))[0]
            return (circuit.state, circuit.advice) == ("stopped", stop["advice"])

        await eventually(told)
        await mend(stop["advice"])
        await asyncio.wait_for(starting, 30)
    assert any(line["event"] == "shard goes on" for line in logs)
    assert (await circuits.told(harness.rankings, [0]))[0].state == "closed"


async def test_a_database_older_than_what_the_log_keeps_stops_the_shard(
    harness: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shardlog, "TRIM_EVERY", 1)
    await harness.publish(ruleset(), score("e1", "ada", 5))
    async with harness.consuming() as reader:
        await reader.drain()
        url = await copy(harness, "restored_3")
    async with harness.consuming(batch=500, keep_log_s=0) as reader:
        await publish_all(harness, 0, 3_000)
        await reader.drain()
        await harness.publish(score("last", "ada", 7))
        await reader.drain()
    assert await harness.log.get(floor_key(0)) is not None
    async with on(harness, url, tmp_path) as restored:
        await stops(restored, lambda advice: follow(restored.log, advice), "older than what the log keeps")
        assert (await restored.points())["ada"] >= 12


async def test_a_database_from_before_an_erasure_stops_the_shard(harness: Harness, tmp_path: Path) -> None:
    """The log no longer has what the erasure has rewritten."""
    await harness.publish(ruleset(), score("e1", "ada", 5))
    async with harness.consuming() as reader:
        await reader.drain()
        url = await copy(harness, "restored_4")
    async with harness.consuming() as reader:
        await harness.publish(score("e2", "zoe", 9), event("player", "p1", player="zoe", status="erased"))
        await reader.drain()
        await erasure.erase(harness.pool, harness.log, harness.rankings, "arcade", silent)
        await harness.publish(score("e3", "ada", 7))
        await reader.drain()
    async with on(harness, url, tmp_path) as restored:
        await stops(restored, lambda advice: follow(restored.log, advice), "were rewritten by an erasure")
        assert await restored.points() == {"ada": 12}


async def test_a_stream_that_was_deleted_stops_the_shard(harness: Harness) -> None:
    await harness.publish(ruleset(), score("e1", "ada", 5))
    async with harness.consuming() as reader:
        await reader.drain()
    await harness.log.delete(stream_key(0))
    await stops(harness, lambda advice: follow(harness.log, advice), "was deleted")
    async with harness.consuming() as reader:
        await harness.publish(score("e2", "ada", 7))
        await reader.drain()
    assert await harness.points() == {"ada": 12}


async def test_a_rewound_log_goes_on_behind_what_was_archived(harness: Harness) -> None:
    entries = await harness.publish(ruleset(), score("e1", "ada", 5), score("e2", "ada", 5))
    async with harness.consuming() as reader:
        await reader.drain()
    await harness.log.xdel(stream_key(0), f"{entries[-1][0]}-{entries[-1][1]}")
    await harness.log.execute_command("XSETID", stream_key(0), f"{entries[-2][0]}-{entries[-2][1]}")
    await stops(harness, lambda advice: follow(harness.log, advice), "rewound")
    assert await harness.points() == {"ada": 10}


async def test_migrations_that_are_missing_stop_the_shard(harness: Harness) -> None:
    await harness.publish(ruleset(), score("e1", "ada", 5))
    await harness.pool.execute("ALTER TABLE event_ids RENAME TO event_ids_elsewhere")

    async def migrate(_: str) -> None:
        await harness.pool.execute("ALTER TABLE event_ids_elsewhere RENAME TO event_ids")

    with structlog.testing.capture_logs() as logs:
        async with harness.consuming() as reader:
            stepping = asyncio.create_task(reader.drain())
            stop = await eventually(lambda: reader.consumer.stopped_by)
            assert "rankfold migrate" in stop.advice
            # What the database said goes to the log, and its kind to readers.
            told = (await circuits.told(harness.rankings, [0]))[0]
            assert told.reason == "UndefinedTableError"
            await migrate("")
            await asyncio.wait_for(stepping, 30)
    assert any("event_ids" in line.get("reason", "") for line in logs)
    assert await harness.points() == {"ada": 5}


async def test_rankings_that_went_back_in_time_are_rebuilt(harness: Harness) -> None:
    """A Redis that was restored from an older file while nobody lost a connection."""
    await harness.publish(ruleset(), score("e1", "ada", 5))
    async with harness.consuming() as reader:
        await reader.drain()
        names = await harness.rankings.keys("rankfold:*")
        older = {key: await harness.rankings.dump(key) for key in names}
        await harness.publish(score("e2", "ada", 7))
        await reader.drain()
        row = await harness.pool.fetchrow("SELECT ranking_id, version FROM rankings WHERE board = 'total'")
        assert row is not None
        pipeline = harness.rankings.pipeline(transaction=True)
        pipeline.flushdb()
        for key, value in older.items():
            pipeline.restore(key, 0, value)
        await pipeline.execute()
        assert await harness.rankings.get(applied_key(0)) is not None

        async def rebuilt() -> bool:
            raw: Any = await harness.rankings.hget(ranking_keys(row["ranking_id"])[1], "")
            return int(raw) == row["version"]

        await eventually(rebuilt)
        await harness.shown()
        await harness.assert_rankings_agree()
