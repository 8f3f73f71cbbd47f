"""Rejections: events that were accepted into the log and do not count, with their reasons, newest first."""

import asyncpg
import msgspec

from projections.database import queries
from schemas.position import SEQ_MAX, Position

Q = queries("contests")
_LAST = (2**31 - 1, SEQ_MAX, SEQ_MAX)


class RejectionLine(msgspec.Struct, frozen=True):
    """One event that does not count. `player` is None where it is nobody's own; `field` and `reason` say why."""

    position: Position
    event: str
    player: str | None
    field: str
    reason: str


async def rejections(
    pool: asyncpg.Pool, generation_id: int, player: str | None, before: Position | None, limit: int
) -> list[RejectionLine]:
    """At most `limit` rejections of a generation that lie before a position, the newest first; `player`: only his."""
    last = _LAST if before is None else (before.epoch, before.ms, before.seq)
    if player is None:
        rows = await pool.fetch(Q["rejections"], generation_id, *last, limit)
    else:
        rows = await pool.fetch(Q["rejections_of_player"], generation_id, *last, limit, player)
    return [
        RejectionLine(
            Position(row["epoch"], row["shard"], row["ms"], row["seq"]),
            row["event"],
            row["player"],
            row["field"],
            row["reason"],
        )
        for row in rows
    ]
