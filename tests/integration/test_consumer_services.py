"""Servers are killed and come back, with or without their data, while events keep coming: the consumer waits and goes on."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from cli.embedded import Embedded, Which
from tests.harness import Child, Harness, ruleset, running
from tests.services import database, eventually, sql
from tests.workload import Workload

pytestmark = [pytest.mark.services, pytest.mark.slow]
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """Servers of this module's own, because it kills them."""
    with Embedded(tmp_path_factory.mktemp("own"), postgres_settings={"shared_buffers": "32MB"}, keep=False) as embedded:
        yield embedded


@pytest.fixture
async def harness(embedded: Embedded, tmp_path: Path) -> AsyncIterator[Harness]:
    services = embedded.services
    name = f"away_{next(_numbers)}"
    sql(services.database_url, f"CREATE DATABASE {name}")
    url = database(services.database_url, name)
    async with running(url, services.log_url, services.rankings_url, tmp_path) as harness:
        yield harness
        await harness.log.flushall()
        await harness.rankings.flushall()


class Load:
    """Publishes until it is told to stop. What was not acknowledged is published again: the ids make it count once."""

    def __init__(self, harness: Harness, workload: Workload) -> None:
        self.harness = harness
        self.workload = workload
        self.acknowledged = 0
        self.doubtful = 0
        self._stop = asyncio.Event()

    async def run(self) -> None:
        while not self._stop.is_set():
            bodies = self.workload.take(20)
            while True:
                try:
                    await self.harness.publish(*bodies)
                    break
                except (RedisError, OSError):
                    self.doubtful += 1
                    await asyncio.sleep(0.05)
            self.acknowledged += len(bodies)
            await asyncio.sleep(0.01)

    def stop(self) -> None:
        self._stop.set()


async def acknowledged(load: Load, more: int) -> None:
    wanted = load.acknowledged + more
    await eventually(lambda: load.acknowledged >= wanted, what="the load goes on")


async def finish(harness: Harness, load: Load, task: "asyncio.Task[None]", child: Child) -> None:
    """The log is folded to its end by the same process, and everything is exact."""
    await acknowledged(load, 100)
    load.stop()
    await task
    await harness.caught_up(seconds=60)
    assert child.process.poll() is None, child.log
    if load.doubtful == 0:
        await load.workload.check(harness)
    else:
        await load.workload.check_scores(harness)
    await harness.assert_exact("arcade")


@pytest.mark.parametrize("which", ["postgres", "log", "rankings"])
async def test_a_server_is_killed_and_comes_back(embedded: Embedded, harness: Harness, which: Which) -> None:
    load = Load(harness, Workload(seed=31))
    await harness.publish(ruleset())
    with harness.living(batch_events_max=50) as child:
        await harness.caught_up()
        task = asyncio.create_task(load.run())
        await acknowledged(load, 200)
        await asyncio.to_thread(embedded.kill, which)
        if which != "log":
            await acknowledged(load, 200)
        if which == "rankings":
            # They are not stored for good: what was there is lost.
            (embedded._folder / "rankings" / "dump.rdb").unlink(missing_ok=True)
        await asyncio.to_thread(embedded.restart, which)
        await finish(harness, load, task, child)


async def test_all_servers_are_killed_at_once(embedded: Embedded, harness: Harness) -> None:
    load = Load(harness, Workload(seed=32))
    await harness.publish(ruleset())
    with harness.living(batch_events_max=50) as child:
        await harness.caught_up()
        task = asyncio.create_task(load.run())
        await acknowledged(load, 200)
        servers: tuple[Which, ...] = ("postgres", "log", "rankings")
        for which in servers:
            await asyncio.to_thread(embedded.kill, which)
        for which in reversed(servers):
            await asyncio.to_thread(embedded.restart, which)
        await finish(harness, load, task, child)


async def test_the_rankings_are_flushed_under_load(harness: Harness) -> None:
    load = Load(harness, Workload(seed=33))
    await harness.publish(ruleset())
    with harness.living(batch_events_max=50) as child:
        await harness.caught_up()
        task = asyncio.create_task(load.run())
        for _ in range(3):
            await acknowledged(load, 150)
            await harness.rankings.flushall()
        await finish(harness, load, task, child)


async def test_a_consumer_that_starts_before_its_servers(embedded: Embedded, harness: Harness) -> None:
    workload = Workload(seed=34)
    await harness.publish(ruleset(), *workload.take(100))
    for which in ("rankings", "postgres"):
        await asyncio.to_thread(embedded.kill, which)
    with harness.living() as child:
        await eventually(lambda: "waiting for PostgreSQL" in child.log)
        await asyncio.to_thread(embedded.restart, "postgres")
        await eventually(lambda: "rankings are not published" in child.log)
        await asyncio.to_thread(embedded.restart, "rankings")
        await harness.caught_up()
    await workload.check(harness)
    await harness.assert_exact("arcade")
