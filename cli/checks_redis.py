"""What `doctor` looks at in the two Redis servers."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from cli.checks import Check, at_least, judged
from cli.failures import error_text
from cli.services import redis_client

VERSION_LEAST = (6, 2)
LOG = "Redis, log"
RANKINGS = "Redis, rankings"
FULL_SHARE = 0.8

Info = Mapping[str, Any]


async def redis_checks(log_url: str | None, rankings_url: str | None) -> list[Check]:
    """Both servers, and whether they are two."""
    log, rankings = Server(LOG, "REDIS_LOG_URL", log_url), Server(RANKINGS, "REDIS_RANKINGS_URL", rankings_url)
    found = [check async for check in log.checks()] + [check async for check in rankings.checks()]
    if log.info and rankings.info:
        same = log.info.get("run_id") == rankings.info.get("run_id")
        advice = "give the rankings a Redis of their own: FLUSHDB, eviction and a full memory must not meet the log"
        found.append(judged(LOG, "apart from rankings", "no" if same else "yes", not same, advice, otherwise="warn"))
    return found


class Server:
    """One server; `info` is what INFO said, empty until it answers."""

    def __init__(self, subject: str, variable: str, url: str | None) -> None:
        self.subject = subject
        self.variable = variable
        self.url = url
        self.info: Info = {}

    async def checks(self) -> AsyncIterator[Check]:
        """Everything that there is to say about it."""
        if self.url is None:
            yield Check(self.subject, "configured", "fail", "no", f"set {self.variable}, or start `rankfold up`")
            return
        client = redis_client(self.url)
        try:
            self.info = await client.info()
        except (RedisError, OSError) as error:
            advice = f"start it, and look at {self.variable}"
            yield Check(self.subject, "reachable", "fail", error_text(error), advice)
            return
        else:
            for check in [*self._common(), *await self._settings(client)]:
                yield check
        finally:
            await client.aclose()

    def _common(self) -> list[Check]:
        version, role = str(self.info.get("redis_version", "0")), str(self.info.get("role", "?"))
        return [
            Check(self.subject, "reachable", "ok", "yes"),
            judged(self.subject, "version", version, at_least(version, VERSION_LEAST), "use Redis 6.2 or newer"),
            judged(
                self.subject, "role", role, role == "master", f"{self.variable} must name the primary, not a replica"
            ),
            self._memory(),
        ]

    def _memory(self) -> Check:
        used, most = int(self.info.get("used_memory", 0)), int(self.info.get("maxmemory", 0))
        found = f"{used / 2**20:,.0f} MiB" + (f" of {most / 2**20:,.0f} MiB" if most else ", no limit")
        advice = "raise maxmemory: a full Redis refuses writes" if self.subject == LOG else "raise maxmemory"
        return judged(self.subject, "memory", found, not most or used < most * FULL_SHARE, advice, otherwise="warn")

    async def _settings(self, client: Redis) -> list[Check]:
        if self.subject != LOG:
            return []
        try:
            settings = {**await client.config_get("append*"), **await client.config_get("maxmemory-policy")}
        except ResponseError:
            advice = "make sure that it appends to a file, fsyncs always and never evicts (CONFIG is not allowed here)"
            return [Check(self.subject, "durability", "warn", "unknown", advice)]
        return [*durability(settings), self._last_write()]

    def _last_write(self) -> Check:
        status = str(self.info.get("aof_last_write_status", "ok"))
        return judged(self.subject, "last append", status, status == "ok", "look at its disk: the append file failed")


def durability(settings: Mapping[Any, Any]) -> list[Check]:
    """Whether what this Redis acknowledges can be lost."""
    appends, syncs = settings.get("appendonly", "?"), settings.get("appendfsync", "?")
    policy = settings.get("maxmemory-policy", "?")
    return [
        judged(
            LOG, "appendonly", appends, appends == "yes", "CONFIG SET appendonly yes: a restart loses the log without"
        ),
        judged(
            LOG,
            "appendfsync",
            syncs,
            syncs == "always",
            "CONFIG SET appendfsync always: without it a power cut can lose events that were acknowledged",
            otherwise="warn",
        ),
        judged(
            LOG,
            "maxmemory-policy",
            policy,
            policy == "noeviction",
            "CONFIG SET maxmemory-policy noeviction: the log must never be evicted",
        ),
    ]
