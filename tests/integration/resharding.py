"""What the tests of another number of shards share: games with scores, readers over HTTP, and the change itself."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp.test_utils import TestClient, TestServer

from api.app import make_app
from projections import reshard
from projections.names import shard_of
from projections.reshard import Resharded
from tests.harness import Harness, renamed, ruleset, score, silent

NAMES = [f"game-{number}" for number in range(12)]


class Games:
    """Scores of several games, published where the game lives by now, and what must come of them."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.drawn = random.Random(7)
        self.totals: dict[str, Counter[str]] = {name: Counter() for name in NAMES}
        self.said: list[dict[str, Any]] = []
        self.accepted = 0
        self.duplicates = 0

    async def start(self, shards: int) -> None:
        for name in NAMES:
            await self.harness.publish(ruleset(renamed(name), game=name), shard=shard_of(name, shards))
        self.accepted += len(NAMES)

    def take(self, count: int) -> list[dict[str, Any]]:
        """New scores, and some that were said before, be it in another epoch."""
        bodies = []
        for _ in range(count):
            if self.said and self.drawn.random() < 0.2:
                bodies.append(self.drawn.choice(self.said))
                self.duplicates += 1
                continue
            name, player, points = self.drawn.choice(NAMES), f"p{self.drawn.randrange(5)}", self.drawn.randrange(100)
            bodies.append(score(f"e{len(self.said)}", player, points, game=name))
            self.said.append(bodies[-1])
            self.totals[name][player] += points
            self.accepted += 1
        return bodies

    async def publish(self, count: int) -> None:
        homes = dict(await self.harness.pool.fetch("SELECT name, shard FROM games"))
        for body in self.take(count):
            await self.harness.publish(body, shard=homes[body["game"]])

    async def say(self, client: TestClient[Any, Any], name: str, points: int) -> None:
        """Publishes a score of its own over HTTP, as often as it takes."""
        body = score(f"said-{points}", "ada", points, game=name)
        while (await client.post(f"/v1/games/{name}/events?wait=10000", json=[body])).status != 202:
            await asyncio.sleep(0.05)
        self.totals[name]["ada"] += points
        self.accepted += 1

    async def check(self, streams: int) -> None:
        for shard in range(streams):
            await self.harness.caught_up(shard, 60)
        for name in NAMES:
            assert await self.harness.points(game=name) == dict(self.totals[name])
        verdicts = await self.harness.verdicts()
        assert (verdicts[0], verdicts.get(1, 0)) == (self.accepted, self.duplicates)
        await self.harness.assert_exact()


async def change(harness: Harness, shards: int, **options: float) -> Resharded:
    return await reshard.reshard(harness.pool, harness.log, shards, silent, **options)


@asynccontextmanager
async def serving(harness: Harness) -> AsyncIterator[TestClient[Any, Any]]:
    """An API process, whose connections end before the harness's do."""
    app = make_app(harness.pool, harness.log, harness.rankings)
    async with TestClient(TestServer(app)) as client:
        yield client


async def answer(client: TestClient[Any, Any], method: str, path: str, value: Any = None) -> Any:
    """What comes back, when it is no problem."""
    async with client.request(method, path, json=value) as response:
        body = await response.json()
        assert response.status < 300, body
        return body
