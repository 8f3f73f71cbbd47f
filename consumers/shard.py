"""The shard consumer: batches of entries in, committed folds out. One process at a time folds a shard.

While PostgreSQL writes one batch the next is decoded and folded on top of it. Any failure drops everything that is held in
memory, and what was handed over but not committed is read again: the reader behind it only ever moves forward.
"""

import asyncio
import contextlib
import random
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import asyncpg
import structlog
from redis.asyncio import Redis

from consumers.failures import Park, Retry, decide
from consumers.folding import CACHE_GAMES, Folding
from consumers.intake import Entry, RawEntry, take_in
from consumers.publisher import Publisher
from consumers.slices import slices
from engine.corrections import CORRECTIONS
from engine.erasure import erases
from projections.names import epoch_key, stream_key
from projections.store import Batch, ShardState, Store
from projections.tasks import end
from schemas.errors import ConcurrentWriter, LogBroken
from schemas.events import Player, RulesetChange
from schemas.position import SEQ_MAX, parse_entry

FUTURE_MS = 5_000
TRIM_EVERY = 64
STOP_S = 5.0
"""How long a stop waits for the batch under way; what is not committed then will be read again."""

log = structlog.get_logger()


class ShardConsumer:
    """`start` it, hand it batches in the stream's order, `stop` it. `stopped_by` tells why it folds nothing, if so."""

    def __init__(
        self, shard: int, store: Store, publisher: Publisher, redis: Redis, *, total: int, limits: "Limits"
    ) -> None:
        self.shard = shard
        self.store = store
        self.publisher = publisher
        self.redis = redis
        self.limits = limits
        self.stopped_by: LogBroken | None = None
        self.rewound = asyncio.Event()
        """Set when entries that were handed over are gone: the reader has to go on after `state`, not after them."""
        self.folded_events = 0
        self.lag_ms = 0
        self._crash = publisher.crash
        self._folding = Folding(shard, total, store, cache_rows=limits.cache_rows, cache_games=limits.cache_games)
        self._state = ShardState(1, 0, 0, 0, 0)
        self._handed = (0, 0)
        self._commit: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        self._commits = 0
        self._stopping = False
        self._background: set[asyncio.Task[None]] = set()

    @property
    def state(self) -> ShardState:
        """Where the fold is; the commit may be one batch behind."""
        return self._state

    @property
    def held_games(self) -> int:
        """How many games are held in memory."""
        return self._folding.held_games

    async def start(self) -> str:
        """Waits until the shard can be folded; returns the entry id to read after."""
        await self._recover(None)
        task = asyncio.create_task(self.publisher.run())
        self._background.add(task)
        return f"{self._state.ms}-{self._state.seq}"

    async def stop(self) -> None:
        """Lets the last commit finish and ends the publisher."""
        self._stopping = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_S), self._lock:
                if self._commit is not None:
                    await asyncio.gather(self._commit, return_exceptions=True)
        await end(self._background)

    async def handle(self, raw: list[RawEntry]) -> None:
        """Folds a batch. Never raises: it retries, parks the event that fails, or stops the shard."""
        async with self._lock:
            self._handed = max(self._handed, parse_entry(raw[-1][0]))
            self._crash("after_read")
            try:
                await self._process(raw)
            except Exception as error:
                await self._recover(error)

    async def _process(self, raw: list[RawEntry]) -> None:
        """Folds what was not folded yet, and leaves the last commit running."""
        await self._check_log(raw)
        reached = (self._state.ms, self._state.seq)
        entries: list[Entry] = []
        async for part_of_it in slices(raw):
            entries += map(take_in, part_of_it)
        if entries and (entries[0].ms, entries[0].seq) <= reached:
            entries = [entry for entry in entries if (entry.ms, entry.seq) > reached]
        behind = len(raw) >= self.limits.batch_events_max
        for part in _parts(entries):
            if isinstance(part[0].event, RulesetChange):
                await self._settle()
                batch = await self._folding.change_rules(part[0], self._state)
                await self._launch(batch, behind=behind)
                # What follows may belong to the game that these rules make.
                await self._settle()
            elif part[0].event is not None and erases(part[0].event):
                await self._settle()
                await self._launch(await self._folding.erase(part[0], self._state), behind=behind)
                await self._settle()
                # Nothing that was read before may name him again.
                self._folding.forget()
            else:
                if type(part[0].event) in CORRECTIONS:
                    # They look for what they correct in the archive.
                    await self._settle()
                batch = await self._folding.fold(part, self._state)
                self._crash("after_fold")
                await self._settle()
                await self._launch(batch, behind=behind)

    async def _launch(self, batch: Batch, *, behind: bool) -> None:
        self._state = batch.after_state
        self._commit = asyncio.create_task(self._write(batch, behind=behind))
        self._commit.add_done_callback(self._on_commit)

    async def _write(self, batch: Batch, *, behind: bool) -> None:
        self._crash("before_commit")
        await self.store.commit(batch, lambda: self._crash("in_transaction"))
        self._crash("after_commit")
        self._folding.committed(batch)
        self.publisher.note(batch, behind=behind)
        self.folded_events += len(batch.log)
        self._commits += 1
        if self._commits % TRIM_EVERY == 0:
            await self._trim(batch)

    async def _trim(self, batch: Batch) -> None:
        """Drops entries that have been archived for longer than they are to be kept."""
        oldest = max(0, min(batch.upto[0], batch.upto[0] - self.limits.keep_log_s * 1000))
        await self.redis.xtrim(stream_key(self.shard), minid=str(oldest), approximate=True)

    async def _settle(self) -> None:
        """Waits for the commit that is under way; raises what it raised."""
        commit, self._commit = self._commit, None
        if commit is not None:
            await commit

    def _on_commit(self, task: "asyncio.Task[None]") -> None:
        """A commit that fails while no batch is waiting must not wait for the next one to be noticed."""
        if not task.cancelled() and task.exception() is not None and self._commit is task:
            recovery = asyncio.create_task(self._recover_alone(task))
            self._background.add(recovery)
            recovery.add_done_callback(self._background.discard)

    async def _recover_alone(self, task: "asyncio.Task[None]") -> None:
        async with self._lock:
            if self._commit is task:
                await self._recover(task.exception())

    async def _recover(self, error: BaseException | None) -> None:
        """Starts again from the committed position until everything that was handed over is committed."""
        attempt = 0
        kind: type[BaseException] | None = None
        careful = False
        while True:
            if self._stopping:
                return
            if error is not None:
                # A failure of another kind is a new one: an outage must not use up the attempts at a bad event.
                attempt = attempt + 1 if type(error) is kind else 1
                kind = type(error)
                careful = await self._wait(error, attempt)
            try:
                if self._commit is not None:
                    commit, self._commit = self._commit, None
                    await asyncio.gather(commit, return_exceptions=True)
                self._folding.forget()
                self._state = await self.store.shard(self.shard)
                if not isinstance(error, asyncpg.UniqueViolationError):
                    # The catalog may have changed, or a commit may have gone through without an answer.
                    self.publisher.doubt()
                await self._check_epoch()
                await self._catch_up(careful=careful)
            except Exception as failure:
                error = failure
                continue
            if self.stopped_by is not None:
                log.info("shard goes on", shard=self.shard)
            self.stopped_by = None
            return

    async def _wait(self, error: BaseException, attempt: int) -> bool:
        """Acts on a decision; returns whether events are to be folded one by one."""
        decision = decide(error, attempt, random.random())
        if isinstance(error, asyncpg.UniqueViolationError) and isinstance(decision, Retry) and decision.delay_s == 0:
            self._folding.expect_duplicates()
            return False
        if isinstance(decision, Park):
            log.error("fold failed, going on event by event", shard=self.shard, exc_info=error)
            return True
        if isinstance(error, LogBroken):
            if self.stopped_by is None:
                log.error("shard stopped", shard=self.shard, reason=error.reason, advice=error.advice)
            self.stopped_by = error
        elif isinstance(decision, Retry) and attempt in (1, 10, 100):
            log.warning("shard retries", shard=self.shard, attempt=attempt, error=f"{type(error).__name__}: {error}")
        await asyncio.sleep(decision.delay_s)
        return False

    async def _catch_up(self, *, careful: bool) -> None:
        """Reads and commits again what was handed over before the failure."""
        while (self._state.ms, self._state.seq) < self._handed:
            after = f"({self._state.ms}-{self._state.seq}"
            count = 1 if careful else self.limits.batch_events_max
            raw: Any = await self.redis.xrange(stream_key(self.shard), min=after, count=count)
            if not raw:
                # Deleted by an operator since it was handed over; what comes next may have a lower id.
                self._handed = (self._state.ms, self._state.seq)
                self.rewound.set()
                return
            await self._process_carefully(raw) if careful else await self._process(raw)
            await self._settle()

    async def _process_carefully(self, raw: list[RawEntry]) -> None:
        try:
            await self._process(raw)
            await self._settle()
        except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError, AssertionError) as error:
            self._folding.forget()
            self._state = await self.store.shard(self.shard)
            rule = f"cannot be folded: {type(error).__name__}: {error}"
            await self._launch(self._folding.park(take_in(raw[0]), rule, self._state), behind=False)

    async def _check_epoch(self) -> None:
        """The log must be the one that was archived; raises LogBroken."""
        key = epoch_key(self.shard)
        if self._state.version == 0 and self._state.ms == 0:
            await self.redis.set(key, self._state.epoch, nx=True)
        raw = await self.redis.get(key)
        if raw is not None and int(raw) == self._state.epoch - 1:
            raise LogBroken(
                f"The log of shard {self.shard} is in epoch {int(raw)}, its archive in epoch {self._state.epoch}: a change of "
                "the number of shards was broken off.",
                "Run `rankfold reshard` again with the same number.",
            )
        if raw is None or int(raw) != self._state.epoch:
            raise LogBroken(
                f"The log of shard {self.shard} has lost its epoch key {key}: its Redis was emptied or replaced.",
                "What was archived is safe. Restore the log's data, or, if what was not yet archived is gone for good, "
                f"run: redis-cli SET {key} {self._state.epoch}",
            )
        info: Any = await self.redis.xrevrange(stream_key(self.shard), count=1)
        if info and parse_entry(info[0][0]) < (self._state.ms, self._state.seq):
            generated = await self.redis.xinfo_stream(stream_key(self.shard))
            if parse_entry(generated["last-generated-id"]) < (self._state.ms, self._state.seq):
                raise LogBroken(
                    f"The log of shard {self.shard} ends before the archived position "
                    f"{self._state.ms}-{self._state.seq}: it was rewound.",
                    "Restore the newer data of the log's Redis; entries that it lost are in the archive.",
                )

    async def _check_log(self, raw: list[RawEntry]) -> None:
        """Before each batch: the epoch is there, nothing was skipped, and no entry comes from the future."""
        pipeline = self.redis.pipeline(transaction=False)
        pipeline.get(epoch_key(self.shard))
        pipeline.time()
        pipeline.xrange(stream_key(self.shard), min=f"({self._state.ms}-{self._state.seq}", count=1)
        epoch, (seconds, micros), following = await pipeline.execute()
        if epoch is None or int(epoch) != self._state.epoch:
            if (await self.store.shard(self.shard)).epoch != self._state.epoch:
                raise ConcurrentWriter(f"shard {self.shard}: another epoch has begun")
            await self._check_epoch()
        if following and parse_entry(following[0][0]) < parse_entry(raw[0][0]):
            raise ConcurrentWriter(f"shard {self.shard}: the batch does not follow {self._state.ms}-{self._state.seq}")
        now_ms = int(seconds) * 1000 + int(micros) // 1000
        last_ms = parse_entry(raw[-1][0])[0]
        self.lag_ms = max(0, now_ms - last_ms)
        if last_ms > now_ms + FUTURE_MS:
            await self._refuse_future(now_ms + FUTURE_MS)

    async def _refuse_future(self, limit_ms: int) -> None:
        """Folds what lies before the entry from the future, records it, and stops the shard."""
        key = stream_key(self.shard)
        raw: Any = await self.redis.xrange(key, min=f"({self._state.ms}-{self._state.seq}", max=str(limit_ms))
        if raw:
            await self._process(raw)
            await self._settle()
        found: Any = await self.redis.xrange(key, min=f"({limit_ms}-{2**63 - 1}", count=1)
        entry = take_in(found[0])
        reason = "the entry's id lies in the future; every later entry would inherit a wrong recorded time"
        ms, seq = min(entry.ms, SEQ_MAX), min(entry.seq, SEQ_MAX)
        line = (None, self._state.epoch, self.shard, ms, seq, "", reason, entry.body)
        await self.store.dead_letter([line])
        raise LogBroken(
            f"Entry {entry.ms}-{entry.seq} of shard {self.shard} lies in the future of the log's Redis.",
            f"Delete it and those behind it (redis-cli XDEL {key} {entry.ms}-{entry.seq}), set the stream back "
            f"(redis-cli XSETID {key} {self._state.ms}-{self._state.seq}), and publish again what they said.",
        )


class Limits:
    """How much a shard consumer takes at once and keeps."""

    def __init__(
        self, *, batch_events_max: int, cache_rows: int, keep_log_s: int, cache_games: int = CACHE_GAMES
    ) -> None:
        self.batch_events_max = batch_events_max
        self.cache_rows = cache_rows
        self.cache_games = cache_games
        self.keep_log_s = keep_log_s


def _parts(entries: list[Entry]) -> Iterator[list[Entry]]:
    """Stretches of entries that can be folded together.

    A change of rules and the erasing of a player stand alone, corrections stand with others of their kind.
    """
    return (list(part) for _, part in groupby(entries, _company))


def _company(entry: Entry) -> object:
    """What the entries of a stretch have in common."""
    event = entry.event
    kind = type(event)
    if kind not in APART or (isinstance(event, Player) and not erases(event)):
        return None
    return kind if kind in CORRECTIONS else (entry.ms, entry.seq)


APART = frozenset((RulesetChange, Player, *CORRECTIONS))
