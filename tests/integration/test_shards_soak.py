"""Everything at once: processes are killed, paused, stopped and started, games rebuilt and the number of shards changed, while
publishers publish. Then every board is exact, and what was published last in each epoch is shown."""

import asyncio
import random
import signal
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from projections.epochs import latest
from tests.harness import Child, Harness
from tests.integration.resharding import NAMES, Games, answer, change, serving
from tests.services import eventually

pytestmark = [pytest.mark.services, pytest.mark.slow]

TURNS = 12
PROCESSES = 3
STARTED = (0, -signal.SIGTERM)
"""The statuses of who was told to end, the second while it was still starting."""


class Soak:
    """One run. `positions` are those that publishers were answered, with their games."""

    def __init__(self, harness: Harness, seed: int) -> None:
        self.harness = harness
        self.drawn = random.Random(seed)
        self.games = Games(harness)
        self.alive = [self._start() for _ in range(PROCESSES)]
        self.positions: list[tuple[str, str]] = []
        self.stopped = asyncio.Event()

    def _start(self) -> Child:
        return self.harness.child(batch_events_max=20)

    async def publish(self, client: TestClient[Any, Any]) -> None:
        """Publishes until it is stopped, each event as often as it takes."""
        while not self.stopped.is_set():
            for body in self.games.take(3):
                game = body["game"]
                while True:
                    async with client.post(f"/v1/games/{game}/events", json=[body]) as response:
                        if response.status == 202:
                            self.positions.append((game, (await response.json())["position"]))
                            break
                        assert response.status == 503, await response.text()
                    await asyncio.sleep(0.05)

    async def turn(self) -> None:
        """Something happens, and publishers go on."""
        match self.drawn.choice(("kill", "pause", "end", "rebuild", "reshard", "reshard")):
            case "kill":
                self.alive.pop(self.drawn.randrange(PROCESSES)).kill()
                self.alive.append(self._start())
            case "end":
                child = self.alive.pop(self.drawn.randrange(PROCESSES))
                child.send(signal.SIGTERM)
                child.send(signal.SIGCONT)
                assert await child.ended() in STARTED, child.log[-3000:]
                self.alive.append(self._start())
            case "pause":
                child = self.drawn.choice(self.alive)
                child.send(signal.SIGSTOP)
                # Shorter or longer than its leases last; whatever happens to it meanwhile.
                asyncio.get_running_loop().call_later(self.drawn.choice((1, 8)), child.send, signal.SIGCONT)
            case "rebuild":
                await self.harness.swap(self.drawn.choice(NAMES))
            case _:
                await change(self.harness, self.drawn.randrange(1, 6))
        count = len(self.positions)
        await eventually(lambda: len(self.positions) > count + 40, 60)

    async def check(self, client: TestClient[Any, Any]) -> None:
        """Nothing is lost, doubled or parked, and positions of all epochs can be waited for."""
        streams = await self.harness.value("SELECT count(*) FROM shards")
        for shard in range(streams):
            await self.harness.caught_up(shard, 60)
        self.games.duplicates = (await self.harness.verdicts()).get(1, 0)
        await self.games.check(streams)
        assert await self.harness.dead_letters() == []
        for game, position in self.positions[:: max(1, len(self.positions) // 20)]:
            page = await answer(client, "GET", f"/v1/games/{game}/boards/total?min_position={position}")
            shown = {entry["player"]: entry["metrics"]["points"] for entry in page["entries"]}
            assert shown == dict(self.games.totals[game])


@pytest.mark.parametrize("seed", range(2))
async def test_everything_at_once(harness: Harness, seed: int) -> None:
    soak = Soak(harness, seed)
    async with serving(harness) as client, serving(harness) as other:
        await eventually(lambda: latest(harness.pool))
        await soak.games.start(1)
        await harness.caught_up()
        publishers = [asyncio.create_task(soak.publish(each)) for each in (client, client, other)]
        for _ in range(TURNS):
            await soak.turn()
        soak.stopped.set()
        await asyncio.gather(*publishers)
        await soak.check(other)
