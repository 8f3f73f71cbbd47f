"""The services under test: embedded Redis and PostgreSQL, and the real consumer and API as processes of their own.

Each round starts from nothing: empty Redis servers, a database of its own, a fresh consumer.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import redis

from bench.processes import BenchError, Child, clean_environment, wait_for
from bench.workload import ruleset
from cli.embedded import Services
from projections.migrate import migrate
from projections.names import FIELD, applied_key, stream_key
from schemas.codec import encode
from schemas.position import Position, parse_entry

START_SECONDS_MAX = 60.0
VISIBLE_SECONDS_MAX = 1_200.0
POLL_S = 0.01
ENTRIES_PER_CALL = 10_000


class Stack:
    """The services, emptied for each round. `log` takes what the children say on stderr."""

    def __init__(self, services: Services, log: Path) -> None:
        self.services = services
        self.log = log
        self.redis_log: redis.Redis = redis.Redis.from_url(services.log_url)
        self.redis_rankings: redis.Redis = redis.Redis.from_url(services.rankings_url)
        self.database_url = services.database_url
        self.shards = 1
        self.empty_bytes = 0
        self._rounds = 0

    def reset(self, shards: int = 1) -> None:
        """Empties both Redis servers and turns to a new database; the round's game exists afterwards, on so many shards."""
        self.shards = shards
        for client in (self.redis_log, self.redis_rankings):
            client.flushall()
            client.script_flush()
        # The append-only file of the last round must not be rewritten in the middle of the next one.
        self.redis_log.bgrewriteaof()
        wait_for(self._is_rewritten, START_SECONDS_MAX, "the log's Redis rewrites its file")
        self._rounds += 1
        before, self.database_url = self.database_url, _database(self.services.database_url, f"bench_{self._rounds}")
        self.sql(self.services.database_url, f"CREATE DATABASE bench_{self._rounds}")
        asyncio.run(migrate(self.database_url))
        if before != self.services.database_url:
            name = urlsplit(before).path.lstrip("/")
            self.sql(self.services.database_url, f"DROP DATABASE {name} WITH (FORCE)", "CHECKPOINT")
        self.empty_bytes = self.rankings_bytes()
        for shard in range(shards):
            self.redis_log.xadd(stream_key(shard), {FIELD: encode(ruleset(spread=shards > 1))})

    def _is_rewritten(self) -> bool:
        info: Any = self.redis_log.info("persistence")
        return not (info["aof_rewrite_in_progress"] or info["aof_rewrite_scheduled"])

    def environment(self, **added: str) -> dict[str, str]:
        """What a child of the project needs to know."""
        urls = {
            "REDIS_LOG_URL": self.services.log_url,
            "REDIS_RANKINGS_URL": self.services.rankings_url,
            "DATABASE_URL": self.database_url,
            "RANKFOLD_SHARDS": str(self.shards),
        }
        return clean_environment({**urls, **added})

    @contextmanager
    def consumer(self, shard: int = 0) -> Iterator[Child]:
        """A consumer that has the shard's lease and shows the game as it is."""
        held = {"RANKFOLD_HOLD_SHARDS": str(shard)} if self.shards > 1 else {}
        child = Child(self.log, "cli.main", "consume", environment=self.environment(**held))
        try:
            self._until_visible(shard, self.last_entry(shard), child)
            yield child
        finally:
            child.stop()

    def last_entry(self, shard: int = 0) -> str:
        """The id of a shard's last entry."""
        entries: Any = self.redis_log.xrevrange(stream_key(shard), count=1)
        return str(entries[0][0].decode())

    def entries_after(self, entry: str) -> list[tuple[int, int]]:
        """(ms, seq) of every entry of the log behind this one."""
        found: list[tuple[int, int]] = []
        while entries := self._page_after(entry):
            entry = entries[-1].decode()
            found += map(parse_entry, entries)
        return found

    def _page_after(self, entry: str) -> list[bytes]:
        raw: Any = self.redis_log.xrange(stream_key(0), min=f"({entry}", count=ENTRIES_PER_CALL)
        return [name for name, _ in raw]

    @contextmanager
    def publisher(self, events: int, players: int, seed: int, run: str, rate: float = 0.0) -> Iterator[Child]:
        """A publisher that waits for a line to begin."""
        numbers = map(str, (self.shards, events, players, seed, run, *([rate] if rate else [])))
        child = Child(self.log, "bench.publishing", self.services.log_url, *numbers)
        try:
            child.reply()
            yield child
        finally:
            child.stop()

    def applied(self, shard: int = 0) -> tuple[int, int] | None:
        """(ms, seq) of the entry of a shard that readers see at least; None when Redis does not know."""
        raw = cast("bytes | None", self.redis_rankings.get(applied_key(shard)))
        return None if raw is None else Position.parse(raw.decode().split()[1])[2:]

    def until_visible(self, last: list[str], *consumers: Child) -> float:
        """Waits until readers see the last entry of each shard; returns the clock (time.monotonic) at that moment."""
        for shard, (entry, consumer) in enumerate(zip(last, consumers, strict=True)):
            self._until_visible(shard, entry, consumer)
        return time.monotonic()

    def _until_visible(self, shard: int, entry: str, consumer: Child) -> None:
        ms, _, seq = entry.partition("-")
        wanted = (int(ms), int(seq))
        deadline = time.monotonic() + VISIBLE_SECONDS_MAX
        polls = 0
        while (found := self.applied(shard)) is None or found < wanted:
            polls += 1
            if polls % 100 == 0:
                consumer.require_running()
                if time.monotonic() > deadline:
                    raise BenchError(f"entry {entry} is not visible after {VISIBLE_SECONDS_MAX:g} s; see {self.log}")
            time.sleep(POLL_S)

    def require_folded(self, events: int) -> None:
        """Raises BenchError unless the archive holds so many accepted events and no other verdict."""
        rows = self.sql(self.database_url, "SELECT verdict, count(*) FROM log GROUP BY verdict")
        found = {row["verdict"]: row["count"] for row in rows}
        if found != {0: events + self.shards}:
            raise BenchError(f"{events:,} events were published, the archive holds {found} (verdict: count)")

    def rankings_bytes(self) -> int:
        """The memory that the rankings' Redis uses."""
        info: Any = self.redis_rankings.info("memory")
        return int(info["used_memory"])

    def table_bytes(self) -> dict[str, int]:
        """The size on disk of each table with its indexes, partitions added up."""
        query = (
            "SELECT coalesce(p.inhparent, c.oid)::regclass::text AS name, sum(pg_total_relation_size(c.oid))::bigint AS size "
            "FROM pg_class c LEFT JOIN pg_inherits p ON p.inhrelid = c.oid "
            "WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace GROUP BY 1 ORDER BY 2 DESC"
        )
        return {row["name"]: row["size"] for row in self.sql(self.database_url, query)}

    def sql(self, url: str, *statements: str) -> list[Any]:
        """Runs the statements one by one; returns the rows of the last one."""
        return asyncio.run(_sql(url, statements))


async def _sql(url: str, statements: tuple[str, ...]) -> list[Any]:
    connection = await asyncpg.connect(url, timeout=START_SECONDS_MAX)
    try:
        rows: list[Any] = []
        for statement in statements:
            rows = await connection.fetch(statement)
        return rows
    finally:
        await connection.close()


def _database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
