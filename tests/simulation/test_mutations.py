"""The judges are judged: five invariants are broken on purpose, and the simulation has to tell of each.

Every mutation lives in this file only. Without one, the same seeds pass.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import consumers.shardlog
import projections.store
from consumers.shardlog import ShardLog
from engine.corrections import Corrections
from engine.marks import Mark
from engine.metrics import MetricPlan
from projections.batch import Batch, ShardState
from projections.commit import write, write_rules
from projections.names import stream_key
from tests.harness import Harness, ruleset, score
from tests.simulation.faults import LossyStore
from tests.simulation.judging import Discrepancy
from tests.simulation.rulesets import texts
from tests.simulation.world import World

pytestmark = [pytest.mark.services, pytest.mark.slow]
SEEDS = (101, 102, 103, 104)
STEPS = 50
GAMES = ("arcade", "ctf", "ledger")
Mutation = Callable[[pytest.MonkeyPatch], None]

UNCONDITIONAL = """
WITH moved AS (
    UPDATE shards SET ms = $2, seq = $3, version = version + 1 WHERE shard = $1 RETURNING shard, version, epoch, ms, seq
)
INSERT INTO publications (shard, version, epoch, ms, seq) SELECT * FROM moved RETURNING version
"""


async def _advance_whatever_holds(connection: Any, batch: Batch) -> None:
    batch.version = await connection.fetchval(UNCONDITIONAL, batch.shard, *batch.upto)


def no_compare_and_set(patch: pytest.MonkeyPatch) -> None:
    """The position is moved wherever it is.

    The archive's unique keys would still refuse what was folded already, so these are taken away as well: see
    `test_unique_keys_stand_behind_the_compare_and_set`.
    """
    patch.setattr(projections.store, "advance", _advance_whatever_holds)


class _AckFirst(LossyStore):
    async def commit(self, batch: Batch, inside: Callable[[], None]) -> None:
        await self.ensure_partitions(batch.state.ms or batch.upto[0], batch.upto[0])
        async with self.pool.acquire() as connection:
            async with connection.transaction():
                await projections.store.advance(connection, batch)
            inside()
            async with connection.transaction():
                if batch.rules is not None:
                    await write_rules(connection, batch)
                await write(connection, batch)


def ack_before_commit(patch: pytest.MonkeyPatch) -> None:
    """The position is committed before what was folded is."""
    patch.setattr(World, "make_store", lambda world, pool: _AckFirst(pool, world.faults))


async def _trim_all(log: ShardLog, archived: Any) -> None:
    await log.redis.xtrim(stream_key(log.shard), maxlen=0, approximate=False)


def trim_early(patch: pytest.MonkeyPatch) -> None:
    """The log is trimmed without a look at how far it is archived."""
    patch.setattr(consumers.shardlog, "TRIM_EVERY", 2)
    patch.setattr(ShardLog, "_trim", _trim_all)


def drop_a_refold(patch: pytest.MonkeyPatch) -> None:
    """Rows from which a mark cannot be taken back stay as they are. Live and replay agree on it."""

    def forgotten(corrections: Corrections, stride: int = 0) -> Iterator[None]:
        corrections._refolds.clear()
        yield

    patch.setattr(Corrections, "refolding", forgotten)


def float_sums(patch: pytest.MonkeyPatch) -> None:
    """Sums go by way of binary floats."""
    exact = MetricPlan.of_marks

    def inexact(plan: MetricPlan, marks: list[Mark]) -> int | None:
        value = exact(plan, marks)
        return int(float(value)) if plan.op == "sum" and value is not None else value

    patch.setattr(MetricPlan, "of_marks", inexact)


MUTATIONS = (no_compare_and_set, ack_before_commit, trim_early, drop_a_refold, float_sums)
KEYS = ("log", "event_ids", "standings")


async def simulated(harness: Harness, seed: int, patience_s: float = World.patience_s) -> None:
    """One seed on an empty database."""
    world = World(harness, seed, {name: texts()[name] for name in GAMES})
    world.patience_s = patience_s
    world.pauses = 0.2
    try:
        await world.run(STEPS)
    finally:
        await world.close()


@pytest.mark.parametrize("seed", SEEDS)
async def test_the_seeds_pass_without_a_mutation(harness: Harness, seed: int) -> None:
    await simulated(harness, seed)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.__name__)
async def test_every_mutation_is_told(harness: Harness, monkeypatch: pytest.MonkeyPatch, mutation: Mutation) -> None:
    """By one of the seeds, each of which begins on a log and a database that know nothing of the one before."""
    mutation(monkeypatch)
    if mutation is no_compare_and_set:
        await without_keys(harness)
    # Which batches meet is a matter of time, so that the first seeds may miss it.
    for seed in range(SEEDS[0], SEEDS[0] + 12):
        try:
            await simulated(harness, seed, patience_s=10)
        except Discrepancy:
            return
        await emptied(harness)
    pytest.fail(f"{mutation.__name__} went unnoticed")


async def test_unique_keys_stand_behind_the_compare_and_set(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the compare-and-set alone a batch that was folded already is refused whole, since the archive has its entries."""
    await harness.publish(ruleset(), score("e1", "ada", 5), score("e2", "ada", 7))
    async with harness.consuming() as first:
        await first.drain()
    no_compare_and_set(monkeypatch)
    async with harness.consuming() as second:
        # A machine that slept through what the first one did, as of before it.
        second.consumer._state = ShardState(1, 0, 0, 0, 0)
        second.consumer._folding.forget()
        second.after = b"0-0"
        await second.drain()
    assert await harness.points() == {"ada": 12}
    assert await harness.verdicts() == {0: 3}


async def without_keys(harness: Harness) -> None:
    """Takes the keys away that refuse what is stored twice."""
    for table in KEYS:
        await harness.pool.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey")


async def emptied(harness: Harness) -> None:
    """Forgets everything, but for the shard's epoch."""
    await harness.log.flushall()
    await harness.rankings.flushall()
    tables = await harness.pool.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
        " AND relname NOT IN ('migrations', 'schema_migrations')"
    )
    await harness.pool.execute(f"TRUNCATE {', '.join(name for (name,) in tables)} RESTART IDENTITY CASCADE")
