"""Forgets what was displayed long ago: history and publications, never what is displayed now; and closed rankings in Redis.

May be broken off at any time, and run by several at once. Whoever asks for what is forgotten is told that it is gone.
"""

import asyncpg
from redis.asyncio import Redis

from projections.database import queries
from projections.names import ranking_keys

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


async def forget_closed(pool: asyncpg.Pool, redis: Redis, shard: int, after_s: int) -> int:
    """Takes rankings that were closed so long ago out of Redis; returns how many there were."""
    found = [ranking_id for (ranking_id,) in await pool.fetch(Q["closed"], shard, after_s)]
    for at in range(0, len(found), ROWS):
        pipeline = redis.pipeline(transaction=False)
        for ranking_id in found[at : at + ROWS]:
            pipeline.unlink(*ranking_keys(ranking_id))
        await pipeline.execute()
    return len(found)
