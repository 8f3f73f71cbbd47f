"""Badges in PostgreSQL: awards in bulk, and what a player was awarded."""

from collections.abc import Iterable
from typing import NamedTuple

import asyncpg

from engine.badges import Award
from projections.database import Connection, queries
from schemas.position import Position

Q = queries("badges")
COLUMNS = ("generation_id", "board", "period", "player", "badge", "epoch", "shard", "ms", "seq", "occurred_ms")
AwardLine = tuple[int, str, str, str, str, int, int, int, int, int]


class HeldBadge(NamedTuple):
    """A badge of a player: the position of the event that earned it, and when that occurred (epoch milliseconds)."""

    badge: str
    position: Position
    occurred_ms: int


def award_lines(generation_id: int, awards: Iterable[Award]) -> list[AwardLine]:
    """Awards as lines of the table."""
    return [(generation_id, award.board, award.period, award.player, award.badge, *award.moment) for award in awards]


async def write(connection: Connection, lines: list[AwardLine]) -> None:
    """Stores awards: one COPY, however many there are."""
    if lines:
        await connection.copy_records_to_table("badges", records=lines, columns=COLUMNS)


async def badges_of(pool: asyncpg.Pool, generation_id: int, player: str, board: str, period: str) -> list[HeldBadge]:
    """What a player was awarded in one ranking, in the order of the log."""
    rows = await pool.fetch(Q["of_player"], generation_id, player, board, period)
    return [
        HeldBadge(row["badge"], Position(row["epoch"], row["shard"], row["ms"], row["seq"]), row["occurred_ms"])
        for row in rows
    ]
