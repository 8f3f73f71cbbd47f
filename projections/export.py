"""A whole ranking, best first, out of one snapshot of PostgreSQL: never more than a few hundred rows at a time in memory.

The database sorts, on its disk when the ranking is large. The transaction stays open until the last row is read, so who
uses this bounds how long that may take.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import asyncpg

from engine.places import Entry, rank_of
from projections.database import queries
from schemas.position import Position

Q = queries("rankings")
PAST = queries("snapshots")


class RankingState(NamedTuple):
    """What a ranking shows: its version, the shard's position, and the version in which a profile last changed."""

    version: int
    position: Position
    profiles: int
    frozen_at: int | None = None


class Snapshot:
    """A ranking as it was when the transaction began. `read` goes through it once."""

    def __init__(self, cursor: Any, style: str, state: RankingState, total: int) -> None:
        self.state = state
        self.total = total
        self._cursor = cursor
        self._style = style
        self._ordinal = 0
        self._prefix: bytes | None = None
        self._ahead = 0
        self._dense = -1

    async def read(self, count: int) -> list[tuple[Entry, str | None]]:
        """The next entries with the players' names; an empty list at the end."""
        rows = await self._cursor.fetch(count)
        return [(self._entry(row), row["name"]) for row in rows]

    def _entry(self, row: asyncpg.Record) -> Entry:
        prefix, tied = row["prefix"], row["tied"]
        if prefix != self._prefix:
            self._prefix, self._ahead = prefix, self._ordinal
            self._dense += 1
        rank = rank_of(self._style, self._ordinal, self._ahead, tied, self._dense)
        entry = Entry(row["player"], prefix, row["extra"], self._ordinal, rank, tied > 1)
        self._ordinal += 1
        return entry


async def state_of(connection: Any, ranking_id: int, shard: int) -> RankingState | None:
    """What is committed of a ranking; None when there is no such one. `connection` may be a pool."""
    row = await connection.fetchrow(Q["state"], ranking_id, shard)
    if row is None:
        return None
    return RankingState(
        row["version"], Position(row["epoch"], shard, row["ms"], row["seq"]), row["profiles"], row["frozen_at"]
    )


@asynccontextmanager
async def snapshot(
    pool: asyncpg.Pool,
    ranking_id: int,
    generation_id: int,
    shard: int,
    style: str,
    version: int | None = None,
    *,
    frozen: bool = True,
) -> AsyncIterator[Snapshot | None]:
    """Opens a snapshot of a ranking whose ranks follow a style; None when there is no such ranking.

    With a version it is the ranking as it was displayed then, and while it is frozen the frozen one, unless `frozen` is false.
    The names are those of a generation.
    """
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        state = await state_of(connection, ranking_id, shard)
        if state is None:
            yield None
            return
        if version is None and frozen:
            version = state.frozen_at
        asked = PAST if version is not None else Q
        of_version = () if version is None else (version,)
        total = await connection.fetchval(asked["total"], ranking_id, *of_version)
        cursor = await connection.cursor(asked["entries"], ranking_id, generation_id, *of_version)
        yield Snapshot(cursor, style, state, total)
