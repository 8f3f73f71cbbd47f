"""A batch grows in a backlog while its transaction is open: nothing of it is seen before it is whole, and nothing is lost."""

import asyncio
import random
import signal
from typing import Any

import pytest
import structlog

from consumers import shard
from consumers.shard import GROWTH
from tests.harness import Harness, event, ruleset, score
from tests.services import eventually

pytestmark = pytest.mark.services


def scores(count: int, seed: int = 1, players: int = 30, start: int = 0) -> list[dict[str, Any]]:
    """Plain scores; a batch that holds nothing else may grow."""
    drawn = random.Random(seed)
    return [score(f"s{start + n}", f"p{drawn.randrange(players)}", drawn.randrange(1_000)) for n in range(count)]


async def right(harness: Harness, events: list[dict[str, Any]]) -> None:
    """Every entry is archived once, and the boards are those of a replay."""
    assert await harness.verdicts() == {0: len(events) + 1}
    await harness.assert_exact("arcade")


async def versions(harness: Harness) -> int:
    """How many batches were committed."""
    found: int = await harness.value("SELECT count(*) FROM publications")
    return found


async def test_a_backlog_is_committed_in_few_batches(harness: Harness) -> None:
    events = scores(1_000)
    await harness.publish(ruleset(), *events)
    async with harness.consuming(batch=20) as reader:
        await reader.drain()
        assert reader.consumer.folded_events == 1_001
    # 51 reads. The rules stand alone, marks are held for some of the boards, and what was read last is the end.
    assert await versions(harness) < 2 + 51 / GROWTH + 2
    await right(harness, events)


GATHERED = """
game = "arcade"
[metrics.points]
[boards.best]
rank_by = ["points desc", "reached"]
keep = { mode = "best", by = "points" }
metrics = { points = { op = "max", of = "points" } }
[boards.total]
rank_by = ["points desc"]
periods = ["all", "daily"]
metrics = { points = { op = "sum", of = "points" }, runs = { op = "count" } }
"""


async def test_it_goes_on_where_no_marks_have_to_be_held(harness: Harness) -> None:
    """Sums and best runs are gathered as they come: memory goes by the players, however many events."""
    events = scores(1_000)
    early = [{**said, "occurred_at": 1_700_000_000_000 - n} for n, said in enumerate(scores(100, 2, start=1_000))]
    await harness.publish(ruleset(GATHERED), *events, *early)
    async with harness.consuming(batch=20, cache_rows=1_000) as reader:
        await reader.drain()
    assert await versions(harness) < 6
    await right(harness, [*events, *early])


async def test_nothing_is_seen_of_a_batch_that_grows(harness: Harness) -> None:
    events = scores(100)
    await harness.publish(ruleset(), *events)
    async with harness.consuming(batch=20) as reader:
        for _ in range(3):
            await reader.step()
        # 20 entries with the rules alone in front; two reads of 20 behind them are under way.
        assert await harness.value("SELECT count(*) FROM log") < 60
        assert (reader.consumer.state.ms, reader.consumer.state.seq) > (await harness.store.shard(0))[1:3]
        await reader.drain()
    await right(harness, events)


@pytest.mark.parametrize("limit", [{"cache_rows": 20}, {"cache_games": 0}])
async def test_a_batch_does_not_outgrow_memory(harness: Harness, limit: dict[str, int]) -> None:
    events = scores(400, players=200)
    await harness.publish(ruleset(), *events)
    async with harness.consuming(batch=20, **limit) as reader:
        await reader.drain()
    assert await versions(harness) >= 20
    await right(harness, events)


async def test_what_does_not_come_does_not_hold_it_up(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """More was waiting, but the reader does not come with it: the log may be away."""
    monkeypatch.setattr(shard, "PATIENCE_S", 0.05)
    events = scores(60)
    await harness.publish(ruleset(), *events)
    async with harness.consuming(batch=20) as reader:
        for _ in range(2):
            await reader.step()
        entry = (reader.consumer.state.ms, reader.consumer.state.seq)
        await harness.reached(entry)
        await reader.drain()
    await right(harness, events)


async def test_nothing_is_committed_of_a_batch_that_is_cut_off(harness: Harness) -> None:
    """Whoever hands it over is cancelled while half of it is folded, and the shard stopped."""
    events = scores(5_000)
    await harness.publish(ruleset())
    async with harness.consuming(batch=10_000) as reader:
        await reader.drain()
        await harness.publish(*events)
        handing = asyncio.create_task(reader.step())
        await eventually(lambda: reader.consumer._open is not None and reader.consumer._open.lines.log)
        handing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await handing
    async with harness.consuming(batch=10_000) as reader:
        await reader.drain()
    await right(harness, events)


async def test_a_stop_that_does_not_wait_leaves_no_transaction(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is still being folded then would have grown."""
    monkeypatch.setattr(shard, "STOP_S", 0.0)
    await harness.publish(ruleset())
    async with harness.consuming(batch=2_500) as reader:
        await reader.drain()
        await harness.publish(*scores(5_000))
        handing = asyncio.create_task(reader.step())
        await eventually(lambda: reader.consumer._open is not None and reader.consumer._open.lines.log)
        await reader.consumer.stop()
        await handing
        last = reader.consumer._writing.last
        assert last is None or last.done()


async def test_other_events_end_it(harness: Harness) -> None:
    """Corrections look at what was committed, so does a change of rules; what freezes stands alone."""
    first, second, third = scores(90), scores(90, 2, start=90), scores(90, 3, start=180)
    others = [
        event("void", "v1", event="s3", reason="cheated"),
        event("player", "n1", player="p1", name="Ada"),
        event("adjustment", "a1", player="p2", values={"points": 5}, reason="late"),
    ]
    await harness.publish(ruleset(), *first, others[0], *second, *others[1:], *third)
    async with harness.consuming(batch=20) as reader:
        await reader.drain()
    await right(harness, [*first, *second, *third, *others])


async def test_an_id_that_was_used_before(harness: Harness) -> None:
    """The archive refuses the whole batch, which is then folded with a look-up."""
    events = scores(300)
    await harness.publish(ruleset(), *events[:100], events[7], *events[100:], {**events[9], "player": "other"})
    async with harness.consuming(batch=20) as reader:
        await reader.drain()
    assert await harness.verdicts() == {0: 301, 1: 1, 2: 1}
    await harness.assert_exact("arcade")


async def test_a_fold_that_breaks_gives_the_batch_up(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    events = scores(300)
    await harness.publish(ruleset(), *events)
    async with harness.consuming(batch=20) as reader:
        folding = reader.consumer._folding
        finish, broken = folding.finish, [True]

        async def break_once(batch: Any) -> None:
            if broken and batch.feed is not None:
                broken.clear()
                raise ConnectionError("PostgreSQL went away")
            await finish(batch)

        monkeypatch.setattr(folding, "finish", break_once)
        with structlog.testing.capture_logs():
            await reader.drain()
        assert not broken
    await right(harness, events)


async def test_another_writer_takes_the_shard_from_it(harness: Harness) -> None:
    """Its catalog changes before the batch is begun to be written, while one is folded: the batch is folded again."""
    events = scores(300)
    await harness.publish(ruleset(), *events)
    async with harness.consuming(batch=20) as reader:
        await reader.step()
        await harness.pool.execute("UPDATE shards SET catalog = catalog + 1")
        with structlog.testing.capture_logs():
            await reader.drain()
    await right(harness, events)


async def test_its_connection_is_lost_while_it_grows(harness: Harness) -> None:
    events = scores(400)
    await harness.publish(ruleset(), *events)
    async with harness.consuming(batch=20) as reader:
        for _ in range(4):
            await reader.step()
        ended = await harness.pool.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid()"
            " AND datname = current_database()"
        )
        assert ended
        with structlog.testing.capture_logs():
            await reader.drain()
    await right(harness, events)


async def test_stopped_while_it_grows(harness: Harness) -> None:
    events = scores(200)
    await harness.publish(ruleset(), *events)
    async with harness.consuming(batch=20) as reader:
        for _ in range(3):
            await reader.step()
    state = await harness.store.shard(0)
    assert (state.ms, state.seq) == (reader.consumer.state.ms, reader.consumer.state.seq)
    async with harness.consuming(batch=20) as reader:
        await reader.drain()
    await right(harness, events)


@pytest.mark.parametrize("turn", [1, 5])
async def test_killed_while_it_grows(harness: Harness, turn: int) -> None:
    events = scores(600)
    await harness.publish(ruleset(), *events)
    child = harness.child(f"growing:{turn}", batch_events_max=20)
    assert await child.ended() == -signal.SIGKILL, child.log
    await harness.pool.execute("UPDATE leases SET until = now() - interval '1 second'")
    with harness.living(batch_events_max=20):
        await harness.caught_up()
    await right(harness, events)


async def test_it_is_shown_from_when_it_is_whole(harness: Harness) -> None:
    """The moment of a publication is that of its end, however long its transaction was open."""
    events = scores(200)
    await harness.publish(ruleset(), *events)
    async with harness.consuming(batch=20) as reader:
        for _ in range(3):
            await reader.step()
        before = await harness.value("SELECT clock_timestamp()")
        await asyncio.gather(reader.drain(), eventually(lambda: reader.consumer.folded_events == 201))
    late = await harness.value("SELECT count(*) FROM publications WHERE committed_at > $1", before)
    assert late == await versions(harness) - 1
    await right(harness, events)
