"""Shows a generation that is built in Redis, so that the first reads of it are fast ones.

Rankings are built beside those that are shown while their rows are written, and put in their place when these are committed.
What moves afterwards is brought up to date there, place by place.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator

from redis.asyncio import Redis
from redis.exceptions import RedisError

from engine.tables import Table
from projections.batch import Batch
from projections.names import ranking_keys
from projections.rankings import Keys, Line, Pending, RankingWriter


class Showing:
    """The rankings of one generation, whose rows are all in memory."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._writer = RankingWriter(redis)
        self._stale: dict[Table, int] = {}
        """The versions of those that Redis may not hold."""
        self._held: dict[Table, Pending] = {}
        """Those that it holds, with what has moved since."""
        self._beside: dict[Table, tuple[int, Keys]] = {}
        """Those that it will hold, in a version, when they are put in their place."""
        self._given: set[Table] = set()
        self._settled: asyncio.Queue[tuple[Table, int] | None] = asyncio.Queue()

    def resume(self, stored: dict[Table, int]) -> None:
        """These are stored, each in a version; nobody knows whether they are shown."""
        self._stale |= stored

    def give(self, table: Table, batch: Batch) -> None:
        """The rows of a ranking are as they will be committed with a batch: has it built, unless it is held."""
        moved = table.ranking_id in batch.places and batch.places[table.ranking_id][0]
        version = batch.version if moved else self._stale.get(table)
        if version is not None and table not in self._held and table not in self._given:
            self._given.add(table)
            self._settled.put_nowait((table, version))

    def end(self) -> None:
        """All were given."""
        self._settled.put_nowait(None)

    async def build(self) -> None:
        """Builds what is given, beside what is shown, until all were given. The rows stay as they are meanwhile."""
        while (given := await self._settled.get()) is not None:
            table, version = given
            with contextlib.suppress(RedisError, OSError):
                keys = await self._writer.build(table.ranking_id, version, *_lines(table), dense=_dense(table))
                self._beside[table] = version, keys

    def note(self, moved: Iterable[Table], batch: Batch) -> None:
        """A batch is about to be committed that these rankings have moved with."""
        for table in moved:
            held = self._held.get(table)
            if held is None:
                self._stale[table] = batch.version
            else:
                places, hidden, _ = batch.places[table.ranking_id]
                held.places.update(places)
                held.hidden.update(hidden)
                held.version = batch.version
        for table, (version, _) in self._beside.items():
            if table not in self._held:
                self._hold(table, version)
        self._given.clear()

    def _hold(self, table: Table, version: int) -> None:
        self._held[table] = Pending(version, dense=_dense(table))
        self._stale.pop(table, None)

    async def show(self) -> None:
        """Shows what is committed, and was not shown yet."""
        for table, (_, keys) in self._beside.items():
            await self._writer.replace(table.ranking_id, keys)
        self._beside.clear()
        moved = {table: held for table, held in self._held.items() if held.start < held.version}
        lost = set(await self._writer.update({table.ranking_id: held for table, held in moved.items()}))
        for table, held in moved.items():
            self._hold(table, held.version)
            if table.ranking_id in lost:
                self._stale[table] = held.version
        stale = [(table, version) for table, version in self._stale.items() if table.ranking_id]
        shown = await self._writer.versions([table.ranking_id for table, _ in stale])
        for (table, version), seen in zip(stale, shown, strict=True):
            if seen != version:
                await self._writer.rebuild(table.ranking_id, version, *_lines(table), dense=_dense(table))
            self._hold(table, version)

    async def take_back(self) -> None:
        """Shows nothing any more."""
        for table in self._held:
            await self._redis.unlink(*ranking_keys(table.ranking_id))
        self._held.clear()


def _dense(table: Table) -> bool:
    return table.plan.style == "dense"


def _lines(table: Table) -> tuple[Iterator[Line], Iterator[Line]]:
    """The places of a ranking as its rows are now, and the hidden ones."""
    rows = table.rows
    return (
        ((player, row.prefix, row.extra) for player, row in rows.items() if row.prefix is not None),
        ((player, row.hidden, row.extra) for player, row in rows.items() if row.hidden is not None),
    )
