"""A consumer process is killed at every named point, stopped, overtaken: nothing is lost and nothing is done twice."""

import signal

import pytest

from consumers.crash import POINTS, Crash
from tests.harness import Harness, ruleset
from tests.services import eventually
from tests.workload import Workload

pytestmark = pytest.mark.services


@pytest.mark.parametrize("point", sorted(set(POINTS) - {"growing"}))
async def test_killed_at(harness: Harness, point: str) -> None:
    """Killed twice at a point, at once and in the midst of a backlog, then started again."""
    workload = Workload(seed=POINTS.index(point))
    await harness.publish(ruleset(), *workload.take(300))
    # Rankings are published far less often than batches are committed, so the point is passed more seldom.
    later = 2 if point.endswith("rankings") else 5
    for turn in (1, later):
        child = harness.child(f"{point}:{turn}", batch_events_max=25)
        assert await child.ended() == -signal.SIGKILL, child.log
        # Its lease would run out by itself; here that takes no time.
        await harness.pool.execute("UPDATE leases SET until = now() - interval '1 second'")
        await harness.publish(*workload.take(300))
    with harness.living(batch_events_max=25):
        await harness.caught_up()
        await harness.publish(*workload.take(50))
        await harness.caught_up()
    await workload.check(harness)
    await harness.assert_exact("arcade")


def test_a_crash_point_has_to_exist() -> None:
    with pytest.raises(ValueError, match="after_read"):
        Crash("somewhere")


async def test_another_process_takes_over_and_the_first_one_cannot_write_any_more(harness: Harness) -> None:
    """A stopped process (a long pause, a frozen machine) wakes up with batches in its memory."""
    workload = Workload(seed=11)
    await harness.publish(ruleset(), *workload.take(200))
    first = harness.child(batch_events_max=20)
    await harness.caught_up()
    second = harness.child(batch_events_max=20)
    await eventually(lambda: "consumer started" in second.log)
    # The log grows while the first one works, so that it is stopped in the midst of it.
    await harness.publish(*workload.take(1_000))
    before = await harness.value("SELECT version FROM shards")
    await eventually(lambda: _moved(harness, before))
    first.send(signal.SIGSTOP)
    while await _copying(harness):
        # PostgreSQL waits for a client that is in the midst of a COPY as long as its connection stands.
        first.send(signal.SIGCONT)
        first.send(signal.SIGSTOP)
    await harness.caught_up()
    assert str(second.process.pid) in await harness.value("SELECT owner FROM leases")
    assert "lease taken" in second.log
    first.send(signal.SIGCONT)
    await eventually(lambda: "lease lost" in first.log)
    await harness.publish(*workload.take(300))
    await harness.caught_up()
    await workload.check(harness)
    await harness.assert_exact("arcade")


async def _copying(harness: Harness) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'COPY%' AND datname = $1"
    return bool(await harness.value(query, harness.database_url.rpartition("/")[2].partition("?")[0]))


async def _moved(harness: Harness, version: int) -> bool:
    return bool(await harness.value("SELECT version FROM shards") > version)


async def test_a_killed_process_is_replaced_and_a_stopped_one_at_once(harness: Harness) -> None:
    workload = Workload(seed=12)
    await harness.publish(ruleset(), *workload.take(100))
    first = harness.child(batch_events_max=20)
    await harness.caught_up()
    second = harness.child(batch_events_max=20)
    await eventually(lambda: "consumer started" in second.log)
    assert "lease taken" not in second.log
    first.kill()
    await harness.publish(*workload.take(200))
    await harness.caught_up()
    third = harness.child(batch_events_max=20)
    await eventually(lambda: "consumer started" in third.log)
    second.send(signal.SIGTERM)
    assert await second.ended() == 0, second.log
    await harness.publish(*workload.take(200))
    await harness.caught_up()
    assert str(third.process.pid) in await harness.value("SELECT owner FROM leases")
    await workload.check(harness)
    await harness.assert_exact("arcade")


async def test_two_that_both_believe_to_hold_the_shard(harness: Harness) -> None:
    """Leases only avoid wasted work: with the owner's name forged, two processes fold the same shard all the time."""
    workload = Workload(seed=13)
    await harness.publish(ruleset())
    async with harness.consuming(batch=20) as one, harness.consuming(batch=20) as other:
        for _ in range(15):
            await harness.publish(*workload.take(40))
            await one.step()
            await other.step()
            await other.step()
            await one.step()
        await one.drain()
        await other.drain()
    await workload.check(harness)
    await harness.assert_exact("arcade")


async def test_a_consumer_started_before_the_migration_waits_for_it(harness: Harness) -> None:
    workload = Workload(seed=14)
    await harness.pool.execute("ALTER TABLE consumers RENAME TO not_yet")
    with harness.living() as child:
        await eventually(lambda: "leases are not renewed" in child.log)
        await harness.pool.execute("ALTER TABLE not_yet RENAME TO consumers")
        await harness.publish(ruleset(), *workload.take(100))
        await harness.caught_up()
    await workload.check(harness)


async def test_a_shard_that_was_stopped_goes_on_in_its_process(harness: Harness) -> None:
    """The real subscriber reads on after the entry from the future was deleted, and a stopped process can be ended."""
    workload = Workload(seed=15)
    entries = await harness.publish(ruleset(), *workload.take(50))
    with harness.living() as child:
        await harness.caught_up()
        ahead = f"{entries[-1][0] + 3_600_000}-0"
        await harness.log.xadd("rankfold:log:{0}", {"event": b"{}"}, id=ahead)
        await eventually(lambda: "shard stopped" in child.log)
        assert "XDEL" in child.log
        await harness.log.xdel("rankfold:log:{0}", ahead)
        await harness.log.execute_command("XSETID", "rankfold:log:{0}", f"{entries[-1][0]}-{entries[-1][1]}")
        await harness.publish(*workload.take(100))
        await harness.caught_up()
        await harness.log.delete("rankfold:log:{0}:epoch")
        await harness.publish(*workload.take(10))
        await eventually(lambda: child.log.count("shard stopped") == 2)
        child.send(signal.SIGTERM)
        assert await child.ended() == 0, child.log
    await harness.log.set("rankfold:log:{0}:epoch", 1)
    with harness.living():
        await harness.caught_up()
    assert len(await harness.dead_letters()) == workload.refused + 1
    await workload.check(harness)
    await harness.assert_exact("arcade")
