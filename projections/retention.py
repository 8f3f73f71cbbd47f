"""Forgets what was displayed long ago: history and publications, never what is displayed now.

May be broken off at any time, and run by several at once. Whoever asks for what is forgotten is told that it is gone.
"""

import asyncpg

from projections.database import queries

Q = queries("retention")
ROWS = 5_000
"""Rows in one statement: few enough that nobody waits for it."""


async def forget(pool: asyncpg.Pool, shard: int, keep_s: int) -> int:
    """Forgets what a shard displayed until `keep_s` seconds ago; returns how many rows that were."""
    # First, so that nobody is answered out of what is being deleted.
    await pool.execute(Q["raise_floor"], shard, keep_s)
    floor = await pool.fetchval(Q["floor"], shard)
    if not floor:
        return 0
    rows = 0
    for statement in ("forget_history", "forget_publications"):
        deleted = ROWS
        while deleted:
            deleted = int((await pool.execute(Q[statement], shard, floor, ROWS)).removeprefix("DELETE "))
            rows += deleted
    return rows
