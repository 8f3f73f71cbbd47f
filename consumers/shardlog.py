"""The stream of a shard and its housekeeping: whether it is the one that was archived, and what may leave it.

Two keys beside the stream tell what the stream alone cannot. The floor is the position up to which entries may have been
trimmed: an archive that is older than it lacks what nobody has any more. The mark is how far the archive was at least: one
that is behind it was restored from a backup.
"""

import time
from typing import Any, NamedTuple

from redis.asyncio import Redis

from projections.names import archived_key, epoch_key, floor_key, stream_key
from projections.store import ShardState
from schemas.errors import ConcurrentWriter, LogBroken
from schemas.position import parse_entry

FUTURE_MS = 5_000
MARK_EVERY_S = 1.0
TRIM_EVERY = 64
"""Commits between two looks at what may be trimmed."""

Entry = tuple[int, int]


class Mark(NamedTuple):
    """How far a shard was archived at least, and the version of its publications then."""

    epoch: int
    at: Entry
    version: int


class Checked(NamedTuple):
    """What a look at the stream before a batch found: the batch's age, and up to when entries are of the present."""

    lag_ms: int
    limit_ms: int


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
        await self._check_epoch(state)
        pipeline = self.redis.pipeline(transaction=False)
        pipeline.get(archived_key(self.shard))
        pipeline.get(floor_key(self.shard))
        pipeline.xrange(stream_key(self.shard), count=1)
        pipeline.xrevrange(stream_key(self.shard), count=1)
        raw_mark, raw_floor, first, last = await pipeline.execute()
        reached = (state.ms, state.seq)
        mark = _mark_of(raw_mark)
        floor = parse_entry(raw_floor) if raw_floor is not None else (0, 0)
        if reached < floor and (not first or parse_entry(first[0][0]) > reached):
            raise self._gap(reached, floor)
        await self._check_end(reached, last, mark)
        return mark if mark is not None and (mark.epoch, mark.at) > (state.epoch, reached) else None

    async def _check_epoch(self, state: ShardState) -> None:
        key = epoch_key(self.shard)
        if state.version == 0 and state.ms == 0:
            await self.redis.set(key, state.epoch, nx=True)
        raw = await self.redis.get(key)
        if raw is not None and int(raw) == state.epoch - 1:
            raise LogBroken(
                f"The log of shard {self.shard} is in epoch {int(raw)}, its archive in epoch {state.epoch}: a change of "
                "the number of shards was broken off.",
                "Run `rankfold reshard` again with the same number.",
            )
        if raw is not None and int(raw) > state.epoch:
            raise LogBroken(
                f"The log of shard {self.shard} is in epoch {int(raw)}, its archive in epoch {state.epoch}: PostgreSQL is "
                "older than the last change of the number of shards.",
                "Restore a newer backup of PostgreSQL.",
            )
        if raw is None or int(raw) != state.epoch:
            raise LogBroken(
                f"The log of shard {self.shard} has lost its epoch key {key}: its Redis was emptied or replaced.",
                "What was archived is safe. Restore the log's data, or, if what was not yet archived is gone for good, "
                f"run: redis-cli SET {key} {state.epoch}",
            )

    async def _check_end(self, reached: Entry, last: Any, mark: Mark | None) -> None:
        key = stream_key(self.shard)
        if last and parse_entry(last[0][0]) < reached:
            generated = await self.redis.xinfo_stream(key)
            if parse_entry(generated["last-generated-id"]) < reached:
                raise LogBroken(
                    f"The log of shard {self.shard} ends before the archived position {reached[0]}-{reached[1]}: "
                    "it was rewound.",
                    "Restore the newer data of the log's Redis; entries that it lost are in the archive. If there is none, "
                    f"go on behind what was archived: redis-cli XSETID {key} {reached[0]}-{reached[1]}",
                )
        if not last and mark is not None and mark.at > (0, 0) and not await self.redis.exists(key):
            raise LogBroken(
                f"The stream {key} was deleted. What was archived is safe; what was not yet read is gone.",
                f"Restore the log's data, or go on without: redis-cli XGROUP CREATE {key} rankfold $ MKSTREAM",
            )

    def _gap(self, reached: Entry, floor: Entry) -> LogBroken:
        return LogBroken(
            f"PostgreSQL holds shard {self.shard} up to {reached[0]}-{reached[1]}, and the log no longer holds what follows "
            f"up to {floor[0]}-{floor[1]}: PostgreSQL was restored from a backup that is older than what the log keeps.",
            "Restore a newer backup. If there is none, what lies between is lost; to go on without it run: "
            f"redis-cli DEL {floor_key(self.shard)}",
        )

    async def check_batch(self, state: ShardState, first: bytes, last: bytes) -> Checked:
        """Before each batch: the epoch holds, and nothing was skipped. Raises LogBroken or ConcurrentWriter."""
        pipeline = self.redis.pipeline(transaction=False)
        pipeline.get(epoch_key(self.shard))
        pipeline.time()
        pipeline.xrange(stream_key(self.shard), min=f"({state.ms}-{state.seq}", count=1)
        epoch, (seconds, micros), following = await pipeline.execute()
        if epoch is None or int(epoch) != state.epoch:
            raise EpochChanged(f"shard {self.shard}: another epoch has begun")
        if following and parse_entry(following[0][0]) < parse_entry(first):
            raise ConcurrentWriter(f"shard {self.shard}: the batch does not follow {state.ms}-{state.seq}")
        now_ms = int(seconds) * 1000 + int(micros) // 1000
        return Checked(max(0, now_ms - parse_entry(last)[0]), now_ms + FUTURE_MS)

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
