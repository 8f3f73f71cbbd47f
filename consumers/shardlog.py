"""The stream of a shard and its housekeeping: whether it is the one that was archived, and what may leave it.

Two keys beside the stream tell what the stream alone cannot. The floor is the position up to which entries may have been
trimmed: an archive that is older than it lacks what nobody has any more. The mark is how far the archive was at least: one
that is behind it was restored from a backup.
"""

import time
from typing import Any, NamedTuple

import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from consumers.logstate import NOWHERE, Entry, LogState, adopted, trouble, written
from projections.batch import ShardState
from projections.names import archived_key, epoch_key, floor_key, holes_key, stream_key
from schemas.errors import ConcurrentWriter
from schemas.position import parse_entry

FUTURE_MS = 5_000
MARK_EVERY_S = 1.0
TRIM_EVERY = 64
"""Commits between two looks at what may be trimmed."""

log = structlog.get_logger()


class Mark(NamedTuple):
    """How far a shard was archived at least, and the version of its publications then."""

    epoch: int
    at: Entry
    version: int


class Checked(NamedTuple):
    """What a look at the stream before a batch found: the batch's age, up to when entries are of the present, and whether
    there are entries behind it."""

    lag_ms: int
    limit_ms: int
    more: bool


class ShardLog:
    """A shard's stream in the log's Redis."""

    def __init__(self, shard: int, redis: Redis, keep_s: int) -> None:
        self.shard = shard
        self.redis = redis
        self.keep_s = keep_s
        self._marked, self._commits = 0.0, 0

    async def check(self, state: ShardState) -> Mark | None:
        """The log must be the one that was archived up to `state`; raises LogBroken.

        Returns the mark when PostgreSQL is behind it: it holds an earlier state than it once did, and nothing is lost, since
        the stream still has what it lacks.
        """
        if state.version == 0 and state.ms == 0:
            await self.redis.set(epoch_key(self.shard), state.epoch, nx=True)
        reached = (state.ms, state.seq)
        found, mark = await self._read(reached)
        broken = trouble(self.shard, state.epoch, reached, found)
        if broken is not None:
            raise broken
        if found.floor is None:
            await self.redis.set(floor_key(self.shard), written(adopted(reached, found)), nx=True)
        if reached < found.deleted <= found.generated:
            log.warning("entries were deleted before they were read", shard=self.shard, upto=written(found.deleted))
        return mark if mark is not None and (mark.epoch, mark.at) > (state.epoch, reached) else None

    async def _read(self, reached: Entry) -> tuple[LogState, Mark | None]:
        stream, here = stream_key(self.shard), written(reached)
        pipeline = self.redis.pipeline(transaction=False)
        for key in (epoch_key, floor_key, holes_key, archived_key):
            pipeline.get(key(self.shard))
        pipeline.xrange(stream, count=1)
        pipeline.xrange(stream, min=here, max=here)
        epoch, floor, holes, mark, first, at = await pipeline.execute()
        try:
            info: Any = await self.redis.xinfo_stream(stream)
        except ResponseError as error:
            if "no such key" not in str(error):
                raise
            info = {}
        state = LogState(
            None if epoch is None else int(epoch),
            None if floor is None else parse_entry(floor),
            parse_entry(holes or b"0"),
            parse_entry(first[0][0]) if first else None,
            bool(at),
            parse_entry(info.get("last-generated-id", b"0")),
            parse_entry(info.get("max-deleted-entry-id", b"0")),
        )
        return state, _mark_of(mark)

    async def check_batch(self, state: ShardState, first: bytes, last: bytes) -> Checked:
        """Before each batch: the epoch holds, and nothing was skipped. Raises LogBroken or ConcurrentWriter."""
        pipeline = self.redis.pipeline(transaction=False)
        pipeline.get(epoch_key(self.shard))
        pipeline.time()
        pipeline.xrange(stream_key(self.shard), min=f"{state.ms}-{state.seq}", count=2)
        pipeline.xrevrange(stream_key(self.shard), count=1)
        epoch, (seconds, micros), found, newest = await pipeline.execute()
        if epoch is None or int(epoch) != state.epoch:
            raise EpochChanged(f"shard {self.shard}: another epoch has begun")
        following = await self._following(state, [parse_entry(entry) for entry, _ in found])
        if following is not None and following < parse_entry(first):
            raise ConcurrentWriter(f"shard {self.shard}: the batch does not follow {state.ms}-{state.seq}")
        now_ms = int(seconds) * 1000 + int(micros) // 1000
        reached = parse_entry(last)
        more = bool(newest) and parse_entry(newest[0][0]) > reached
        return Checked(max(0, now_ms - reached[0]), now_ms + FUTURE_MS, more)

    async def _following(self, state: ShardState, found: list[Entry]) -> Entry | None:
        """The entry behind a position, of those from it on. Nobody but an erasure takes the entry at the position away."""
        reached = (state.ms, state.seq)
        if reached != NOWHERE and found and found[0] != reached:
            known: Any = await self.redis.mget(floor_key(self.shard), holes_key(self.shard))
            if max(parse_entry(entry or b"0") for entry in known) < reached:
                await self.check(state)
        return next((entry for entry in found if entry > reached), None)

    async def keep_house(self, state: ShardState) -> None:
        """After a commit: says now and then how far the archive is, and drops what has been archived for long enough."""
        if time.monotonic() - self._marked >= MARK_EVERY_S:
            await self.mark(state)
        self._commits += 1
        if self._commits % TRIM_EVERY == 0:
            await self._trim((state.ms, state.seq))

    async def mark(self, state: ShardState) -> None:
        """Says how far the archive is."""
        self._marked = time.monotonic()
        await self.redis.set(archived_key(self.shard), f"{state.epoch} {state.ms}-{state.seq} {state.version}")

    async def _trim(self, archived: Entry) -> None:
        """Drops entries that have been archived for longer than they are to be kept. The floor is raised first."""
        oldest = max(0, archived[0] - max(0, self.keep_s) * 1000)
        pipeline = self.redis.pipeline(transaction=True)
        pipeline.set(floor_key(self.shard), f"{oldest}-0")
        pipeline.xtrim(stream_key(self.shard), minid=str(oldest), approximate=True)
        await pipeline.execute()


class EpochChanged(ConcurrentWriter):
    """The log's epoch is not the one that the batch was read in."""


def _mark_of(raw: bytes | None) -> Mark | None:
    if raw is None:
        return None
    epoch, entry, version = raw.split()
    return Mark(int(epoch), parse_entry(entry), int(version))
