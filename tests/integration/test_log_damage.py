"""The stream of the log went back, or somebody else trims or deletes it: the shard stops, and goes on as its advice says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import structlog

from cli.checks import Check
from cli.doctor import examine
from cli.settings import Settings
from consumers import failures
from projections import erasure
from projections.names import archived_key, epoch_key, floor_key, holes_key, stream_key
from schemas.errors import LogBroken
from tests.advice import follow
from tests.harness import Harness, Reader, event, ruleset, score, silent
from tests.services import eventually

pytestmark = pytest.mark.services


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "STOPPED_S", 0.05)


@asynccontextmanager
async def stopped(harness: Harness, reason: str) -> AsyncIterator[LogBroken]:
    """A consumer starts, and stops for this reason; at the end, once it was mended, it goes on."""
    stops: list[LogBroken] = []

    async def start() -> None:
        async with harness.consuming() as reader:
            await reader.drain()

    with structlog.testing.capture_logs() as logs:
        starting = asyncio.create_task(start())
        try:
            await eventually(lambda: any(line["event"] == "shard stopped" for line in logs))
            (line,) = (line for line in logs if line["event"] == "shard stopped")
            stops.append(LogBroken(line["reason"], line["advice"]))
            assert reason in line["reason"]
            yield stops[0]
            await asyncio.wait_for(starting, 30)
        finally:
            starting.cancel()


async def until_later(harness: Harness, entry: tuple[int, int]) -> None:
    """Waits for the clock of the log's Redis to move on: what is trimmed has another millisecond."""

    async def later() -> bool:
        seconds, micros = await harness.log.time()
        return int(seconds) * 1000 + int(micros) // 1000 > entry[0]

    await eventually(later)


async def test_a_shard_goes_on_after_an_erasure_of_its_last_event(harness: Harness) -> None:
    await harness.publish(ruleset(), event("player", "p1", player="zoe", status="erased"))
    async with harness.consuming() as reader:
        await reader.drain()
        await erasure.erase(harness.pool, harness.log, harness.rankings, "arcade", silent)
    assert await harness.log.get(holes_key(0)) is not None
    await harness.publish(score("e3", "ada", 7))
    async with harness.consuming() as reader:
        await reader.drain()
    assert await harness.points() == {"ada": 7}


@pytest.fixture
async def archived(harness: Harness) -> tuple[int, int]:
    """The archived position of a log of 20 entries."""
    entries = await harness.publish(ruleset(), *(score(f"e{n}", "ada", 1) for n in range(19)))
    async with harness.consuming() as reader:
        await reader.drain()
    return entries[-1]


@pytest.mark.parametrize("after", [[], [score("n1", "bob", 1)]], ids=["quiet", "written since"])
@pytest.mark.parametrize("damage", ["rewound", "stream deleted"])
async def test_a_log_that_went_back_stops_the_shard_whether_it_is_written_to_or_not(
    harness: Harness, archived: tuple[int, int], damage: str, after: list[object]
) -> None:
    if damage == "rewound":
        before = (await harness.log.xrange(stream_key(0)))[-2][0]
        await harness.log.xdel(stream_key(0), f"{archived[0]}-{archived[1]}")
        await harness.log.execute_command("XSETID", stream_key(0), before)
    else:
        await harness.log.delete(stream_key(0))
    await until_later(harness, archived)
    await harness.publish(*after)
    quiet = "it was rewound" if damage == "rewound" else "was deleted"
    async with stopped(harness, "longer in the log" if after else quiet) as stop:
        await follow(harness.log, stop.advice)
        await harness.publish(score("n2", "bob", 1))
    assert await harness.points() == {"ada": 19, "bob": 1 + len(after)}
    await harness.assert_exact("arcade")


async def test_a_log_that_others_trim_stops_the_shard(harness: Harness, archived: tuple[int, int]) -> None:
    await until_later(harness, archived)
    entries = await harness.publish(*(score(f"n{n}", "bob", 1) for n in range(10)))
    await harness.log.xtrim(stream_key(0), maxlen=4, approximate=False)
    async with stopped(harness, "not trimmed by Rankfold") as stop:
        assert f"before {entries[6][0]}-{entries[6][1]} may be missing" in stop.reason
        await follow(harness.log, stop.advice)
    assert await harness.points() == {"ada": 19, "bob": 4}


async def test_a_trim_by_others_is_noticed_while_it_runs(harness: Harness, archived: tuple[int, int]) -> None:
    async with harness.consuming() as reader:
        await harness.publish(*(score(f"n{n}", "bob", 1) for n in range(10)))
        await harness.log.xtrim(stream_key(0), maxlen=4, approximate=False)
        await folded_with_advice(harness, reader)
    assert await harness.points() == {"ada": 19, "bob": 4}


async def folded_with_advice(harness: Harness, reader: Reader) -> None:
    """Hands over a batch that stops the shard, and does as its advice says."""
    stepping = asyncio.create_task(reader.step())
    stop = await eventually(lambda: reader.consumer.stopped_by)
    await follow(harness.log, stop.advice)
    await asyncio.wait_for(stepping, 15)
    await reader.drain()


async def test_a_log_that_was_emptied_stops_the_shard(harness: Harness, archived: tuple[int, int]) -> None:
    async with harness.consuming() as reader:
        await harness.log.flushall()
        await until_later(harness, archived)
        await harness.publish(score("n1", "bob", 3))
        await folded_with_advice(harness, reader)
        assert await harness.log.get(epoch_key(0)) == b"1"
    assert await harness.points() == {"ada": 19, "bob": 3}
    await harness.assert_exact("arcade")


async def test_a_log_from_before_there_were_floors_is_adopted(harness: Harness, archived: tuple[int, int]) -> None:
    await harness.log.delete(floor_key(0), archived_key(0))
    await harness.publish(score("n1", "bob", 3))
    async with harness.consuming() as reader:
        await reader.drain()
    first = await harness.log.xrange(stream_key(0), count=1)
    assert await harness.log.get(floor_key(0)) == first[0][0]
    assert await harness.points() == {"ada": 19, "bob": 3}


async def test_doctor_says_that_a_shard_has_stopped_though_no_api_runs(harness: Harness) -> None:
    """The log was rewound: by what is in it nothing waits to be archived."""
    entries = await harness.publish(ruleset(), score("e1", "ada", 5), score("e2", "ada", 5))
    async with harness.consuming() as reader:
        await reader.drain()
    await harness.log.xdel(stream_key(0), f"{entries[-1][0]}-{entries[-1][1]}")
    await harness.log.execute_command("XSETID", stream_key(0), f"{entries[-2][0]}-{entries[-2][1]}")
    urls = {"redis_log_url": harness.log_url, "redis_rankings_url": harness.rankings_url}
    found = Settings(database_url=harness.database_url, url="http://127.0.0.1:1", **urls)

    async def told() -> list[Check]:
        return [check for check in await examine(found) if check.subject == "Consumer"]

    assert await told() == []
    with harness.living():
        [check] = await eventually(told)
    assert (check.name, check.state) == ("shard 0", "fail")
    assert "it was rewound" in check.found
    assert "XSETID" in check.advice
