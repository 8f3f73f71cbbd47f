"""Forgets, now and then, what was displayed longer ago than history is to be kept."""

import asyncio

import asyncpg
import structlog

from projections.database import AWAY
from projections.retention import forget

EVERY_S = 60.0
log = structlog.get_logger()


async def keep_forgetting(pool: asyncpg.Pool, shard: int, keep_s: int | None) -> None:
    """Goes on until it is cancelled; with None nothing is ever forgotten."""
    while keep_s is not None:
        try:
            rows = await forget(pool, shard, keep_s)
            if rows:
                log.info("history forgotten", shard=shard, rows=rows)
        except (asyncpg.PostgresError, *AWAY) as error:
            log.info("history is not forgotten for now", shard=shard, error=f"{type(error).__name__}: {error}")
        await asyncio.sleep(EVERY_S)
