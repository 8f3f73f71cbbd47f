"""Builds one generation beside the live one: folds the archive in steps, each stored in one transaction with the place that it
reaches, so that a build goes on after a kill; then, when little is left, joins the live one inside the shard writer's lock.

All rows of the generation are in memory meanwhile.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import asyncpg
from redis.asyncio import Redis

from engine.erasure import surrogate_in
from projections import resuming, surrogates
from projections.archive import Archive, Place, Progress, Runs, here
from projections.batch import Batch, LiveGame, ShardState
from projections.commit import write, write_feed
from projections.database import ARCHIVE_S, Connection, queries
from projections.epochs import Q as EPOCHS
from projections.epochs import lock_home
from projections.feed import Feed
from projections.showing import Showing
from projections.store import Q as WRITER
from projections.store import Store
from projections.tasks import all_of
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
        redis: Redis | None,
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
        self.showing = None if redis is None else Showing(redis)
        self._ends = False
        """Whether the step at hand comes to where the log is."""

    @classmethod
    async def open(
        cls,
        pool: asyncpg.Pool,
        generation_id: int,
        progress: Progress,
        crash: Callable[[str], None] = lambda _: None,
        run: Runs = here,
        redis: Redis | None = None,
    ) -> "Build":
        """The build of a generation, from where it stopped; it is shown in `redis`. Raises NotFound."""
        store = Store(pool)
        row = await pool.fetchrow(Q["generation"], generation_id)
        if row is None:
            raise NotFound("generation", str(generation_id))
        [live] = await store.resumed([row])
        build = cls(store, live, row, progress, crash, run, redis)
        if build.saved != NOWHERE:
            async with pool.acquire() as connection, connection.transaction(readonly=True):
                stored = await resuming.load(connection, build.live)
            if build.showing is not None:
                build.showing.resume(stored)
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
                self.archive.total = await connection.fetchval(REPLAY["count"], self.live.game_id, timeout=ARCHIVE_S)
            row: Any = await connection.fetchrow(EPOCHS["state_of_game"], self.live.game_id)
            # It may live elsewhere since the last step.
            *state, self.live.shard = row
            self.state = ShardState(*state)
            upto = (self.state.epoch, self.state.ms, self.state.seq)
            upto = upto if until is None else max(min(upto, until), self.archive.upto)
            # A step that left but a few would be followed by another one for these.
            self._ends = self.archive.total - self.archive.events <= STEP_EVENTS + TAIL_EVENTS_MAX
            return await self.archive.read(connection, upto, limit=None if self._ends else STEP_EVENTS)

    async def _save(self) -> None:
        self.crash("build_step")
        async with self.store.pool.acquire() as connection, connection.transaction():
            await self._claim(connection)
            ahead = self._ends and not self.archive.erased
            await self._write(connection, self.state.version, self.showing if ahead else None)
            self.crash("build_in_transaction")
        self.crash("build_saved")

    async def _claim(self, connection: Connection) -> None:
        """Nobody else has gone on from where this was, and nobody has dropped it; holds it until the transaction's end."""
        if await connection.fetchval(Q["claim"], self.live.generation_id, self.status, *self.saved) is None:
            raise self._lost()

    def _lost(self) -> RankfoldError:
        return RankfoldError(
            f"generation {self.live.generation_id} was dropped or is built by somebody else; start again"
        )

    async def _write(self, connection: Connection, version: int, showing: Showing | None = None) -> None:
        """Stores what was folded since the last time as a publication; `showing` has it built in Redis meanwhile."""
        live, archive = self.live, self.archive
        batch = Batch(live.shard, self.state._replace(version=version - 1), archive.upto[1:])
        await connection.execute(WRITER["by_index"])
        tasks: list[Coroutine[Any, Any, None]] = [self._settle(batch, showing)]
        if not archive.erased:
            # Otherwise rows that are stored have to be renamed before others are written.
            batch.feed = Feed()
            tasks.append(write_feed(connection, batch.feed))
        if showing is not None:
            tasks.append(showing.build())
        await all_of(tasks)
        self._take_rest(batch)
        await write(connection, batch)
        known = max(archive.total, archive.events)
        await connection.execute(Q["advance"], live.generation_id, *archive.upto, archive.events, known)
        self.saved = archive.upto

    async def _settle(self, batch: Batch, showing: Showing | None) -> None:
        """Brings the rows up to date with what was folded, and hands them over as they come."""
        live, run = self.live, self.archive.run
        try:
            await self.store.name_rankings(live, batch)
            self._take_erased(batch)
            stretches, last = live.fold.settling(), None
            while (stretch := await run(partial(next, stretches, None))) is not None:
                table, changes = stretch
                if not table.ranking_id:
                    await self.store.name_rankings(live, batch)
                await run(partial(batch.take, table, changes))
                if not self.was_live:
                    batch.lines.history.clear()
                await batch.pour()
                # So that what was handed over is sent meanwhile.
                await asyncio.sleep(0)
                if showing is not None and last not in (None, table) and not last.plan.copied:
                    showing.give(last, batch)
                last = table
            if showing is not None:
                for table in live.fold.tables.values():
                    showing.give(table, batch)
            if batch.feed is not None:
                batch.feed.finish()
        finally:
            if batch.feed is not None:
                batch.feed.end()
            if showing is not None:
                showing.end()

    def _take_erased(self, batch: Batch) -> None:
        """Collects who was erased: before the rows, since others may have come under an id that somebody had before."""
        live = self.live
        for player, position in self.archive.erased:
            after = surrogate_in(live.fold, player, position)
            batch.take_erasing(live, surrogates.Erasing(live.game_id, live.generation_id, player, position, after))
        self.archive.erased.clear()

    def _take_rest(self, batch: Batch) -> None:
        """Collects what was folded since the last time besides rows."""
        live, fold = self.live, self.live.fold
        batch.take_rest(live)
        batch.clock.take_clock(live.generation_id, fold)
        live.uncommitted.clear()
        if self.showing is not None:
            # Those that have a new version in the table of rankings, too.
            moved = {ranking_id for ranking_id, (places, _, _) in batch.places.items() if places}
            moved |= {line[0] for line in batch.new_rankings}
            self.showing.note([table for table in fold.tables.values() if table.ranking_id in moved], batch)

    async def show(self) -> None:
        """Fills the rankings in Redis with what is stored and not shown yet, so that the first reads are fast ones."""
        if self.showing is not None:
            await self.showing.show()
            if await self.store.pool.fetchval(Q["is_dropped"], self.live.generation_id):
                # Who has emptied it may have been here before.
                await self.showing.take_back()
                raise self._lost()

    async def join(self, turn: Callable[[Connection, LiveGame], Any]) -> Position:
        """Holds the shard's writer up, folds the tail, and gives the generation its new part in `turn`."""
        live = self.live
        async with self.store.pool.acquire() as connection, connection.transaction():
            self.state = ShardState(*await lock_home(connection, live.game_id, live.shard))
            # Before the archive is read: who rewrites it drops, in the same transaction, what was folded from the old one.
            await self._claim(connection)
            upto = (self.state.epoch, self.state.ms, self.state.seq)
            await self.archive.read(connection, upto)
            await self._write(connection, self.state.version + 1)
            await turn(connection, live)
            self.crash("build_joining")
        self.crash("build_joined")
        return self.position
