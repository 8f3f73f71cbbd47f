"""Rankings as they were displayed in a version, put into the rankings' Redis beside the present ones.

A snapshot never changes, so whoever needs one may make it; it goes away by itself, and is made anew out of the history while
it is in use. Until it is there `PostgresRankings` answers out of the same history.
"""

import asyncio
import logging
import secrets
from collections.abc import Iterator
from time import monotonic
from typing import Any

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from projections.database import AWAY, queries
from projections.names import ranking_keys, snapshot_suffix
from projections.rankings import ABANDONED_S, LUA, Pending, calls_of
from projections.tasks import end

Q = queries("snapshots")
KEPT_S = 900
"""So long a snapshot stays; one in use is made anew after half of that, so that nothing of an erased player stays for long."""

BUILDS_MAX = 2
WAITING_MAX = 100
CHUNK = 1_000
log = logging.getLogger("rankfold.api")


class Snapshots:
    """Makes snapshots in the background: a few at a time, each once, whichever process asks."""

    def __init__(self, pool: asyncpg.Pool, redis: Redis, kept_s: int = KEPT_S) -> None:
        self._pool = pool
        self._redis = redis
        self._kept_s = kept_s
        self._update = redis.register_script((LUA / "update.lua").read_text())
        self._replace = redis.register_script((LUA / "replace.lua").read_text())
        self._slots = asyncio.Semaphore(BUILDS_MAX)
        self._under_way: dict[tuple[int, int], asyncio.Task[None]] = {}
        self._made: dict[tuple[int, int], float] = {}

    def used(self, ranking_id: int, version: int, *, dense: bool, missing: bool) -> None:
        """Somebody has asked for a snapshot: have it made when it is missing, or anew when it is about to go."""
        key = (ranking_id, version)
        due = self._made.setdefault(key, monotonic()) + self._kept_s / 2 < monotonic()
        if (missing or due) and key not in self._under_way and len(self._under_way) < WAITING_MAX:
            task = self._under_way[key] = asyncio.create_task(self._make(*key, dense=dense))
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        if len(self._made) > 10_000:
            self._made.clear()

    async def _make(self, ranking_id: int, version: int, *, dense: bool) -> None:
        async with self._slots:
            keys = ranking_keys(ranking_id, snapshot_suffix(version))
            try:
                # One process at a time; the others find the snapshot later.
                if await self._redis.set(keys[0] + ":made", 1, nx=True, ex=60):
                    await self.build(ranking_id, version, dense=dense)
                    await self._redis.delete(keys[0] + ":made")
                self._made[ranking_id, version] = monotonic()
            except (RedisError, *AWAY) as error:
                log.warning("a snapshot of a ranking was not made: %s", error)

    async def build(self, ranking_id: int, version: int, *, dense: bool) -> None:
        """Makes a snapshot, a chunk at a time, and puts it in its place in one step."""
        suffix = snapshot_suffix(version)
        beside = ranking_keys(ranking_id, f"{suffix}:{secrets.token_hex(4)}")
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            cursor = await connection.cursor(Q["all"], ranking_id, version)
            rows, lines = await cursor.fetch(CHUNK), 0
            while True:
                lines += len(rows)
                following = await cursor.fetch(CHUNK) if rows else []
                pending = Pending(0, dense=dense)
                pending.version = version
                for player, prefix, extra, hidden in rows:
                    (pending.hidden if hidden else pending.places)[player] = (prefix, extra)
                pipeline = self._redis.pipeline(transaction=False)
                for arguments in _calls(pending, last=not following):
                    await self._update(keys=beside, args=arguments, client=pipeline)
                for key in beside:
                    pipeline.expire(key, ABANDONED_S)
                await pipeline.execute()
                if not following:
                    break
                rows = following
        # A part of it may have been evicted meanwhile: then it is not shown.
        if await self._redis.zcard(beside[0]) + await self._redis.hlen(beside[3]) == lines:
            await self._replace(keys=[*beside, *ranking_keys(ranking_id, suffix)], args=[1, self._kept_s])

    async def stop(self) -> None:
        """Ends what is under way."""
        await end(self._under_way.values())


def _calls(pending: Pending, *, last: bool) -> Iterator[list[Any]]:
    """The arguments of `update.lua`; only the last chunk says that the ranking is whole."""
    for arguments in calls_of(pending):
        if not last:
            arguments[2] = 0
        yield arguments
