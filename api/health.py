"""Whether this process lives, whether what it needs answers, and how busy its connections are."""

import asyncio
import logging
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec
from aiohttp import web
from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.response import NO_STORE, Ready, json_response
from projections import circuits
from projections.catalog import Catalog
from projections.circuits import Circuit, State
from projections.database import AWAY, queries
from projections.names import stream_key
from projections.rankings import RedisRankings
from schemas.position import Position, parse_entry

CHECK_S = 2.0
log = logging.getLogger("rankfold.api")
_SHARDS = queries("reader")["shards"]


class PoolState(msgspec.Struct, frozen=True):
    """The PostgreSQL pool: connections in use and idle, requests that wait for one, how many may be opened."""

    active: int
    idle: int
    waiting: int
    total: int
    max: int
    utilization: float


class ShardLag(msgspec.Struct, frozen=True):
    """How far readers are behind the log: what they see at least, its newest entry, and the time between the two.

    `holder` is the consumer process that holds the shard's lease, null when none does. `circuit` is "closed" while it folds,
    "retrying" while a service is away, "parked" while it looks for an event that cannot be folded, "stopped" while it waits
    for an operator; `reason` and `advice` say why and what to do, `since` since when.
    """

    shard: int
    holder: str | None
    applied: str | None
    newest: str | None
    lag_ms: int | None
    circuit: State = "closed"
    reason: str | None = None
    advice: str | None = None
    since: datetime | None = None


class Readiness(msgspec.Struct, frozen=True):
    """`services` says "ok" or what is wrong. A lag does not make this process unready: no other one would be better.

    `access` is "keys", "open", or "open beyond loopback".
    """

    ready: bool
    services: dict[str, str]
    shards: list[ShardLag]
    access: str


def pool_state(pool: asyncpg.Pool) -> PoolState:
    """What asyncpg tells of its pool; who waits stands in its queue of free connections."""
    total, idle, most = pool.get_size(), pool.get_idle_size(), pool.get_max_size()
    getters = getattr(getattr(pool, "_queue", None), "_getters", ())
    waiting = sum(not getter.done() for getter in getters)
    return PoolState(total - idle, idle, waiting, total, most, round((total - idle) / most, 4))


class Health:
    """The handlers."""

    def __init__(
        self, pool: asyncpg.Pool, redis_log: "Redis", rankings: RedisRankings, catalog: Catalog, access: str
    ) -> None:
        self._pool = pool
        self._log = redis_log
        self._rankings = rankings
        self._catalog = catalog
        self._access = access
        self._known: list[Any] = []

    async def live(self, request: web.Request) -> Ready:
        """200 as long as the event loop turns."""
        return json_response({"status": "live"}, headers=NO_STORE)

    async def pool(self, request: web.Request) -> Ready:
        """The state of the PostgreSQL pool."""
        return json_response(pool_state(self._pool), headers=NO_STORE)

    async def ready(self, request: web.Request) -> Ready:
        """200 when both Redis and PostgreSQL answer within CHECK_S and the games are loaded, else 503; with the lag of each
        shard."""
        names = ("postgresql", "redis_log", "redis_rankings")
        checks = (self._pool.fetch(_SHARDS), self._log.ping(), self._rankings.redis.ping())
        results = await asyncio.gather(*(_within(check) for check in checks), return_exceptions=True)
        services = {name: _state_of(result) for name, result in zip(names, results, strict=True)}
        if services["postgresql"] == "ok" and not self._catalog.loaded:
            services["postgresql"] = "games are not loaded yet"
        ready = all(state == "ok" for state in services.values())
        if isinstance(results[0], list):
            self._known = results[0]
        # PostgreSQL may be what is away; the consumers say so through the rankings' Redis.
        lags = await self._lags() if services["redis_log"] == services["redis_rankings"] == "ok" else []
        return json_response(
            Readiness(ready, services, lags, self._access), status=200 if ready else 503, headers=NO_STORE
        )

    async def circuits(self) -> dict[int, Circuit]:
        """The circuits as `ready` tells them; empty while that cannot be told."""
        try:
            self._known = await _within(self._pool.fetch(_SHARDS))
        except (asyncpg.PostgresError, *AWAY):
            # PostgreSQL may be what they are open for.
            log.debug("the shards are those that were known last")
        try:
            shards = [row["shard"] for row in self._known]
            found: dict[int, Circuit] = await _within(circuits.told(self._rankings.redis, shards))
        except (RedisError, *AWAY):
            return {}
        return found

    async def _lags(self) -> list[ShardLag]:
        shards = self._known
        told = await circuits.told(self._rankings.redis, [row["shard"] for row in shards])
        return list(await asyncio.gather(*(self._lag(row, told[row["shard"]]) for row in shards)))

    async def _lag(self, row: asyncpg.Record, circuit: Circuit) -> ShardLag:
        shard = row["shard"]
        applied = await self._rankings.applied(shard)
        entries: Any = await self._log.xrevrange(stream_key(shard), count=1)
        newest = parse_entry(entries[0][0]) if entries else None
        position = applied[1] if applied is not None else None
        return ShardLag(
            shard,
            row["lease_owner"] if row["held"] else None,
            str(position) if position is not None else None,
            f"{newest[0]}-{newest[1]}" if newest is not None else None,
            _lag_ms(position, newest),
            circuit.state,
            circuit.reason or None,
            circuit.advice or None,
            None if circuit.since_ms is None else datetime.fromtimestamp(circuit.since_ms / 1000, UTC),
        )


def _lag_ms(applied: Position | None, newest: tuple[int, int] | None) -> int | None:
    if applied is None:
        return None
    if newest is None or newest <= (applied.ms, applied.seq):
        return 0
    # Two entries of one millisecond are still apart.
    return max(1, newest[0] - applied.ms)


async def _within(check: Awaitable[Any]) -> Any:
    async with asyncio.timeout(CHECK_S):
        return await check


def _state_of(result: Any) -> str:
    # The kind of the error and not its text, which may hold addresses and names.
    return f"away ({type(result).__name__})" if isinstance(result, BaseException) else "ok"
