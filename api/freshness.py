"""How far the rankings are, and whether what was read a moment ago still holds.

A position is read before the ranking that it is shown with, never after: an answer shows at least its position. What
was read a moment ago serves for many, so that a thousand readers cost one question; `min_position` asks for more.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from time import monotonic
from typing import Any, NamedTuple, TypeVar

import asyncpg
from redis.exceptions import RedisError

from projections.database import queries
from projections.rankings import RedisRankings
from schemas.errors import Unavailable
from schemas.position import Position

FRESH_MS = 10
"""An answer may be made from what was checked so long ago. It bounds how stale a cached page can be."""

FRESH_S = FRESH_MS / 1000
POSITION_AGE_S = 0.05
"""The position that an answer names may be so old: it says what is shown at least, so an older one is no less true."""

AWAY_S = 1.0
"""So long the rankings' Redis is left alone after it did not answer."""

POLL_MS = 4
"""Who waits for a position looks so often, all waiters of a shard together."""

_SHARDS = queries("reader")["shards"]
log = logging.getLogger("rankfold.api")
T = TypeVar("T")


class SingleFlight:
    """Runs one call for all that ask for the same key while it is under way."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, list[asyncio.Future[Any]]] = {}
        self._flying: set[asyncio.Task[None]] = set()

    def ensure(self, key: Hashable, call: Callable[[], Awaitable[Any]]) -> "list[asyncio.Future[Any]]":
        """Starts `call` unless one is running for the key; returns those who wait for it."""
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = self._waiting[key] = []
            task = asyncio.create_task(self._fly(key, call))
            self._flying.add(task)
            task.add_done_callback(self._flying.discard)
        return waiting

    async def do(self, key: Hashable, call: Callable[[], Awaitable[T]]) -> T:
        """The result of `call`, or of the one that is running already. One asker's cancellation leaves the others'."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.ensure(key, call).append(future)
        return await future

    async def _fly(self, key: Hashable, call: Callable[[], Awaitable[Any]]) -> None:
        result, error = None, None
        try:
            result = await call()
        except Exception as failure:
            error = failure
        finally:
            waiting = self._waiting.pop(key)
        for future in waiting:
            if future.done():
                continue
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)


class Shown(NamedTuple):
    """What readers of a shard get to see at least. `in_redis` is False while only PostgreSQL can tell.

    `profiles` is the publication in which something was last said of a player; 0 while nothing ever was. Of a spread game it
    is their sum over its parts, and `parts` is what each of them shows.
    """

    position: Position
    in_redis: bool
    read_at: float
    text: str
    profiles: int = 0
    parts: "tuple[Shown, ...]" = ()

    @property
    def profiled(self) -> tuple[int, ...]:
        """The publications in which something was last said of a player, one for each part."""
        return tuple(each.profiles for each in self.parts) if self.parts else (self.profiles,)

    def of(self, part: int) -> "Shown":
        """What a part of a spread game shows."""
        return self.parts[part] if self.parts else self


class Applied:
    """The shards' applied positions, asked for at most every FRESH_MS."""

    def __init__(self, rankings: RedisRankings, pool: asyncpg.Pool) -> None:
        self._rankings = rankings
        self._pool = pool
        self._known: dict[int, Shown] = {}
        self._flights = SingleFlight()
        self._away_until = 0.0

    def recent(self, shard: int) -> Shown | None:
        """What was read a moment ago, if anything was. Under load it is renewed before anybody waits for it."""
        known = self._known.get(shard)
        if known is None:
            return None
        age = monotonic() - known.read_at
        if age > FRESH_S:
            if age > POSITION_AGE_S:
                return None
            self._flights.ensure(shard, lambda: self._read(shard))
        return known

    def positions(self) -> str:
        """What is known of each shard, for log lines: one position, or several with commas between them."""
        return ",".join(known.text for _, known in sorted(self._known.items()))

    async def read(self, shard: int) -> Shown:
        """Reads how far a shard is. Raises Unavailable when neither Redis nor PostgreSQL tells."""
        return await self._flights.do(shard, lambda: self._read(shard))

    async def wait(self, position: Position, seconds: float) -> Shown | None:
        """Waits until readers see at least this position; None when they do not within that time."""
        deadline = monotonic() + seconds
        while True:
            known = self._known.get(position.shard)
            if known is None or known.position < position:
                known = await self.read(position.shard)
            if known.position >= position:
                return known
            left = deadline - monotonic()
            if left <= 0:
                return None
            await asyncio.sleep(min(POLL_MS / 1000, left))

    async def _read(self, shard: int) -> Shown:
        now = monotonic()
        found = None
        if now >= self._away_until:
            try:
                found = await self._rankings.applied(shard)
            except RedisError as error:
                self.redis_is_away(error)
        position, profiles = found[1:] if found is not None else await self._committed(shard)
        shown = self._known[shard] = Shown(position, found is not None, now, str(position), profiles)
        return shown

    def redis_is_away(self, error: RedisError) -> None:
        """For AWAY_S nobody asks Redis: each would wait for its own time-out before PostgreSQL answers him."""
        log.warning("rankings come from PostgreSQL: %s", error)
        self._away_until = monotonic() + AWAY_S
        self._known.clear()

    async def _committed(self, shard: int) -> tuple[Position, int]:
        """PostgreSQL's position and profiles: the standings are committed together with them."""
        for row in await self._pool.fetch(_SHARDS):
            if row["shard"] == shard:
                return Position(row["epoch"], shard, row["ms"], row["seq"]), row["profiles"]
        raise Unavailable(f"shard {shard} has no consumer yet")
