"""The shard consumer: batches of entries in, committed folds out. One process at a time folds a shard.

While PostgreSQL writes one batch the next is decoded and folded on top of it. Any failure drops everything that is held in
memory, and what was handed over but not committed is read again: the reader behind it only ever moves forward.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Coroutine
from typing import Any

import asyncpg
import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from consumers.failures import Park, Retry, Stop, decide
from consumers.folding import Folding
from consumers.intake import RawEntry, Taken, join, take_all, take_in
from consumers.parts import Limits, parts
from consumers.publisher import Publisher
from consumers.shardlog import EpochChanged, ShardLog
from consumers.slices import slices
from consumers.writing import Writing
from engine.corrections import CORRECTIONS
from engine.erasure import erases
from projections import circuits
from projections.batch import Batch, ShardState
from projections.circuits import Circuit
from projections.names import stream_key
from projections.store import Store
from projections.tasks import end
from schemas.errors import ConcurrentWriter, LogBroken
from schemas.events import RulesetChange
from schemas.position import SEQ_MAX, parse_entry

GROWTH = 8
"""While more is waiting a batch grows, by no more rows than the cache is to hold: a place that changes often is written once
then. Where every mark is held until the batch ends, it takes at most so many times as many events as are read at once."""

BEHIND_MS = 1_000
"""A read that ends so long before the present is one of a backlog, however short it is: a publisher may be just ahead."""

OPEN_S = 10.0
"""How long a batch grows at most: its transaction is open meanwhile, and holds the shard's row."""

PATIENCE_S = 1.0
"""What is waiting should have been read by then."""

SEEN_S = 1.0
STOP_S = 5.0
"""How long a stop waits for the batch under way; what is not committed then will be read again."""

log = structlog.get_logger()


class ShardConsumer:
    """`start` it, hand it batches in the stream's order, `stop` it. `stopped_by` tells why it folds nothing, if so."""

    def __init__(
        self, shard: int, store: Store, publisher: Publisher, redis: Redis, *, total: int, limits: Limits
    ) -> None:
        self.shard = shard
        self.store = store
        self.publisher = publisher
        self.redis = redis
        self.log = ShardLog(shard, redis, limits.keep_log_s)
        self.limits = limits
        self.stopped_by: Stop | None = None
        self.circuit = Circuit()
        self.retries, self.parked = 0, 0
        self.rewound = asyncio.Event()
        """Set when entries that were handed over are gone: the reader has to go on after `state`, not after them."""
        self.folded_events, self.lag_ms = 0, 0
        self._crash = publisher.crash
        self._folding = Folding(shard, total, store, cache_rows=limits.cache_rows, cache_games=limits.cache_games)
        self._state = ShardState(1, 0, 0, 0, 0)
        self._handed = (0, 0)
        self._open: Batch | None = None
        self._opened = 0.0
        self._writing = Writing(store, self._crash, self._committed, self._on_failure)
        self._lock = asyncio.Lock()
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
        """Lets the last commit finish and ends the publisher. What is handed over from now on is not taken."""
        self._stopping = True
        try:
            async with asyncio.timeout(STOP_S), self._lock:
                await self._close(behind=False)
                await self._writing.rest()
        except Exception as error:
            log.info("not all was committed that was read", shard=self.shard, error=f"{type(error).__name__}: {error}")
        self._abandon()
        await end(self._background)

    async def handle(self, raw: list[RawEntry]) -> None:
        """Folds a batch. Never raises: it retries, parks the event that fails, or stops the shard. It may be cancelled."""
        async with self._lock:
            if self._stopping:
                return
            self._handed = max(self._handed, parse_entry(raw[-1][0]))
            self._crash("after_read")
            try:
                try:
                    await self._process(raw, grows=True)
                except Exception as error:
                    await self._recover(error)
            except asyncio.CancelledError:
                # What is open may be half folded, and says that it goes as far as if it were whole.
                self._abandon()
                raise
            if self._open is not None:
                asyncio.get_running_loop().call_later(PATIENCE_S, self._expect_no_more, self._open, self._open.entries)

    async def _process(self, raw: list[RawEntry], *, grows: bool = False) -> None:
        """Folds what was not folded yet, and leaves the last commit running.

        If it `grows`, and more is waiting, the last batch may be left open for what comes next.
        """
        more = await self._check_log(raw) and (len(raw) >= self.limits.batch_events_max or self.lag_ms >= BEHIND_MS)
        reached = (self._state.ms, self._state.seq)
        if parse_entry(raw[0][0]) <= reached:
            raw = [entry for entry in raw if parse_entry(entry[0]) > reached]
        stretches: list[Taken] = []
        async for stretch in slices(raw):
            join(stretches, take_all(stretch))
        for apart, part in parts(stretches):
            event = apart.event if apart is not None else None
            if apart is not None or not self.store.covers(part[-1].last[0]):
                await self._close(behind=True)
            if apart is not None and isinstance(event, RulesetChange):
                await self._writing.settle()
                batch = await self._folding.change_rules(apart, self._state)
                self._launch(batch, behind=more)
                # What follows may belong to the game that these rules make.
                await self._writing.settle()
            elif apart is not None and event is not None and erases(event):
                await self._writing.settle()
                self._launch(await self._folding.erase(apart, self._state), behind=more)
                await self._writing.settle()
                # Nothing that was read before may name him again.
                self._folding.forget()
            else:
                if type(event) in CORRECTIONS:
                    # They look for what they correct in the archive.
                    await self._writing.settle()
                await self._fold(part, grows=grows and more and apart is None, behind=more)

    async def _fold(self, part: list[Taken], *, grows: bool, behind: bool) -> None:
        """Adds entries to the batch that is open, or to a new one, and ends it unless it may grow."""
        if self._open is None:
            self._open, self._opened = self._folding.begin(self._state), time.monotonic()
        batch, limits = self._open, self.limits
        open_to_more = await self._folding.add(part, batch)
        self._state = batch.after_state
        small = batch.entries < GROWTH * limits.batch_events_max or self._folding.gathers()
        soon = time.monotonic() - self._opened < OPEN_S
        if not (grows and open_to_more and small and soon and self._folding.staged_rows() < limits.cache_rows):
            await self._close(behind=behind)
            return
        await self._writing.pour(batch)

    async def _close(self, *, behind: bool) -> None:
        """Brings the rows of the open batch up to date, and has it committed."""
        batch = self._open
        if batch is None:
            return
        await self._folding.finish(batch)
        self._crash("after_fold")
        self._open, self._state, batch.behind = None, batch.after_state, behind
        await self._writing.finish(batch)

    def _abandon(self) -> None:
        """Gives the open batch up; what is in it will be read again."""
        if self._open is not None:
            self._open.give_up()
        self._open = None

    def _expect_no_more(self, batch: Batch, entries: int) -> None:
        """What should have followed has not come: the log may be away."""
        if self._open is batch and batch.entries == entries:
            self._in_background(self._close_alone(batch))

    async def _close_alone(self, batch: Batch) -> None:
        async with self._lock:
            if self._open is batch and not self._stopping:
                try:
                    await self._close(behind=False)
                except Exception as error:
                    await self._recover(error)

    def _launch(self, batch: Batch, *, behind: bool) -> None:
        batch.behind = behind
        self._state = batch.after_state
        self._writing.launch(batch)

    async def _committed(self, batch: Batch) -> None:
        self._folding.committed(batch)
        self.publisher.note(batch)
        self.folded_events += batch.entries
        await self.log.keep_house(batch.after_state)

    def _on_failure(self, task: "asyncio.Task[None]") -> None:
        self._in_background(self._recover_alone(task))

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _recover_alone(self, task: "asyncio.Task[None]") -> None:
        async with self._lock:
            if self._writing.last is task:
                await self._recover(task.exception())

    async def _recover(self, error: BaseException | None) -> None:
        """Starts again from the committed position until everything that was handed over is committed."""
        attempt = 0
        kind: type[BaseException] | None = None
        reached: tuple[int, ...] | None = None
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
                self._abandon()
                await self._writing.rest()
                self._folding.forget()
                self._state = await self.store.shard(self.shard)
                upto = self._state[:3]
                if reached not in (None, upto):
                    # It got on meanwhile: a bad line is not waited for as long as one that is down.
                    attempt = 0
                reached = upto
                if not isinstance(error, asyncpg.UniqueViolationError):
                    # The catalog may have changed, or a commit may have gone through without an answer.
                    self.publisher.doubt()
                await self._check_restored()
                await self._catch_up(careful=careful)
            except Exception as failure:
                error = failure
                continue
            if self.stopped_by is not None:
                log.info("shard goes on", shard=self.shard)
            self.stopped_by = None
            if error is not None:
                await self._tell(Circuit())
            return

    async def _wait(self, error: BaseException, attempt: int) -> bool:
        """Acts on a decision; returns whether events are to be folded one by one."""
        decision = decide(error, attempt, random.random())
        if isinstance(error, asyncpg.UniqueViolationError) and isinstance(decision, Retry) and decision.delay_s == 0:
            self._folding.admission.expect_duplicates()
            return False
        # The kind of an error and not its text goes to readers: that may hold addresses and names.
        kind, text = type(error).__name__, f"{type(error).__name__}: {error}"
        if isinstance(decision, Park):
            log.error("fold failed, going on event by event", shard=self.shard, exc_info=error)
            await self._tell(Circuit("parked", attempt, kind))
            return True
        if isinstance(decision, Stop):
            if self.stopped_by is None:
                log.error("shard stopped", shard=self.shard, reason=decision.reason, advice=decision.advice)
            self.stopped_by = decision
            reason = decision.reason if isinstance(error, LogBroken) else kind
            await self._tell(Circuit("stopped", attempt, reason, decision.advice))
        else:
            self.retries += 1
            if isinstance(error, ConcurrentWriter) and attempt == 1:
                # A swap of generations, say: nothing is wrong.
                log.info("shard reads again", shard=self.shard, reason=str(error))
            elif attempt in (1, 10, 100):
                log.warning("shard retries", shard=self.shard, attempt=attempt, error=text, advice=decision.advice)
            await self._tell(Circuit("retrying", attempt, kind, decision.advice))
        await asyncio.sleep(decision.delay_s)
        return False

    async def _tell(self, circuit: Circuit) -> None:
        """Says why nothing is folded, or that all is well again, where readers look even while PostgreSQL is away."""
        since_ms = self.circuit.since_ms if self.circuit.state != "closed" else int(time.time() * 1000)
        self.circuit = circuit if circuit.state == "closed" else msgspec.structs.replace(circuit, since_ms=since_ms)
        with contextlib.suppress(RedisError, OSError):
            await circuits.tell(self.publisher.writer.redis, self.shard, self.circuit)

    async def _catch_up(self, *, careful: bool) -> None:
        """Reads and commits again what was handed over before the failure; `careful` until what fails has been found."""
        parked = self.parked
        while (self._state.ms, self._state.seq) < self._handed:
            after = f"({self._state.ms}-{self._state.seq}"
            careful = careful and self.parked == parked
            count = 1 if careful else self.limits.batch_events_max
            raw: Any = await self.redis.xrange(stream_key(self.shard), min=after, count=count)
            if not raw:
                # Deleted by an operator since it was handed over; what comes next may have a lower id.
                self._handed = (self._state.ms, self._state.seq)
                self.rewound.set()
                return
            await self._process_carefully(raw) if careful else await self._process(raw)
            await self._writing.settle()

    async def _process_carefully(self, raw: list[RawEntry]) -> None:
        try:
            await self._process(raw)
            await self._writing.settle()
        except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError, AssertionError) as error:
            self._abandon()
            self._folding.forget()
            self._state = await self.store.shard(self.shard)
            rule = f"cannot be folded: {type(error).__name__}: {error}"
            self.parked += 1
            self._launch(self._folding.park(take_in(raw[0]), rule, self._state), behind=False)

    async def _check_log(self, raw: list[RawEntry]) -> bool:
        """Before each batch: the epoch is there, nothing was skipped, and no entry comes from the future.

        Returns whether there are entries behind these.
        """
        try:
            checked = await self.log.check_batch(self._state, raw[0][0], raw[-1][0])
        except EpochChanged:
            if (await self.store.shard(self.shard)).epoch == self._state.epoch:
                await self.log.check(self._state)
            raise
        self.lag_ms = checked.lag_ms
        if parse_entry(raw[-1][0])[0] > checked.limit_ms:
            await self._refuse_future(checked.limit_ms)
        return checked.more

    async def _check_restored(self) -> None:
        """The log must be the one that was archived. A database that was restored to an earlier time goes on from there."""
        mark = await self.log.check(self._state)
        # The mark may be a second old. Readers were shown what came after it.
        seen = max(0 if mark is None else mark.version, await self._seen())
        if mark is None and seen <= self._state.version:
            return
        log.warning(
            "PostgreSQL is behind what it held before; entries that the log still has are folded again",
            shard=self.shard,
            from_entry=f"{self._state.ms}-{self._state.seq}",
            upto_entry="" if mark is None else f"{mark.at[0]}-{mark.at[1]}",
        )
        self._state = await self.store.leap(self.shard, self._state, seen)
        self._folding.forget()
        await self.log.mark(self._state)

    async def _seen(self) -> int:
        """The version that readers were told of last; 0 when the rankings' Redis does not tell."""
        with contextlib.suppress(RedisError, OSError):
            # It may be away, and the log is folded all the same.
            async with asyncio.timeout(SEEN_S):
                return await self.publisher.writer.shown(self.shard) or 0
        return 0

    async def _refuse_future(self, limit_ms: int) -> None:
        """Folds what lies before the entry from the future, records it, and stops the shard."""
        key = stream_key(self.shard)
        raw: Any = await self.redis.xrange(key, min=f"({self._state.ms}-{self._state.seq}", max=str(limit_ms))
        await self._close(behind=False)
        if raw:
            await self._process(raw)
        await self._writing.settle()
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
