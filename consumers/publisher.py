"""Publishes committed places to the rankings, conflated: under load it skips intermediate batches, never a place.

Whatever Redis lost (flushed, evicted, failed over, or a crash between commit and publication) shows as a version that is
not the expected one, and the ranking is rebuilt from PostgreSQL.
"""

import asyncio
import contextlib
import random
import time

import structlog
from redis.exceptions import RedisError

from consumers.crash import Crash
from consumers.failures import back_off
from projections.batch import Batch
from projections.database import AWAY, queries
from projections.rankings import Pending, RankingWriter
from projections.store import Store
from schemas.position import Position

Q = queries("reader")
CHECK_S = 1.0
"""How often it looks whether Redis still holds what it was told, and whether a reader missed a ranking."""

UNDER_LOAD_S = 2.0
UNDER_LOAD_SHARE = 3
"""While the shard is behind, publications lie at least so many seconds apart, and so many times as long as the last one took:
what is shown is late anyway, and places that change twice meanwhile are written once."""

PENDING_MAX = 500_000
log = structlog.get_logger()


class Publisher:
    """One a shard. `note` what was committed; `run` publishes it."""

    def __init__(self, shard: int, store: Store, writer: RankingWriter, crash: Crash) -> None:
        self.shard = shard
        self.store = store
        self.writer = writer
        self.applied_version = 0
        self.published_members = 0
        self.crash = crash
        self._shown: dict[int, int] = {}
        self._pending: dict[int, Pending] = {}
        self._latest: tuple[int, Position, int] | None = None
        self._behind = False
        self._suspect = True
        self._wake = asyncio.Event()
        self._caught_up = asyncio.Event()
        self._last, self._took = 0.0, 0.0
        self._looked = 0.0
        self._failing = False
        self._catalog = -1

    def note(self, batch: Batch) -> None:
        """Takes over the places of a committed batch."""
        fresh = {line[0] for line in batch.new_rankings}
        self._shown.update(dict.fromkeys(fresh, 0))
        for ranking_id, (places, hidden, dense) in batch.places.items():
            # A new ranking is shown even if nobody is ranked yet: a reader would miss it.
            if (not places and ranking_id not in fresh) or ranking_id in batch.pinned:
                continue
            pending = self._pending.get(ranking_id)
            if pending is None:
                pending = self._pending[ranking_id] = Pending(self._shown.get(ranking_id, -1), dense=dense)
                # Taken over and not copied: they are many.
                pending.places, pending.hidden = places, hidden
            else:
                pending.places.update(places)
                pending.hidden.update(hidden)
            pending.version = batch.version
        batch.places = {}
        if sum(len(pending.places) for pending in self._pending.values()) > PENDING_MAX and self._failing:
            # Redis has been away for long: a rebuild is cheaper than to remember everything.
            self._pending.clear()
            self._suspect = True
        if batch.freezes:
            # A ranking that was frozen has missed whatever came since.
            self._suspect = True
        state = batch.after_state
        self._latest = (batch.version, Position(state.epoch, self.shard, state.ms, state.seq), state.profiles)
        self._behind = batch.behind
        if batch.behind:
            self._caught_up.clear()
        else:
            self._caught_up.set()
        self._wake.set()

    def doubt(self) -> None:
        """The catalog may have changed: compare every ranking's version before the next publication."""
        self._suspect = True
        self._wake.set()

    async def run(self) -> None:
        """Publishes until it is cancelled. Services that are away are waited for."""
        attempt = 0
        while True:
            try:
                await self._turn()
                attempt, self._failing = 0, False
            except (RedisError, *AWAY) as error:
                attempt, self._failing, self._suspect = attempt + 1, True, True
                if attempt == 1:
                    log.warning("rankings are not published", shard=self.shard, error=str(error))
                await asyncio.sleep(back_off(attempt, random.random()))

    async def _turn(self) -> None:
        if not self._suspect:
            with contextlib.suppress(TimeoutError):
                # Not `wait_for`: up to Python 3.11 it can swallow a cancellation that comes together with the event.
                async with asyncio.timeout(CHECK_S):
                    await self._wake.wait()
            pause = max(UNDER_LOAD_S, UNDER_LOAD_SHARE * self._took)
            if self._behind and (rest := self._last + pause - time.monotonic()) > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(rest):
                        await self._caught_up.wait()
            if time.monotonic() - self._looked > CHECK_S:
                await self._look()
            if not (self._wake.is_set() or self._suspect):
                return
        self._wake.clear()
        began = time.monotonic()
        latest, pending, self._pending = self._latest, self._pending, {}
        suspect, self._suspect = self._suspect, False
        if suspect:
            latest = await self._check_all(pending)
        await self._publish(pending)
        if latest is not None:
            if not await self.writer.applied(self.shard, *latest):
                # Redis was emptied since this was last said, and be it while the rankings were compared.
                self._suspect = True
            self.applied_version = latest[0]
        self._last = time.monotonic()
        self._took = self._last - began
        self.crash("after_rankings")
        # What was noted meanwhile starts from what is shown now.
        for ranking_id, held in self._pending.items():
            held.start = self._shown.get(ranking_id, held.start)

    async def _publish(self, pending: dict[int, Pending]) -> None:
        for ranking_id, held in list(pending.items()):
            if held.start < 0:
                await self.rebuild(ranking_id)
            if held.start < 0 or held.start >= held.version:
                # A rebuild has shown it, or something newer, already.
                del pending[ranking_id]
        self.crash("before_rankings")
        for ranking_id in await self.writer.update(pending):
            pending.pop(ranking_id)
            await self.rebuild(ranking_id)
        for ranking_id, held in pending.items():
            self._shown[ranking_id] = held.version
            self.published_members += len(held.places)

    async def _look(self) -> None:
        """Notices a Redis that was emptied or went back in time and a swap of generations, and does what readers asked for."""
        self._looked = time.monotonic()
        swapped = (await self.store.shard(self.shard)).catalog != self._catalog
        if swapped or await self.writer.shown(self.shard) != self.applied_version:
            self._suspect = True
        for ranking_id in await self.writer.asked():
            await self.rebuild(ranking_id)

    async def _check_all(self, pending: dict[int, Pending]) -> tuple[int, Position, int]:
        """Compares the version of every live ranking of the shard with PostgreSQL's, and rebuilds those that differ.

        Returns the version, position and profiles that readers are shown then. Pending updates are dropped: places that were
        lost with a failed publication, or committed by another writer or without an answer, are not among them, and would be
        jumped over.
        """
        state = await self.store.shard(self.shard)
        seen = await self.writer.shown(self.shard)
        if seen is not None and seen > state.version:
            # PostgreSQL was restored, and its writer has not noticed yet: no version may stand for two states.
            state = await self.store.leap(self.shard, state, seen)
        self._catalog = state.catalog
        rows = await self.store.pool.fetch(Q["live_versions"], [self.shard])
        shown = await self.writer.versions([row["ranking_id"] for row in rows])
        for row, version in zip(rows, shown, strict=True):
            if version is not None and version == row["version"]:
                self._shown[row["ranking_id"]] = version
            else:
                await self.rebuild(row["ranking_id"])
        pending.clear()
        return state.version, Position(state.epoch, self.shard, state.ms, state.seq), state.profiles

    async def rebuild(self, ranking_id: int) -> None:
        """Replaces one ranking by what PostgreSQL holds, unless another writer has shown something newer meanwhile."""
        newer = -1
        while True:
            found = await self.store.ranking_lines(ranking_id)
            if found is None:
                return
            version, dense, lines, hidden = found
            # Redis never is ahead of PostgreSQL, unless that was restored to an earlier state.
            force = version < newer
            shown = await self.writer.rebuild(ranking_id, version, lines, hidden, dense=dense, force=force)
            if shown is None:
                break
            newer = shown
        self._shown[ranking_id] = version
        log.info("ranking rebuilt", shard=self.shard, ranking=ranking_id, version=version, entries=len(lines))
