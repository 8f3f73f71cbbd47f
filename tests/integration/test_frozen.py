"""Who stands still in the midst of a transaction holds the others up for a few seconds only.

Frozen here means that a client does not go on while its connection stays: a process that is stopped or swapped out, or a
machine that is cut off.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from consumers.leases import FROZEN_S, Leases
from consumers.leases import Q as LEASES
from projections.commit import Q as WRITER
from projections.store import Store
from projections.tasks import end
from tests.harness import Harness, ruleset, score
from tests.services import eventually

pytestmark = pytest.mark.services

PATIENCE_S = 90


class Freezing(asyncpg.Connection):
    """Stands still once: within the COPY into `table`, when its last row was not sent yet, behind a `query`, or between the
    preparing and the running of a statement, `prepared`."""

    table: str | None = None
    query: str | None = None
    prepared: str | None = None
    frozen: asyncio.Event

    async def copy_records_to_table(self, table_name: str, *, records: Any, **others: Any) -> str:
        if table_name != Freezing.table:
            return await super().copy_records_to_table(table_name, records=records, **others)
        Freezing.table = None
        return await super().copy_records_to_table(table_name, records=self._stuck(records), **others)

    async def _stuck(self, records: list[Any]) -> AsyncIterator[Any]:
        for record in records[:-1]:
            yield record
        await self._freeze()

    async def fetch(self, query: str, *args: Any, **others: Any) -> list[Any]:
        found = await super().fetch(query, *args, **others)
        if query == Freezing.query:
            Freezing.query = None
            await self._freeze()
        return found

    async def execute(self, query: str, *args: Any, **others: Any) -> str:
        if query == Freezing.prepared:
            Freezing.prepared = None
            # Twice: behind the first one the types that it takes were looked up, which is a statement of its own.
            self.statements = [await self.prepare(query) for _ in range(2)]
            await self._freeze()
        return await super().execute(query, *args, **others)

    async def _freeze(self) -> None:
        Freezing.frozen.set()
        await asyncio.Event().wait()


@asynccontextmanager
async def freezing(harness: Harness) -> AsyncIterator[asyncpg.Pool]:
    Freezing.frozen = asyncio.Event()
    pool = await asyncpg.create_pool(harness.database_url, min_size=1, max_size=4, connection_class=Freezing)
    try:
        yield pool
    finally:
        Freezing.table = Freezing.query = Freezing.prepared = None
        pool.terminate()


async def test_a_writer_that_has_prepared_a_statement(harness: Harness) -> None:
    """asyncpg asks for no ReadyForQuery between preparing and running, so that for PostgreSQL it is not between statements."""
    await a_writer_freezes(harness, prepared=WRITER["update_standings"])


@pytest.mark.parametrize("table", ["log", "event_ids", "standings", "standings_history"])
async def test_a_writer_in_a_copy(harness: Harness, table: str) -> None:
    """PostgreSQL waits for the rest of a COPY for ever; whoever waits for the shard's row ends that."""
    await a_writer_freezes(harness, table=table)


async def a_writer_freezes(harness: Harness, table: str | None = None, prepared: str | None = None) -> None:
    """In a batch; then another process takes the shard over, and folds everything."""
    await harness.publish(ruleset(), score("e1", "ada", 1))
    async with harness.consuming() as reader:
        await reader.drain()
    async with freezing(harness) as pool:
        Freezing.table, Freezing.prepared = table, prepared
        store, harness.store = harness.store, Store(pool)
        async with harness.consuming() as stuck:
            harness.store = store
            await harness.publish(score("e2", "ada", 2), score("e3", "bob", 3))
            await stuck.step()
            await asyncio.wait_for(Freezing.frozen.wait(), 20)
            with harness.living() as child:
                await harness.publish(score("e4", "ada", 4))
                await harness.caught_up(seconds=PATIENCE_S)
                assert "held others up" in child.log
            assert (await harness.board("best"))["ada"]["points"] == 4
            await harness.assert_exact()
    assert await harness.verdicts() == {0: 5}


async def test_a_process_that_renews_its_leases(harness: Harness) -> None:
    """It holds the rows of its leases, which others are about to take."""
    async with freezing(harness) as pool:
        other = Leases(harness.pool, "b", 2, ())
        stuck = Leases(pool, "a", 2, ())
        assert (await stuck.turn((), ())).mine == {0, 1}
        Freezing.query = LEASES["renew"]
        turn = asyncio.create_task(stuck.turn({0, 1}, ()))
        await asyncio.wait_for(Freezing.frozen.wait(), 20)

        async def taken() -> bool:
            return (await other.turn((), ())).mine == {0, 1}

        await eventually(taken, PATIENCE_S)
        await end([turn])


async def test_a_copy_that_gets_on_is_left_alone(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it takes, and although others wait for it; it is ended when it stands still."""
    now, pieces = 0.0, asyncio.Queue[tuple[bytes]]()
    monkeypatch.setattr("consumers.leases.monotonic", lambda: now)
    leases = Leases(harness.pool, "a", 1, ())
    await harness.pool.execute("CREATE TABLE slow (body bytea)")

    async def rows() -> AsyncIterator[tuple[bytes]]:
        while True:
            yield await pieces.get()

    async def stands_at(copied: int) -> None:
        """Waits until nothing is under way any more: all of `copied` bytes arrived, and the backend waits for more."""

        async def there() -> bool:
            return [row["bytes_processed"] for row in await harness.pool.fetch(LEASES["holding_up"])] == [copied]

        await eventually(there)

    piece, header, head_of_row = bytes(1_000_000), 19, 6
    holder = await asyncpg.connect(harness.database_url)
    await holder.execute("BEGIN; UPDATE shards SET version = version")
    copying = asyncio.create_task(holder.copy_records_to_table("slow", records=rows()))
    waiting = asyncio.create_task(harness.pool.execute("UPDATE shards SET version = version"))
    for number in range(6):
        if number:
            pieces.put_nowait((piece,))
        # asyncpg sends the header with the first piece.
        await stands_at(number and header + number * (head_of_row + len(piece)))
        assert await leases.end_frozen() == []
        now += 0.7 * FROZEN_S
    now += 0.4 * FROZEN_S
    assert await leases.end_frozen() == [holder.get_server_pid()]
    assert await waiting == "UPDATE 1"
    assert await leases.end_frozen() == []
    holder.terminate()
    await end([copying])
