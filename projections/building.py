"""Builds one generation beside the live one: folds the archive in steps, each stored in one transaction with the place that it
reaches, so that a build goes on after a kill; then, when little is left, joins the live one inside the shard writer's lock.

All rows of the generation are in memory meanwhile.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import asyncpg
from redis.asyncio import Redis

from engine.erasure import surrogate_in
from engine.tables import Table
from projections import resuming, surrogates
from projections.archive import Archive, Place, Progress, Runs, here
from projections.batch import Batch, LiveGame, ShardState
from projections.commit import write
from projections.database import Connection, queries
from projections.epochs import Q as EPOCHS
from projections.epochs import lock_home
from projections.rankings import RankingWriter
from projections.store import Q as WRITER
from projections.store import Store
from schemas.errors import NotFound, RankfoldError
from schemas.position import Position

Q = queries("generations")
REPLAY = queries("replay")
STEP_EVENTS = 1_000_000
"""Events between two places that a build can go on from."""

TAIL_EVENTS_MAX = 2_000
"""The shard's writer is held up only for this many events at most."""

NOWHERE: Place = (0, 0, 0)


class Build:
    """One generation while it is built, or while one that was retired catches up. `open` it first."""

    def __init__(
        self,
        store: Store,
        live: LiveGame,
        row: asyncpg.Record,
        progress: Progress,
        crash: Callable[[str], None],
        run: Runs,
    ) -> None:
        self.store = store
        self.live = live
        self.status: str = row["status"]
        self.was_live = row["retired_at"] is not None
        """What it has shown is kept: changed places leave history."""
        self.saved: Place = (row["folded_epoch"], row["folded_ms"], row["folded_seq"])
        self.archive = Archive(live.game_id, live.fold, 0, progress, run)
        self.archive.upto, self.archive.events = self.saved, row["folded_events"]
        self.state = ShardState(1, 0, 0, 0, 0)
        self.crash = crash
        self._stale: dict[Table, int] = {}

    @classmethod
    async def open(
        cls,
        pool: asyncpg.Pool,
        generation_id: int,
        progress: Progress,
        crash: Callable[[str], None] = lambda _: None,
        run: Runs = here,
    ) -> "Build":
        """The build of a generation, from where it stopped. Raises NotFound."""
        store = Store(pool)
        row = await pool.fetchrow(Q["generation"], generation_id)
        if row is None:
            raise NotFound("generation", str(generation_id))
        [live] = await store.resumed([row])
        build = cls(store, live, row, progress, crash, run)
        if build.saved != NOWHERE:
            async with pool.acquire() as connection, connection.transaction(readonly=True):
                build._stale = await resuming.load(connection, build.live)
        return build

    @property
    def position(self) -> Position:
        """Up to where it is folded."""
        epoch, ms, seq = self.archive.upto
        return Position(epoch, self.live.shard, ms, seq)

    async def catch_up(self, until: Place | None = None) -> None:
        """Folds the archive and stores that, step by step, until only a short tail can be left; with `until` up to there."""
        while True:
            events = await self._read(until)
            await self._save()
            if events <= (TAIL_EVENTS_MAX if until is None else 0):
                break

    async def present(self) -> Place:
        """Where the game's shard is."""
        row: Any = await self.store.pool.fetchrow(EPOCHS["state_of_game"], self.live.game_id)
        return (row["epoch"], row["ms"], row["seq"])

    async def _read(self, until: Place | None) -> int:
        async with (
            self.store.pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            if not self.archive.total:
                self.archive.total = await connection.fetchval(REPLAY["count"], self.live.game_id)
            row: Any = await connection.fetchrow(EPOCHS["state_of_game"], self.live.game_id)
            # It may live elsewhere since the last step.
            *state, self.live.shard = row
            self.state = ShardState(*state)
            upto = (self.state.epoch, self.state.ms, self.state.seq)
            upto = upto if until is None else max(min(upto, until), self.archive.upto)
            return await self.archive.read(connection, upto, limit=STEP_EVENTS)

    async def _save(self) -> None:
        batch = await self._settled(self.state.version)
        self.crash("build_step")
        async with self.store.pool.acquire() as connection, connection.transaction():
            await self._claim(connection)
            await self._write(connection, batch)
            self.crash("build_in_transaction")
        self.crash("build_saved")

    async def _settled(self, version: int) -> Batch:
        """What was folded since the last time, as rows of a publication."""
        batch = Batch(self.live.shard, self.state._replace(version=version - 1), self.archive.upto[1:])
        fold = self.live.fold
        run = self.archive.run
        stretches = await run(lambda: list(fold.settling()))
        await self.store.name_rankings(self.live, batch)
        for table, changes in stretches:
            await run(partial(batch.take, table, changes))
        for player, position in self.archive.erased:
            batch.take_erasing(
                self.live,
                surrogates.Erasing(
                    self.live.game_id, self.live.generation_id, player, position, surrogate_in(fold, player, position)
                ),
            )
        self.archive.erased.clear()
        batch.take_rest(self.live)
        # Those that have a new version in the table of rankings, too.
        moved = {ranking_id for ranking_id, (places, _, _) in batch.places.items() if places}
        moved |= {line[0] for line in batch.new_rankings}
        self._stale |= {table: version for table in fold.tables.values() if table.ranking_id in moved}
        batch.clock.take_clock(self.live.generation_id, fold)
        self.live.uncommitted.clear()
        if not self.was_live:
            batch.lines.history.clear()
        return batch

    async def _claim(self, connection: Connection) -> None:
        """Nobody else has gone on from where this was, and nobody has dropped it; holds it until the transaction's end."""
        if await connection.fetchval(Q["claim"], self.live.generation_id, self.status, *self.saved) is None:
            raise RankfoldError(
                f"generation {self.live.generation_id} was dropped or is built by somebody else; start again"
            )

    async def _write(self, connection: Connection, batch: Batch) -> None:
        live, archive = self.live, self.archive
        await connection.execute(WRITER["by_index"])
        await write(connection, batch)
        known = max(archive.total, archive.events)
        await connection.execute(Q["advance"], live.generation_id, *archive.upto, archive.events, known)
        self.saved = archive.upto

    async def show(self, redis: Redis) -> None:
        """Fills the rankings in Redis with what is stored and not shown yet, so that the first reads are fast ones."""
        writer = RankingWriter(redis)
        stale = [(table, version) for table, version in self._stale.items() if table.ranking_id]
        self._stale = {}
        shown = await writer.versions([table.ranking_id for table, _ in stale])
        for (table, version), seen in zip(stale, shown, strict=True):
            if seen == version:
                continue
            lines = [(player, row.prefix, row.extra) for player, row in table.rows.items() if row.prefix is not None]
            hidden = [(player, row.hidden, row.extra) for player, row in table.rows.items() if row.hidden is not None]
            await writer.rebuild(table.ranking_id, version, lines, hidden, dense=table.plan.style == "dense")

    async def join(self, turn: Callable[[Connection, LiveGame], Any]) -> Position:
        """Holds the shard's writer up, folds the tail, and gives the generation its new part in `turn`."""
        live = self.live
        async with self.store.pool.acquire() as connection, connection.transaction():
            self.state = ShardState(*await lock_home(connection, live.game_id, live.shard))
            # Before the archive is read: who rewrites it drops, in the same transaction, what was folded from the old one.
            await self._claim(connection)
            upto = (self.state.epoch, self.state.ms, self.state.seq)
            await self.archive.read(connection, upto)
            await self._write(connection, await self._settled(self.state.version + 1))
            await turn(connection, live)
            self.crash("build_joining")
        self.crash("build_joined")
        return self.position
