"""The places that a player has held in one ranking, newest first."""

from datetime import datetime

import asyncpg
import msgspec

from engine.boards import BoardPlan
from projections.database import queries
from schemas.position import Position

Q = queries("reader")


class HistoryRow(msgspec.Struct, frozen=True):
    """From `from_at` (included) to `to_at` (not included, None while it holds) the player showed these metrics.

    `ranked` is False where he had no place; `hidden` says that he was shown to nobody else. `position` is that of the batch
    which brought him there.
    """

    from_at: datetime
    to_at: datetime | None
    position: Position
    ranked: bool
    metrics: dict[str, int | str | None]
    hidden: bool = False


async def history(
    pool: asyncpg.Pool, ranking_id: int, plan: BoardPlan, game_id: int, player: str, limit: int
) -> list[HistoryRow]:
    """At most `limit` rows; empty for a player who never was in the ranking."""
    rows = await pool.fetch(Q["history"], ranking_id, player, game_id, limit)
    return [
        HistoryRow(
            row["from_at"],
            row["to_at"],
            Position(row["epoch"], row["shard"], row["ms"], row["seq"]),
            row["prefix"] is not None,
            plan.decode(row["prefix"], row["extra"]) if row["prefix"] is not None else {},
            row["hidden"],
        )
        for row in rows
    ]
