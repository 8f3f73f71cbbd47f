"""Forgets, now and then, what was displayed longer ago than history is to be kept, closed rankings in Redis, and old jobs."""

import asyncio

import asyncpg
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from projections import jobs
from projections.database import AWAY
from projections.retention import forget, forget_closed

EVERY_S = 60.0
CLOSED_S = 3_600
"""So long after a close its rankings stay in Redis; readers are shown snapshots of them in any case."""

log = structlog.get_logger()


async def keep_forgetting(pool: asyncpg.Pool, rankings: Redis, shard: int, keep_s: int | None) -> None:
    """Goes on until it is cancelled; with None no history is ever forgotten."""
    while True:
        try:
            rows = await forget(pool, shard, keep_s) if keep_s is not None else 0
            if rows:
                log.info("history forgotten", shard=shard, rows=rows)
            await forget_closed(pool, rankings, shard, CLOSED_S)
            await jobs.forget(pool)
        except (asyncpg.PostgresError, RedisError, *AWAY) as error:
            log.info("nothing is forgotten for now", shard=shard, error=f"{type(error).__name__}: {error}")
        await asyncio.sleep(EVERY_S)
