"""A whole ranking, best first, out of one snapshot of PostgreSQL: never more than a few hundred rows at a time in memory.

The database sorts, on its disk when the ranking is large. The transaction stays open until the last row is read, so who
uses this bounds how long that may take.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import asyncpg

from engine.places import Entry, rank_of
from projections.database import columns, queries
from projections.moments import NOW
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
    """A ranking as it was when the transaction began, and where the shards were. `read` goes through it once."""

    def __init__(self, cursor: Any, style: str, positions: dict[int, Position], total: int) -> None:
        self.positions = positions
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


class Source(NamedTuple):
    """A ranking that is told: as it was displayed in a version, or (None) is now, and then while it is frozen the frozen one,
    unless `frozen` is false. The names are those of a generation."""

    ranking_id: int
    generation_id: int
    shard: int
    version: int | None = None
    frozen: bool = True


@asynccontextmanager
async def snapshot(pool: asyncpg.Pool, sources: Sequence[Source], style: str) -> AsyncIterator[Snapshot | None]:
    """Opens a snapshot of a ranking whose ranks follow a style, of a spread game of those of all its parts in one.

    None when there is no such ranking.
    """
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        states: dict[int, RankingState] = {}
        asked: list[tuple[int, int, int | None]] = []
        for each in sources:
            state = await state_of(connection, each.ranking_id, each.shard)
            if state is None:
                continue
            states[each.shard] = state
            version = state.frozen_at if each.version is None and each.frozen else each.version
            asked.append((each.ranking_id, each.generation_id, version))
        if not asked:
            yield None
            return
        total = 0
        for ranking_id, _, version in asked:
            of_version = () if version is None else (version,)
            total += await connection.fetchval((Q if version is None else PAST)["total"], ranking_id, *of_version)
        if len(asked) > 1:
            lines = [(ranking_id, names, NOW if version is None else version) for ranking_id, names, version in asked]
            cursor = await connection.cursor(PAST["entries_of_parts"], *columns(lines, 3))
        else:
            ((ranking_id, names, version),) = asked
            of_version = () if version is None else (version,)
            cursor = await connection.cursor(
                (Q if version is None else PAST)["entries"], ranking_id, names, *of_version
            )
        yield Snapshot(cursor, style, {shard: state.position for shard, state in states.items()}, total)
