"""Dead letters: entries of the log that could not be folded, with their reasons, to look at and to try again."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec
from redis.asyncio import Redis

from engine.spread import goes_with, part_of
from projections.database import queries
from projections.names import epoch_key, stream_key
from schemas.codec import decode
from schemas.errors import InvalidEvent, LogBroken, NotFound
from schemas.position import Position, parse_entry

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


async def list_(
    pool: asyncpg.Pool, game: str | None, after: int, limit: int, status: str | None = "open"
) -> list[DeadLetter]:
    """Dead letters behind the id `after`, oldest first. `status`: open, retried, or None for both."""
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
        for row in await pool.fetch(Q["dead_letters"], game, after, status, limit)
    ]


async def retry(pool: asyncpg.Pool, log: Redis, ids: Sequence[int]) -> list[Position]:
    """Appends the bodies of those dead letters that are open to the log again; returns where they are now.

    What fails again becomes a new dead letter. A crash between append and marking appends twice: the event's id makes
    the second one a duplicate. Raises LogBroken when a shard has no epoch.
    """
    async with pool.acquire() as connection, connection.transaction():
        rows = await connection.fetch(Q["open_dead_letters"], list(ids))
        positions = [await _append(log, _home(row), row["body"]) for row in rows]
        await connection.execute(Q["mark_retried"], [row["dead_letter_id"] for row in rows])
    return positions


async def retry_one(pool: asyncpg.Pool, log: Redis, game: str, id_: int) -> Position | None:
    """The same for one dead letter of a game: None when it was tried again before. Raises NotFound."""
    if await pool.fetchval(Q["dead_letter"], game, id_) is None:
        raise NotFound("dead letter", str(id_))
    return next(iter(await retry(pool, log, [id_])), None)


def _home(row: asyncpg.Record) -> int:
    """The shard where an entry belongs: in a spread game its player's, or for what is of everyone that which it came to."""
    if (row["parts"] or 1) == 1:
        return int(row["shard"])
    try:
        player = goes_with(decode(row["body"]))
    except (InvalidEvent, UnicodeDecodeError, RecursionError):
        player = None
    return int(row["came_to"]) if player is None else part_of(player, row["parts"])


async def _append(log: Redis, shard: int, body: bytes) -> Position:
    epoch = await log.get(epoch_key(shard))
    if epoch is None:
        raise LogBroken(f"Shard {shard} has no epoch: its Redis has lost the log.", "Run `rankfold doctor`.")
    entry: Any = await log.xadd(stream_key(shard), {"event": body})
    return Position(int(epoch), shard, *parse_entry(entry))
