"""Several shards and several consumer processes: shared out evenly, taken over, and never written by two."""

import asyncio
import gc
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
from faststream.redis import RedisBroker

from cli.checks_postgres import postgres_checks
from consumers import app
from consumers import shard as consumer_of_shard
from consumers.app import Options, Process
from consumers.leases import LEASE_S, Leases
from projections.names import circuit_key, epoch_key, shard_of
from tests.harness import Child, Harness, renamed, ruleset, running, score
from tests.services import eventually

pytestmark = pytest.mark.services

SHARDS = 4
GAMES = {
    shard: next(name for name in map("game-{}".format, range(99)) if shard_of(name, SHARDS) == shard)
    for shard in range(SHARDS)
}


@pytest.fixture
async def harness(
    database_url: str, redis_log_url: str, redis_rankings_url: str, tmp_path: Path
) -> AsyncIterator[Harness]:
    async with running(database_url, redis_log_url, redis_rankings_url, tmp_path, shards=SHARDS) as harness:
        yield harness


class Counted:
    """Publishes scores to the game of every shard, and knows what each has to show."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.sent = 0

    async def start(self) -> None:
        for shard, game in GAMES.items():
            await self.harness.publish(ruleset(renamed(game), game=game), shard=shard)

    async def publish(self, count: int, shards: Iterable[int] = GAMES) -> None:
        for shard in shards:
            events = (score(f"e{self.sent + n}", "ada", self.sent + n, game=GAMES[shard]) for n in range(1, count + 1))
            await self.harness.publish(*events, shard=shard)
        self.sent += count

    async def check(self) -> None:
        for shard, game in GAMES.items():
            await self.harness.caught_up(shard, 60)
            assert (await self.harness.board("best", game=game))["ada"]["points"] == self.sent
        await self.harness.assert_exact()


async def owners(harness: Harness) -> dict[int, int]:
    """The process that holds each shard."""
    rows = await harness.pool.fetch("SELECT shard, owner FROM leases WHERE until > now()")
    return {row["shard"]: int(row["owner"].rpartition(":")[2]) for row in rows}


async def shared(harness: Harness, *children: Child) -> dict[int, int]:
    """Waits until these processes, and no others, hold all shards, each its share; returns who holds which."""
    alive = {child.process.pid for child in children}
    most, least = -(-SHARDS // len(alive)), SHARDS // len(alive)

    async def so() -> dict[int, int]:
        held = await owners(harness)
        loads = Counter(held.values())
        fair = loads.keys() == alive and max(loads.values()) <= most and min(loads.values()) >= least
        return held if len(held) == SHARDS and fair else {}

    def what() -> str:
        return f"{SHARDS} shards are shared out among {len(alive)}: {''.join(child.log[-1500:] for child in children)}"

    return await eventually(so, 60, what)


async def test_shares_takeover_and_return(harness: Harness) -> None:
    counted = Counted(harness)
    settings = {"shards": SHARDS, "batch_events_max": 20}
    first = harness.child(**settings)
    await counted.start()
    await shared(harness, first)
    await counted.publish(100)
    second, third = harness.child(**settings), harness.child(**settings)
    before = await shared(harness, first, second, third)
    await counted.publish(100)
    await counted.check()
    found = {check.name: check.found for check in await postgres_checks(harness.database_url, harness.log)}
    assert {shard: found[f"shard {shard}"].rpartition(":")[2] for shard in before} == {
        shard: str(owner) for shard, owner in before.items()
    }
    assert {found[f"shard {shard}, lag"] for shard in before} == {"0 ms"}
    # Nothing moves any more, however often they look.
    for child in (first, second, third):
        moves = child.log.count("lease given up")
        assert moves <= SHARDS
    second.kill()
    await counted.publish(100)
    after = await shared(harness, first, third)
    kept = {shard for shard, owner in before.items() if owner != second.process.pid}
    assert {shard: after[shard] for shard in kept} == {shard: before[shard] for shard in kept}
    await counted.publish(100)
    await counted.check()
    third.send(signal.SIGTERM)
    assert await third.ended() == 0, third.log
    await shared(harness, first)
    await counted.publish(100)
    await counted.check()
    for child in (first, third):
        assert "Traceback" not in child.log, child.log[child.log.index("Traceback") - 300 :]


async def test_rules_that_come_to_another_shard_than_their_game_are_refused(harness: Harness) -> None:
    """Whether the game's own shard has them already or not; there they still count."""
    with harness.living(shards=SHARDS):
        home, astray = GAMES[1], 2
        await harness.publish(ruleset(renamed(home), game=home), shard=1)
        await harness.caught_up(1)
        second = ruleset(renamed(home) + "\n", 2, game=home)
        await harness.publish(second, shard=astray)
        await harness.caught_up(astray)
        assert await harness.value("SELECT max(version) FROM rulesets") == 1
        await harness.publish(second, shard=1)
        await harness.caught_up(1)
        await harness.publish(second, shard=astray)
        await harness.caught_up(astray)
    assert await harness.value("SELECT max(version) FROM rulesets") == 2
    assert await harness.verdicts() == {0: 2, 2: 2}
    letters = await harness.dead_letters()
    assert [letter.reason for letter in letters] == [f"this game lives on shard 1, not on shard {astray}"] * 2


async def test_a_paused_process_wakes_up_and_cannot_write(harness: Harness) -> None:
    counted = Counted(harness)
    settings = {"shards": SHARDS, "batch_events_max": 10}
    paused, other = harness.child(**settings), harness.child(**settings)
    await counted.start()
    held = await shared(harness, paused, other)
    lost = [shard for shard, owner in held.items() if owner == paused.process.pid]
    # A backlog, so that it stops with batches in its memory and wakes up with them.
    before = [(await harness.store.shard(shard)).version for shard in lost]
    await counted.publish(500)

    async def works() -> bool:
        return [(await harness.store.shard(shard)).version for shard in lost] != before

    await eventually(works)
    paused.send(signal.SIGSTOP)
    await shared(harness, other)
    await counted.publish(100)
    # A transaction that it holds open is ended; then the other one commits everything.
    await counted.check()
    committed = {shard: await harness.store.shard(shard) for shard in range(SHARDS)}
    paused.send(signal.SIGCONT)
    await eventually(lambda: paused.log.count("lease lost") == len(lost), what=lambda: paused.log[-2000:])
    await shared(harness, paused, other)
    assert {shard: (await harness.store.shard(shard))[:4] for shard in committed} == {
        shard: state[:4] for shard, state in committed.items()
    }
    await counted.publish(100)
    await counted.check()


async def test_after_an_outage_each_goes_on_with_what_it_had(harness: Harness) -> None:
    """All leases and heartbeats have run out; who comes back first must not take what the others are about to renew."""
    leases = [Leases(harness.pool, name, SHARDS, ()) for name in "ab"]
    running: list[set[int]] = [set(), set()]
    for _ in range(3):
        for at, mine in enumerate(leases):
            running[at] = (await mine.turn(running[at], ())).mine
            for shard in set(range(SHARDS)) - running[at]:
                await mine.release(shard)
    assert [len(shards) for shards in running] == [2, 2]
    await harness.pool.execute("UPDATE leases SET until = now() - interval '1 second'")
    await harness.pool.execute("UPDATE consumers SET until = now() - interval '1 second'")
    for at, mine in enumerate(leases):
        mine._renewed -= LEASE_S
        assert (await mine.turn(running[at], ()))[:2] == (running[at], set())
    for at, mine in enumerate(leases):
        assert (await mine.turn(running[at], ())).mine == running[at]


async def started(harness: Harness) -> tuple[Process, RedisBroker]:
    """A process within this one, and what it reads by."""
    broker = RedisBroker(harness.log_url, apply_types=False)
    options = Options(harness.log_url, harness.rankings_url, harness.database_url, total_shards=SHARDS)
    process = Process(options, broker)
    await broker.start()
    await process.start()
    return process, broker


async def test_what_is_given_up_is_forgotten(harness: Harness) -> None:
    """A process that starts shards again and again keeps one subscriber for each, and nothing of the earlier ones."""
    process, broker = await started(harness)
    try:
        await eventually(lambda: len(broker.subscribers) == SHARDS)
        for _ in range(3):
            before = dict(process._restart)
            for restart in before.values():
                restart.set()

            def again(before: dict[int, asyncio.Event] = before) -> bool:
                restarts = process._restart
                return len(restarts) == SHARDS and all(restarts[shard] is not before[shard] for shard in restarts)

            await eventually(again)

        def few() -> bool:
            gc.collect()
            return len(broker.subscribers) == SHARDS

        await eventually(few)
    finally:
        await process.stop()
        await broker.stop()


async def test_a_shard_that_stands_still_is_given_up(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its handler waits for an operator, for longer than anybody waits for it: nothing of it goes on afterwards."""
    monkeypatch.setattr(app, "STOP_S", 0.5)
    monkeypatch.setattr(consumer_of_shard, "STOP_S", 0.5)
    process, broker = await started(harness)
    try:
        await harness.publish(ruleset(renamed(GAMES[0]), game=GAMES[0]), shard=0)
        await harness.caught_up(0)
        await harness.log.delete(epoch_key(0))
        await harness.publish(score("e1", "ada", 1, game=GAMES[0]), shard=0)

        async def stands() -> bool:
            return b"stopped" in (await harness.rankings.get(circuit_key(0)) or b"")

        await eventually(stands)
    finally:
        await process.stop()
    assert at_work("Publisher.run") == 0
    await eventually(lambda: at_work("_StreamHandlerMixin._consume") == 0)
    await broker.stop()


def at_work(name: str) -> int:
    """How many tasks run a function."""
    return sum(getattr(task.get_coro(), "__qualname__", "") == name for task in asyncio.all_tasks())


async def test_thousands_of_games(harness: Harness) -> None:
    """Two thousand small games, two processes with small caches: all are folded, and few are held at a time."""
    names = [f"game-{number}" for number in range(2_000)]
    settings = {"shards": SHARDS, "cache_rows": 1_000, "batch_events_max": 2_000}
    first, second = harness.child(**settings), harness.child(**settings)
    for begin in range(0, len(names), 500):
        for shard in range(SHARDS):
            mine = [name for name in names[begin : begin + 500] if shard_of(name, SHARDS) == shard]
            await harness.publish(*(ruleset(SMALL.format(name), game=name) for name in mine), shard=shard)
    for turn in range(2):
        for shard in range(SHARDS):
            mine = [name for name in names if shard_of(name, SHARDS) == shard]
            await harness.publish(*(score(f"e{turn}", "ada", 1, game=name) for name in mine), shard=shard)
    for shard in range(SHARDS):
        await harness.caught_up(shard, 300)
    await shared(harness, first, second)
    totals = await harness.pool.fetch(
        "SELECT s.prefix FROM games g JOIN rankings r ON r.generation_id = g.live_generation"
        " JOIN standings s USING (ranking_id)"
    )
    assert len(totals) == len(names)
    assert len({row["prefix"] for row in totals}) == 1
    assert await harness.dead_letters() == []
    for name in names[::200]:
        found = await harness.verify(name)
        assert (found.differences, found.events) == ([], 3)
    await harness.assert_rankings_agree()


SMALL = """
game = "{}"
[metrics.points]
[sources.score]
origin = "score"
[boards.total]
sources = ["score"]
rank_by = ["points desc"]
[boards.total.metrics.points]
op = "sum"
of = "points"
"""
