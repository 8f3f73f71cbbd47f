"""Changing the number of shards: a new epoch of the log. Archived positions stay as they are.

While everything runs: appends over HTTP are held up, consumers archive what is in the streams, then one transaction moves the
games and begins the epoch on every shard, and the log's Redis is told. Whatever a consumer still does in the old epoch is
refused by the compare-and-set. Run it again when it was broken off: it finishes what was begun.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import asyncpg
from redis.asyncio import Redis

from projections import epochs
from projections.database import Connection, columns
from projections.epochs import Epoch, Q
from projections.names import closed_key, epoch_key, shard_of, stream_key
from schemas.errors import LogBroken, RankfoldError
from schemas.position import parse_entry

CLOSED_S = 60
"""A stream is closed for so long at a time: it opens by itself when whoever closed it is no more."""

LOOK_S = 0.1
Progress = Callable[[int, int], None]
"""Called with (shards that are archived to their end, shards in all) now and then."""


Passed = Callable[[str], None]


def _never(_: str) -> None:
    """Nobody wants it to crash."""


class Resharded(NamedTuple):
    """The epoch that holds now, and how many games it moved; `began` is false when there was nothing to begin."""

    epoch: int
    shards: int
    moved: int
    began: bool
    seconds: float


async def reshard(
    pool: asyncpg.Pool, log: Redis, shards: int, progress: Progress, *, timeout_s: float = 60.0, crash: Passed = _never
) -> Resharded:
    """Gives the log so many shards. Raises RankfoldError when it cannot; nothing has changed then.

    The parts of spread games stay where they are, so there is no going below as many shards as one of them has.

    `timeout_s` is how long it waits for what is in the streams to be archived. `crash` is told of the points that it passes.
    """
    started = time.monotonic()
    epoch = await epochs.latest(pool)
    if epoch is None:
        raise RankfoldError("the log has not begun: its first consumer gives it RANKFOLD_SHARDS shards")
    if epoch.shards != shards and not epoch.opened:
        raise RankfoldError(f"a change to {epoch.shards} shards was broken off: finish it first, with that number")
    widest = await pool.fetchrow(Q["widest"])
    if widest is not None and widest["parts"] > shards:
        raise RankfoldError(
            f"{widest['name']} is spread over {widest['parts']} shards, and its parts cannot be joined: the log keeps at least "
            "so many"
        )
    moved, began = 0, epoch.shards != shards
    if began:
        change = _Change(pool, log, epoch, shards, progress, crash)
        try:
            moved = await change.make(started + timeout_s)
        except BaseException:
            await change.reopen()
            raise
        epoch = Epoch(epoch.number + 1, shards, False)
    if not epoch.opened:
        await _open(pool, log, epoch, crash)
    return Resharded(epoch.number, shards, moved, began, time.monotonic() - started)


class _Change:
    """One change from an epoch to the next."""

    def __init__(
        self, pool: asyncpg.Pool, log: Redis, epoch: Epoch, shards: int, progress: Progress, crash: Passed
    ) -> None:
        self.pool = pool
        self.log = log
        self.epoch = epoch
        self.shards = shards
        self.progress = progress
        self.crash = crash
        self.closed: list[int] = []

    async def make(self, deadline: float) -> int:
        """Waits until everything is archived, and switches; returns how many games have moved."""
        while True:
            rows = await self.pool.fetch(Q["positions"])
            await self._check(rows)
            await self._close(row["shard"] for row in rows)
            self.crash("reshard_closed")
            behind = await self._behind(rows)
            self.progress(len(rows) - len(behind), len(rows))
            if not behind:
                moved = await self._switch()
                if moved is not None:
                    return moved
            elif time.monotonic() > deadline:
                raise RankfoldError(
                    f"what is in the streams of these shards is not archived: {', '.join(map(str, behind))}. Consumers have "
                    "to run, and publishers that write to the streams themselves have to pause; nothing was changed"
                )
            await asyncio.sleep(LOOK_S)

    async def reopen(self) -> None:
        """Lets publishers go on as before."""
        if self.closed:
            await self.log.delete(*map(closed_key, self.closed))

    async def _check(self, rows: list[asyncpg.Record]) -> None:
        for row in rows:
            held = await self.log.get(epoch_key(row["shard"]))
            if (
                row["epoch"] != self.epoch.number
                or (held is None and row["ms"])
                or int(held or row["epoch"]) != row["epoch"]
            ):
                raise LogBroken(
                    f"The log of shard {row['shard']} is not in epoch {self.epoch.number}.", "Run `rankfold doctor`."
                )

    async def _close(self, shards: Any) -> None:
        self.closed = list(shards)
        for shard in self.closed:
            await self.log.set(closed_key(shard), self.epoch.number + 1, ex=CLOSED_S)

    async def _behind(self, rows: list[asyncpg.Record]) -> list[int]:
        """The shards whose streams have entries that are not archived, or that the clock has not come past yet.

        Recorded times never go back from one epoch to the next.
        """
        seconds, micros = await self.log.time()
        now_ms = int(seconds) * 1000 + int(micros) // 1000
        found = []
        for row in rows:
            entries: Any = await self.log.xrevrange(stream_key(row["shard"]), count=1)
            last = parse_entry(entries[0][0]) if entries else (0, 0)
            if last > (row["ms"], row["seq"]) or row["ms"] >= now_ms:
                found.append(row["shard"])
        return found

    async def _switch(self) -> int | None:
        """The transaction; None when something was appended or folded meanwhile, and nothing has changed."""
        async with self.pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(Q["lock"])
            if await epochs.latest(connection) != self.epoch:
                raise RankfoldError("somebody else is changing the number of shards")
            # Closed anew: a stream that opened by itself may have been appended to.
            await self._close(row["shard"] for row in rows)
            if await self._behind(rows):
                return None
            number, version = self.epoch.number + 1, max(row["version"] for row in rows) + 1
            for shard in range(len(rows), self.shards):
                # Nobody uses these yet; a consumer that takes one at once finds it in its epoch.
                await self.log.set(epoch_key(shard), number)
            await connection.execute(Q["new_shards"], number, list(range(self.shards)))
            await connection.execute(Q["keep_floors"])
            await connection.execute(Q["begin"], number, version)
            moves = await self._moves(connection)
            await connection.execute(Q["move"], *columns(moves, 2), version)
            await connection.execute(Q["new_epoch"], number, self.shards)
            self.crash("reshard_in_transaction")
        self.crash("reshard_committed")
        return len(moves)

    async def _moves(self, connection: Connection) -> list[tuple[int, int]]:
        homes = [(row, shard_of(row["name"], self.shards)) for row in await connection.fetch(Q["games"])]
        return [(row["game_id"], shard) for row, shard in homes if shard != row["shard"]]


async def _open(pool: asyncpg.Pool, log: Redis, epoch: Epoch, crash: Passed) -> None:
    """Tells the log's Redis of an epoch that has begun in PostgreSQL."""
    rows = await pool.fetch(Q["positions"])
    for row in rows:
        held = await log.get(epoch_key(row["shard"]))
        if held is None and row["ms"]:
            raise LogBroken(f"The log of shard {row['shard']} has lost its epoch.", "Run `rankfold doctor`.")
    for row in rows:
        pipeline = log.pipeline(transaction=True)
        pipeline.set(epoch_key(row["shard"]), epoch.number)
        pipeline.delete(closed_key(row["shard"]))
        await pipeline.execute()
        crash("reshard_telling")
    await pool.execute(Q["opened"], epoch.number)
