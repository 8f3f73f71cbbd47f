"""Those who use the service meanwhile: publishers that remember what was acknowledged, and a reader with a watch."""

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.client import Client
from projections.names import stream_key
from schemas.errors import RankfoldError

GAME = "chaos"
PLAYERS = 200
RULES = f"""
game = "{GAME}"
[metrics.points]
[boards.total]
rank_by = ["points desc"]
[boards.total.metrics]
points = {{ op = "sum", of = "points" }}
runs = {{ op = "count" }}
"""
Sent = tuple[str, int]
"""(player, points)."""


@dataclass
class Ledger:
    """Every event by its id: those that were acknowledged, and those of which nobody can say."""

    acknowledged: dict[str, Sent] = field(default_factory=dict)
    doubtful: dict[str, Sent] = field(default_factory=dict)
    repeated: int = 0


@dataclass
class Watch:
    """The longest time without a success. `start` and `stop` are the ends of what is watched."""

    longest_s: float = 0.0
    successes: int = 0
    _since: float = field(default_factory=time.monotonic)

    def success(self) -> None:
        """Something was answered just now."""
        now = time.monotonic()
        self.longest_s = max(self.longest_s, now - self._since)
        self._since = now
        self.successes += 1


class Publisher:
    """Sends a batch after the other at a steady rate, each again and again until it is acknowledged."""

    def __init__(self, name: str, ledger: Ledger, rate: float, chance: random.Random) -> None:
        self.name = name
        self.ledger = ledger
        self.rate = rate
        self.chance = chance
        self.watch = Watch()
        self._number = 0

    async def run(self, until: float) -> None:
        """Until that time of the monotonic clock, and a little longer for what is not acknowledged yet."""
        due = time.monotonic()
        while time.monotonic() < until:
            batch = [self._event() for _ in range(self.chance.randint(1, 20))]
            sent = {body["id"]: (body["player"], body["values"]["points"]) for body in batch}
            self.ledger.doubtful.update(sent)
            if not await self._until_acknowledged(batch, until + 20):
                return
            self.watch.success()
            self.ledger.acknowledged.update(sent)
            for name in sent:
                del self.ledger.doubtful[name]
            due = max(due + len(batch) / self.rate, time.monotonic() - 1)
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    def _event(self) -> dict[str, Any]:
        self._number += 1
        player = f"p{self.chance.randrange(PLAYERS)}"
        name = f"{self.name}-{self._number}"
        return {
            "type": "score",
            "id": name,
            "game": GAME,
            "player": player,
            "values": {"points": self.chance.randint(1, 99)},
        }

    async def _until_acknowledged(self, batch: list[dict[str, Any]], deadline: float) -> bool:
        while time.monotonic() < deadline:
            try:
                await self.send(batch)
                return True
            except (RankfoldError, RedisError, OSError, TimeoutError):
                self.ledger.repeated += len(batch)
                await asyncio.sleep(0.05)
        return False

    async def send(self, batch: list[dict[str, Any]]) -> None:
        """Sends once; raises what went wrong."""
        raise NotImplementedError


class HttpPublisher(Publisher):
    """By the API."""

    def __init__(self, url: str, ledger: Ledger, rate: float, chance: random.Random) -> None:
        super().__init__("http", ledger, rate, chance)
        self._url = url

    async def send(self, batch: list[dict[str, Any]]) -> None:
        async with Client(self._url, attempts=1, timeout_s=5) as client:
            await client.publish(GAME, batch)


class StreamPublisher(Publisher):
    """Straight into the log."""

    def __init__(self, url: str, ledger: Ledger, rate: float, chance: random.Random) -> None:
        super().__init__("xadd", ledger, rate, chance)
        self._redis: Redis = Redis.from_url(url, socket_timeout=5)

    async def send(self, batch: list[dict[str, Any]]) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for body in batch:
            pipeline.xadd(stream_key(0), {"event": msgspec.json.encode(body)})
        await pipeline.execute()


async def read(url: str, watch: Watch, until: float) -> None:
    """Asks for a page and a place over and over."""
    address = f"{url}/v1/games/{GAME}/boards/total"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
        while time.monotonic() < until:
            try:
                async with session.get(address, params={"limit": "10"}) as answer:
                    if answer.status == 200:
                        await answer.read()
                        watch.success()
            except (aiohttp.ClientError, OSError, TimeoutError):
                pass
            await asyncio.sleep(0.02)
