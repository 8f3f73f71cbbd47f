"""What the consumer does when the log is not as it should be: entries from the future, lost epochs, rewound streams."""

import asyncio

import msgspec
import pytest
import structlog

from consumers import failures
from projections.names import epoch_key, stream_key
from schemas.position import parse_entry
from tests.harness import Harness, ruleset, score
from tests.services import eventually

pytestmark = pytest.mark.services


async def test_an_entry_from_the_future_stops_the_shard_until_it_is_deleted(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "STOPPED_S", 0.05)
    entries = await harness.publish(ruleset(), score("e1", "ada", 5))
    ahead = f"{entries[-1][0] + 3_600_000}-0"
    await harness.log.xadd(stream_key(0), {"event": msgspec.json.encode(score("e2", "ada", 7))}, id=ahead)
    (behind,) = await harness.publish(score("e3", "ada", 9))
    assert behind[0] > entries[-1][0] + 3_000_000
    async with harness.consuming() as reader:
        stepping = asyncio.create_task(reader.step())
        await eventually(lambda: reader.consumer.stopped_by is not None)
        await harness.reached(entries[-1])
        (letter,) = await harness.dead_letters()
        assert "future" in letter.reason
        assert letter.position[2:] == parse_entry(ahead.encode())
        stop = reader.consumer.stopped_by
        assert stop is not None
        assert f"XDEL {stream_key(0)} {ahead}" in stop.advice
        assert f"XSETID {stream_key(0)} {entries[-1][0]}-{entries[-1][1]}" in stop.advice
        await harness.log.xdel(stream_key(0), ahead, f"{behind[0]}-{behind[1]}")
        await harness.log.execute_command("XSETID", stream_key(0), f"{entries[-1][0]}-{entries[-1][1]}")
        await asyncio.wait_for(stepping, 15)
        assert reader.consumer.stopped_by is None
        (last,) = await harness.publish(score("e4", "ada", 11))
        assert last < parse_entry(ahead.encode())
        await reader.drain()
    assert await harness.points() == {"ada": 16}
    await harness.assert_exact("arcade")


@pytest.mark.parametrize("entry", ["18446744073709551615-0", "18446744073709551615-18446744073709551615"])
async def test_the_last_possible_entry_stops_the_shard_too(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    monkeypatch.setattr(failures, "STOPPED_S", 0.05)
    entries = await harness.publish(ruleset(), score("e1", "ada", 5))
    await harness.log.xadd(stream_key(0), {"event": b"{}"}, id=entry)
    async with harness.consuming() as reader:
        stepping = asyncio.create_task(reader.step())
        await eventually(lambda: reader.consumer.stopped_by is not None)
        await harness.reached(entries[-1])
        await harness.log.xdel(stream_key(0), entry)
        await harness.log.execute_command("XSETID", stream_key(0), f"{entries[-1][0]}-{entries[-1][1]}")
        await asyncio.wait_for(stepping, 15)
        await harness.publish(score("e2", "ada", 11))
        await reader.drain()
    assert await harness.points() == {"ada": 16}


async def test_a_missing_epoch_stops_the_shard_until_it_is_restored(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "STOPPED_S", 0.05)
    await harness.publish(ruleset(), score("e1", "ada", 5))
    async with harness.consuming() as reader:
        await reader.drain()
        await harness.log.flushall()
        await harness.publish(score("e2", "ada", 7))
        stepping = asyncio.create_task(reader.step())
        stop = await eventually(lambda: reader.consumer.stopped_by)
        assert epoch_key(0) in stop.reason
        assert f"SET {epoch_key(0)} 1" in stop.advice
        assert await harness.points() == {"ada": 5}
        await harness.log.set(epoch_key(0), 1)
        await asyncio.wait_for(stepping, 15)
        await reader.drain()
        assert reader.consumer.stopped_by is None
    assert await harness.points() == {"ada": 12}
    await harness.assert_exact("arcade")


async def test_duplicates_that_come_after_a_long_stop(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many failures of one kind do not use up the attempts at another one."""
    monkeypatch.setattr(failures, "STOPPED_S", 0.01)
    events = [score(f"e{number}", "ada", 1) for number in range(20)]
    await harness.publish(ruleset(), *events)
    async with harness.consuming() as reader:
        await reader.drain()
    async with harness.consuming() as reader:
        await harness.log.delete(epoch_key(0))
        await harness.publish(*events, score("new", "ada", 1))
        before = await gets(harness)
        stepping = asyncio.create_task(reader.step())

        async def tried_often() -> bool:
            return await gets(harness) > before + 10

        await eventually(tried_often)
        assert reader.consumer.stopped_by is not None
        await harness.log.set(epoch_key(0), 1)
        await asyncio.wait_for(stepping, 15)
        await reader.drain()
    assert await harness.points() == {"ada": 21}
    assert await harness.verdicts() == {0: 22, 1: 20}


async def gets(harness: Harness) -> int:
    """How often the log's Redis was asked for the value of a key, such as the epoch."""
    return int((await harness.log.info("commandstats"))["cmdstat_get"]["calls"])


async def test_a_log_of_another_epoch_stops_the_shard(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "STOPPED_S", 0.05)
    await harness.publish(ruleset(), score("e1", "ada", 5), score("e2", "ada", 5))
    async with harness.consuming() as reader:
        await reader.drain()
    await harness.log.set(epoch_key(0), 2)

    async def start() -> None:
        async with harness.consuming():
            pass

    with structlog.testing.capture_logs() as logs:
        starting = asyncio.create_task(start())
        await eventually(lambda: any(line["event"] == "shard stopped" for line in logs))
        assert not starting.done()
        await harness.log.set(epoch_key(0), 1)
        await harness.publish(score("e3", "ada", 7))
        await asyncio.wait_for(starting, 15)
    async with harness.consuming() as reader:
        await reader.drain()
    assert await harness.points() == {"ada": 17}


async def test_archived_entries_are_trimmed_and_no_others(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumers.shardlog.TRIM_EVERY", 2)
    await harness.publish(ruleset())
    async with harness.consuming(batch=100, keep_log_s=0) as reader:
        for start in range(0, 2_500, 100):
            await harness.publish(*(score(f"e{n}", "ada", 1) for n in range(start, start + 100)))
            await reader.drain()
        unread = await harness.publish(*(score(f"e{n}", "ada", 1) for n in range(2_500, 3_000)))
        await reader.step()
        left: list[tuple[bytes, object]] = await harness.log.xrange(stream_key(0))
        assert len(left) < 3_000
        assert {parse_entry(entry) for entry, _ in left} >= set(unread)
        assert parse_entry(left[0][0]) <= (reader.consumer.state.ms, reader.consumer.state.seq)
        await reader.drain()
    assert await harness.points() == {"ada": 3_000}
    await harness.assert_exact("arcade")
