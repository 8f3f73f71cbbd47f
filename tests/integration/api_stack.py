"""The whole path in one event loop, for the API's tests: the application, its databases, and a consumer of the log."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from aiohttp.test_utils import TestClient, TestServer
from redis.asyncio import Redis
from yarl import URL

from api.app import make_app
from consumers.crash import Crash
from consumers.parts import Limits
from consumers.publisher import Publisher
from consumers.shard import ShardConsumer
from projections import epochs
from projections.database import connect, queries
from projections.migrate import migrate
from projections.names import stream_key
from projections.rankings import RankingWriter
from projections.store import Store

RULES = """
game = "arcade"
title = "Arcade"
[metrics.points]
[metrics.seconds]
scale = 1

[boards.best]
title = "Best runs"
keep = { mode = "best", by = "points" }
rank_by = ["points desc"]
periods = ["all", "daily"]
[boards.best.metrics.points]
op = "max"
of = "points"
[boards.best.metrics.seconds]
op = "last"
of = "seconds"

[boards.today]
rank_by = ["points desc"]
ranks = "dense"
periods = ["daily"]
[boards.today.metrics.points]
op = "sum"
of = "points"
"""


@dataclass
class Answer:
    """What came back over HTTP."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Stack:
    """The running parts. `consume` and `pause` start and stop the consumer."""

    client: TestClient[Any, Any]
    pool: asyncpg.Pool
    log: Redis
    rankings: Redis
    now_ms: int = 1_770_000_000_000
    shards: int = 1
    _consumers: list[asyncio.Task[None]] = field(default_factory=list)
    _clock: list[int] = field(default_factory=list)

    def set_clock(self, now_ms: int) -> None:
        """Moves the clock by which the API chooses the period shown by default."""
        self._clock[:] = [now_ms]

    async def request(self, method: str, path: str, **options: Any) -> Answer:
        """One request; the path is sent as it is written."""
        async with self.client.request(method, URL(path, encoded=True), **options) as response:
            return Answer(response.status, response.headers, await response.read())

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.request("GET", path, **options)

    async def post(self, path: str, value: Any, **options: Any) -> Answer:
        return await self.request("POST", path, json=value, **options)

    async def publish(self, *events: dict[str, Any], game: str = "arcade", wait: bool = True) -> Any:
        """Publishes, waits until all is visible, and returns the answer."""
        answer = await self.post(f"/v1/games/{game}/events" + ("?wait=10000" if wait else ""), list(events))
        assert answer.status == 202, answer.body
        assert not wait or answer.json["visible"]
        return answer.json

    async def logged(self) -> int:
        """How many entries the log has."""
        return int(await self.log.xlen(stream_key(0)))

    async def consume(self) -> None:
        """Starts to fold the log, where it was left."""
        if not self._consumers:
            ready = [asyncio.Event() for _ in range(self.shards)]
            self._consumers = [asyncio.create_task(self._consume(shard, event)) for shard, event in enumerate(ready)]
            for event in ready:
                await event.wait()

    async def pause(self) -> None:
        """Stops the folding."""
        for consumer in self._consumers:
            # More than once if need be: redis-py sends within `wait_for`, and up to Python 3.11 that can swallow a
            # cancellation.
            while not consumer.done():
                consumer.cancel()
                await asyncio.wait([consumer], timeout=3)
        self._consumers = []

    async def _consume(self, shard: int, ready: asyncio.Event) -> None:
        store = Store(self.pool)
        await self.pool.execute(queries("writer")["new_shard"], shard)
        publisher = Publisher(shard, store, RankingWriter(self.rankings), Crash(None))
        limits = Limits(batch_events_max=1_000, cache_rows=10_000, keep_log_s=3_600)
        consumer = ShardConsumer(shard, store, publisher, self.log, total=self.shards, limits=limits)
        after: Any = await consumer.start()
        ready.set()
        try:
            while True:
                for _, entries in await self.log.xread({stream_key(shard): after}, count=1_000, block=50) or ():
                    await consumer.handle(entries)
                    after = entries[-1][0]
        finally:
            await consumer.stop()


@asynccontextmanager
async def running(
    database_url: str, log_url: str, rankings_url: str, *, shards: int = 1, **options: Any
) -> AsyncIterator[Stack]:
    """A stack on empty databases, with its consumers at work. The other options are those of `make_app`."""
    await migrate(database_url)
    pool = await connect(database_url)
    log: Redis = Redis.from_url(log_url)
    rankings: Redis = Redis.from_url(rankings_url)
    clock = [0]
    if shards > 1:
        await epochs.begin(pool, shards)
    app = make_app(pool, log, rankings, clock_ms=lambda: clock[0], shards=shards, **options)
    async with TestClient(TestServer(app, access_log=None)) as client:
        stack = Stack(client, pool, log, rankings, shards=shards, _clock=clock)
        stack.set_clock(stack.now_ms)
        await stack.consume()
        yield stack
        await stack.pause()
    await log.aclose()
    await rankings.aclose()
    await pool.close()


def ruleset(text: str = RULES, version: int = 1) -> dict[str, Any]:
    """The event that makes a game."""
    return {"id": f"rules-{version}", "type": "ruleset", "version": version, "text": text}


def score(id_: str, player: str, points: int, **fields: Any) -> dict[str, Any]:
    """A score at the stack's present time."""
    return {
        "id": id_,
        "type": "score",
        "player": player,
        "values": {"points": points},
        "occurred_at": 1_770_000_000_000,
    } | fields
