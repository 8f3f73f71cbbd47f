"""Rankings out of PostgreSQL: the same answers as from Redis, slower, for as long as Redis cannot give them."""

from typing import Any

import asyncpg
import msgspec

from engine.boards import BoardPlan
from engine.keys import split
from engine.places import Answer, Lookup, Place, Window, entries_of, rank_of
from projections.database import queries

Q = queries("reader")
PAST = queries("snapshots")


class PostgresRankings:
    """Reads rankings from the standings. All look-ups of one call see the same snapshot."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool

    async def lookup(
        self,
        ranking_id: int,
        plan: BoardPlan,
        lookups: list[Lookup],
        version: int | None = None,
        *,
        frozen: bool = True,
    ) -> Answer | None:
        """Answers in the order of the look-ups, or None when there is no such ranking; with a version as of that one.

        While the ranking is frozen it is the frozen one that answers, unless `frozen` is false.
        """
        async with (
            self.pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            state = None
            if version is None:
                state = await connection.fetchrow(Q["ranking_state"], ranking_id)
                if state is None:
                    return None
                version = state["frozen_at"] if frozen else None
            if version is not None:
                shown, total = version, await connection.fetchval(PAST["total"], ranking_id, version)
            else:
                assert state is not None
                shown, total = state["version"], state["total"]
            snapshot = _Snapshot(connection, ranking_id, plan, total, version)
            found = [await snapshot.find(item) for item in lookups]
        return Answer(shown, total, found)

    async def places(self, plan: BoardPlan, ranking_ids: list[int], player: str) -> dict[int, Place]:
        """His place in each of these rankings of one board in which he has one: one query, however many they are."""
        rows = await self.pool.fetch(Q["places"], ranking_ids, player)
        return {row["ranking_id"]: _place_of(plan, player, row, row["total"]) for row in rows}


def _place_of(plan: BoardPlan, player: str, row: Any, total: int) -> Place:
    """A place without neighbours. A hidden player is not among those who were counted."""
    ordinal, hidden = row["ordinal"], row["hidden"]
    myself = int(hidden)
    tied = row["tied"] + myself
    rank = rank_of(plan.style, ordinal, row["ahead"], tied, row["dense"])
    return Place(player, row["prefix"], row["extra"], ordinal, rank, tied, total + myself, None, hidden)


class _Snapshot:
    def __init__(
        self,
        connection: asyncpg.pool.PoolConnectionProxy,
        ranking_id: int,
        plan: BoardPlan,
        total: int,
        version: int | None,
    ) -> None:
        self.queries = Q if version is None else PAST
        self.of_version = () if version is None else (version,)
        self.connection = connection
        self.ranking_id = ranking_id
        self.plan = plan
        self.total = total

    async def find(self, item: Lookup) -> Place | Window | None:
        kind, what, number = item
        if isinstance(what, str):
            return await self._place(what, number)
        if isinstance(what, int):
            return await self._window(what if kind == "at" else 0, number)
        prefix, player = split(what)
        row: Any = await self.connection.fetchrow(
            self.queries["ordinal_of"], self.ranking_id, prefix, player, *self.of_version
        )
        if kind == "guest":
            return await self._guest(player, prefix, row["before"], number)
        if kind == "after":
            return await self._window(row["through"], number)
        first = max(0, row["before"] - number)
        return await self._window(first, row["before"] - first)

    async def _place(self, player: str, around: int) -> Place | None:
        row = await self.connection.fetchrow(self.queries["place"], self.ranking_id, player, *self.of_version)
        if row is None:
            return None
        return await self._with(_place_of(self.plan, player, row, self.total), around)

    async def _guest(self, player: str, prefix: bytes, ordinal: int, around: int) -> Place:
        counts: Any = await self._counts(prefix, prefix)
        tied = counts["through"] - counts["ahead"]
        row = {"prefix": prefix, "extra": b"", "ordinal": ordinal, "hidden": True, "tied": tied, **counts}
        return await self._with(_place_of(self.plan, player, row, self.total), around)

    async def _with(self, place: Place, around: int) -> Place:
        """A place with its neighbours."""
        if not around:
            return place
        ordinal = place.ordinal
        first = max(0, ordinal - around)
        # A hidden player is not in the window either.
        window = await self._window(first, ordinal + around - first + 1 - int(place.hidden))
        return msgspec.structs.replace(place, around=window)

    async def _window(self, first: int, limit: int) -> Window:
        rows = await self.connection.fetch(
            self.queries["lines"], self.ranking_id, first, max(0, limit), *self.of_version
        )
        if not rows:
            return Window(first, self.total, [])
        lines = [(row["prefix"], row["player"], row["extra"]) for row in rows]
        counts = await self._counts(lines[0][0], lines[-1][0])
        entries = entries_of(self.plan.style, lines, first, counts["ahead"], counts["dense"], counts["through"])
        return Window(first, self.total, entries)

    async def _counts(self, first: bytes, last: bytes) -> Any:
        return await self.connection.fetchrow(self.queries["counts"], self.ranking_id, first, last, *self.of_version)
