"""What goes through a whole archive is waited for longer than any other statement: it takes as long as the archive is large."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from projections import erasure
from tests.harness import Harness, event, ruleset, score, silent
from tests.services import eventually

pytestmark = pytest.mark.services

OTHERS_S = 2.0
"""So long any other statement may take."""

WAITS = "SELECT max(extract(epoch FROM now() - query_start)) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


async def verify(harness: Harness) -> None:
    assert (await harness.verify()).differences == []


async def build(harness: Harness) -> None:
    await harness.build()


async def erase(harness: Harness) -> None:
    found = await erasure.erase(harness.pool, harness.log, harness.rankings, "arcade", silent)
    assert found.players == 1


@pytest.mark.parametrize("work", [verify, build, erase])
async def test_a_look_at_the_whole_archive(harness: Harness, work: Callable[[Harness], Awaitable[None]]) -> None:
    """Another transaction that holds the archive stands for a large one."""
    await harness.publish(ruleset(), score("e1", "ada", 1), event("player", "e2", player="ada", status="erased"))
    async with harness.consuming() as reader:
        await reader.drain()
    holder, watcher = [await asyncpg.connect(harness.database_url) for _ in range(2)]
    usual, harness.pool = harness.pool, await asyncpg.create_pool(harness.database_url, command_timeout=OTHERS_S)
    try:
        await holder.execute("BEGIN; LOCK TABLE log")
        working = asyncio.ensure_future(work(harness))

        async def waited() -> bool:
            return working.done() or (await watcher.fetchval(WAITS) or 0) > 1.5 * OTHERS_S

        await eventually(waited)
        await holder.execute("COMMIT")
        await working
    finally:
        await holder.close()
        await watcher.close()
        await harness.pool.close()
        harness.pool = usual
