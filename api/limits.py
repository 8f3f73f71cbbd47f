"""How often one key, or one address without a key, may ask: so many requests of a kind in each minute of the clock.

Counted by the `limits` library in the rankings' Redis, so that all API processes count together, with one round trip a
request. Who is over the limit is refused from memory until the minute ends. While Redis is away each process counts alone.
"""

import ipaddress
import logging
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple

from aiohttp import web
from limits.aio.storage import MemoryStorage, RedisStorage
from redis.exceptions import RedisError

from api.problems import TOO_MANY, RefusedError

if TYPE_CHECKING:
    from redis.asyncio import Redis

WINDOW_S = 60
OVER_MAX = 100_000
log = logging.getLogger("rankfold.api")

LEFT = web.RequestKey("left", bytes)
"""The header lines that tell what is left, for the answer to a request that fails."""

Group = Literal["submissions", "ranks", "boards", "failures"]


class Limits(NamedTuple):
    """Requests a minute, 0 for no limit: publishing, look-ups of players, all other reads; and keys that do not fit."""

    submissions: int = 60
    ranks: int = 300
    boards: int = 600
    failures: int = 30


class Limiter:
    """Counts requests. `clock` tells epoch seconds."""

    def __init__(self, redis: "Redis", limits: Limits, clock: Callable[[], float]) -> None:
        self._limits = limits._asdict()
        self._clock = clock
        # The same connections as the rankings'.
        self._redis = RedisStorage(
            "async+redis://",
            implementation="redispy",
            key_prefix="rankfold:limits",
            connection_pool=redis.connection_pool,  # type: ignore[arg-type]
        )
        self._memory = MemoryStorage()
        self._over: dict[tuple[Group, str], int] = {}
        self._alone = False

    async def count(self, group: Group, subject: str) -> bytes:
        """Counts a request; returns the header lines that tell how many are left, or refuses it with 429."""
        most = self._limits[group]
        if not most:
            return b""
        now = self._clock()
        window = int(now // WINDOW_S)
        if self._over.get((group, subject)) == window:
            raise self._refused(group, now)
        used = await self._incremented(f"{group}/{subject}/{window}")
        if used > most:
            if len(self._over) >= OVER_MAX:
                self._over.clear()
            self._over[(group, subject)] = window
            raise self._refused(group, now)
        return self._headers(group, most - used, now)

    def refuse_blocked(self, group: Group, subject: str) -> None:
        """Refuses who is over a limit already; counts nothing."""
        now = self._clock()
        if self._over.get((group, subject)) == int(now // WINDOW_S):
            raise self._refused(group, now)

    async def _incremented(self, key: str) -> int:
        try:
            used = await self._redis.incr(key, WINDOW_S + 1)
        except (RedisError, OSError) as error:
            if not self._alone:
                log.warning("rate limits are counted by this process alone: %s", type(error).__name__)
            self._alone = True
            return await self._memory.incr(key, WINDOW_S + 1)
        self._alone = False
        return int(used)

    def _refused(self, group: Group, now: float) -> RefusedError:
        left_s = _left_s(now)
        headers = self._headers(group, 0, now) + b"Retry-After: %d\r\n" % left_s
        return RefusedError(
            TOO_MANY, f"at most {self._limits[group]} {group} a minute; again in {left_s} s", None, headers
        )

    def _headers(self, group: Group, left: int, now: float) -> bytes:
        """RateLimit and RateLimit-Policy as in the IETF's draft, and the three older ones that most clients read."""
        most, reset = self._limits[group], _left_s(now)
        name = group.encode()
        return (
            b'RateLimit-Policy: "%b";q=%d;w=%d\r\nRateLimit: "%b";r=%d;t=%d\r\n'
            b"RateLimit-Limit: %d\r\nRateLimit-Remaining: %d\r\nRateLimit-Reset: %d\r\n"
        ) % (name, most, WINDOW_S, name, left, reset, most, left, reset)


def _left_s(now: float) -> int:
    """Whole seconds until the minute is over, at least one."""
    return WINDOW_S - int(now) % WINDOW_S


_WITH_PORT = re.compile(r"(?P<v4>[0-9.]+):[0-9]{1,5}|\[(?P<v6>[^\]]+)\](:[0-9]{1,5})?")
"""How some proxies write an address."""


def address_of(request: web.Request, proxies: int) -> str:
    """Whom a request comes from. Behind `proxies` of one's own each adds one address to X-Forwarded-For, the last ones are
    theirs; what stands before was written by the client and is not believed. An IPv6 client is his whole /64.
    """
    address = request.remote or ""
    if proxies:
        passed = [part.strip() for part in ",".join(request.headers.getall("X-Forwarded-For", [])).split(",")]
        address = passed[-proxies] if len(passed) >= proxies else passed[0] or address
        if (found := _WITH_PORT.fullmatch(address)) is not None:
            address = found["v4"] or found["v6"]
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False).network_address)
