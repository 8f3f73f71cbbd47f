"""Dead letters: entries of the log that could not be folded, with their reasons, to look at and to try again."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg
import msgspec
from redis.asyncio import Redis

from projections.database import queries
from projections.names import stream_key
from schemas.position import Position

Q = queries("reader")


class DeadLetter(msgspec.Struct, frozen=True):
    """One entry that could not be folded. `field` and `reason` say why; `body` is what the entry held."""

    id: int
    game: str | None
    position: Position
    field: str
    reason: str
    body: bytes
    status: str
    created_at: datetime


async def list_(pool: asyncpg.Pool, game: str | None, after: int, limit: int, all_: bool) -> list[DeadLetter]:
    """Dead letters behind the id `after`, oldest first; `all_` also those that were tried again."""
    return [
        DeadLetter(
            row["dead_letter_id"],
            row["game"],
            Position(row["epoch"], row["shard"], row["ms"], row["seq"]),
            row["field"],
            row["reason"],
            row["body"],
            row["status"],
            row["created_at"],
        )
        for row in await pool.fetch(Q["dead_letters"], game, after, all_, limit)
    ]


async def retry(pool: asyncpg.Pool, log: Redis, ids: Sequence[int]) -> int:
    """Appends the bodies of open dead letters to the log again; returns how many.

    What fails again becomes a new dead letter. A crash between append and marking appends twice: the event's id makes
    the second one a duplicate.
    """
    async with pool.acquire() as connection, connection.transaction():
        rows = await connection.fetch(Q["open_dead_letters"], list(ids))
        for row in rows:
            await log.xadd(stream_key(row["shard"]), {"event": row["body"]})
        await connection.execute(Q["mark_retried"], [row["dead_letter_id"] for row in rows])
    return len(rows)
