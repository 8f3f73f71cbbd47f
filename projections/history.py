"""What was displayed of a player in one copy of a board, newest first: through every generation that was live meanwhile."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import NamedTuple

import asyncpg
import msgspec

from engine.boards import BoardPlan
from projections.database import queries
from projections.moments import NOW
from schemas.position import Position

Q = queries("snapshots")


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
    version: int = 0
    generation_id: int = 0


class Copy(NamedTuple):
    """A copy of a board, whichever generation it is of."""

    game_id: int
    board: str
    period: str
    segment: str


Plans = Callable[[int], Awaitable[BoardPlan | None]]
"""The board as a generation has it; None for one without it."""


async def history(
    pool: asyncpg.Pool, copy: Copy, player: str, limit: int, plans: Plans, version: int | None = None
) -> list[HistoryRow]:
    """At most `limit` rows; empty for a player who never was in the ranking. With a version as it was told then."""
    rows = await pool.fetch(Q["history"], *copy, player, NOW if version is None else version, limit)
    found: list[HistoryRow] = []
    generation = None
    for row in rows:
        plan = await plans(row["generation_id"])
        if plan is None:
            continue
        line = _line(plan, row)
        if found and generation != row["generation_id"] and _follows(line, found[-1]):
            found[-1] = msgspec.structs.replace(line, to_at=found[-1].to_at)
        else:
            found.append(line)
        generation = row["generation_id"]
    return found


def _line(plan: BoardPlan, row: asyncpg.Record) -> HistoryRow:
    return HistoryRow(
        row["from_at"],
        row["to_at"],
        Position(row["epoch"], row["shard"], row["ms"], row["seq"]),
        row["prefix"] is not None,
        plan.decode(row["prefix"], row["extra"]) if row["prefix"] is not None else {},
        row["hidden"],
        row["from_version"],
        row["generation_id"],
    )


def _follows(line: HistoryRow, later: HistoryRow) -> bool:
    """Whether a later generation goes on showing the same: that is no change to who looks on."""
    return line.to_at == later.from_at and _shows(line) == _shows(later)


def _shows(line: HistoryRow) -> tuple[object, ...]:
    return line.ranked, line.metrics, line.hidden
