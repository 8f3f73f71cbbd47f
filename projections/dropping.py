"""Empties generations that were dropped: their rows in PostgreSQL in bounded steps, and their rankings in Redis.

May be broken off at any time; whoever empties next goes on.
"""

import asyncio
from collections.abc import Sequence

import asyncpg
from redis.asyncio import Redis

from projections.database import queries
from projections.names import ranking_keys

Q = queries("generations")
ROWS = 5_000
"""Rows in one statement: few enough that nobody waits for it."""

GRACE_S = 2.0
"""Readers take so long at most to notice a swap; what they may still read is left alone for that time."""

_OF_RANKING = ("drop_standings", "drop_dues", "drop_history")
_OF_GENERATION = (
    "drop_picks",
    "drop_badges",
    "drop_rejections",
    "drop_players",
    "drop_fixtures",
    "drop_voids",
    "drop_closes",
    "drop_stand_ins",
)


async def empty(pool: asyncpg.Pool, redis: Redis, game_id: int) -> list[int]:
    """Empties every dropped generation of a game; returns which."""
    emptied = []
    for generation_id, idle_s in await pool.fetch(Q["dropped"], game_id):
        if idle_s is not None and idle_s < GRACE_S:
            await asyncio.sleep(GRACE_S - idle_s)
        await pool.execute(Q["forget_spans"], generation_id)
        for ranking_id, *_ in await pool.fetch(Q["rankings"], generation_id):
            await redis.unlink(*ranking_keys(ranking_id))
            await _delete(pool, _OF_RANKING, ranking_id)
            await pool.execute(Q["drop_ranking"], ranking_id)
        await _delete(pool, _OF_GENERATION, generation_id)
        await pool.execute(Q["emptied"], generation_id)
        emptied.append(generation_id)
    return emptied


async def _delete(pool: asyncpg.Pool, statements: Sequence[str], owner: int) -> None:
    for name in statements:
        while await pool.execute(Q[name], owner, ROWS) != "DELETE 0":
            pass
