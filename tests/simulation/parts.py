"""Publishing to the parts of spread games, and changing their generations, while shards are not reached and builds break off.

Whoever appends to several shards may reach only some of them, and sends everything again later; what is of everyone then
comes late to a part, or twice. Over HTTP this happens behind the API, on a bad line to the log.
"""

from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp.test_utils import TestClient, TestServer
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisAway

from api.app import make_app
from consumers.crash import BUILD_POINTS, Crash
from projections import generations
from projections.names import stream_key
from schemas.codec import decode
from schemas.errors import InvalidEvent, RankfoldError
from schemas.events import AnyEvent
from schemas.position import parse_entry
from tests.harness import silent
from tests.simulation.accepting import allowed
from tests.simulation.discrepancy import Discrepancy
from tests.simulation.faults import Faults
from tests.simulation.spreading import home_of

if TYPE_CHECKING:
    from tests.simulation.world import World

ATTEMPTS = 2
"""How often a client sends at once what was not taken whole. After that it does so later."""


class LossyLog(Redis):
    """The log's Redis behind a bad line: an append does not arrive, or its answer is lost."""

    faults: Faults

    async def execute_command(self, *arguments: Any, **options: Any) -> Any:
        """A command."""
        execute = super().execute_command
        if arguments[0] != "EVALSHA":
            return await execute(*arguments, **options)
        return await self.faults.lossy("append", 0.12, lambda: execute(*arguments, **options), RedisAway)


class BrokenOffError(Exception):
    """Whoever built a generation is gone."""


class Parts:
    """Publishes to spread games of a world: `publish`, and `complete` what some shard has not got."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.owed: list[tuple[str, list[bytes]]] = []
        """What was not taken whole."""
        self._posted: set[tuple[int, str, str]] = set()
        self._client: TestClient[Any, Any] | None = None
        self._log: LossyLog | None = None

    async def close(self) -> None:
        """Ends the API."""
        if self._client is not None:
            await self._client.close()
        if self._log is not None:
            await self._log.aclose()

    async def publish(self, name: str, bodies: list[bytes]) -> None:
        """Straight into the streams or over HTTP; sometimes what was sent before goes first."""
        if self.owed and self.world.chance.random() < 0.3:
            await self.complete(1)
        if self.world.chance.random() < 0.4:
            await self._post(name, bodies)
        else:
            await self.append(name, bodies)

    async def complete(self, count: int) -> None:
        """Sends so much again of what was not taken whole."""
        for _ in range(min(count, len(self.owed))):
            name, bodies = self.owed.pop(self.world.chance.randrange(len(self.owed)))
            self.world.done["sent again"] += 1
            await self.append(name, bodies)

    async def append(self, name: str, bodies: list[bytes]) -> None:
        """Into the streams of the shards that each is for, as game services do."""
        world, reached = self.world, True
        homes = [self._home(name, body) for body in bodies]
        for shard in range(world.total):
            mine = [body for body, home in zip(bodies, homes, strict=True) if home in (None, shard)]
            if mine and world.faults.draws("XADD: a shard was not reached", 0.08):
                reached = False
            elif mine:
                await world.add(shard, mine)
        if not reached:
            self.owed.append((name, bodies))

    def _home(self, name: str, body: bytes) -> int | None:
        """Where a body goes: nobody knows for one that cannot be read, and some know it wrong."""
        chance, shards = self.world.chance, self.world.total
        try:
            event = decode(body)
        except InvalidEvent:
            return chance.randrange(shards)
        if event.game != name:
            return chance.randrange(shards)
        home = home_of(event, shards)
        if home is not None and self.world.faults.draws("XADD: to a wrong shard", 0.03):
            return chance.randrange(shards)
        return home

    async def _post(self, name: str, bodies: list[bytes]) -> None:
        """Over HTTP, and again when that failed. What is refused is refused whole; nothing comes twice to a shard."""
        sent = [event for body in bodies if (event := self._readable(name, body)) is not None]
        if not sent:
            return
        data = msgspec.json.encode(sent)
        client, status, words = await self._api(), 503, ""
        for _ in range(ATTEMPTS):
            path, headers = f"/v1/games/{name}/events", {"Content-Type": "application/json"}
            async with client.post(path, data=data, headers=headers) as answer:
                status = answer.status
                words = await answer.text()
            await self._note()
            self.world.done[f"POST: {status}"] += 1
            if status != 503:
                break
        if status == 503:
            self.owed.append((name, [msgspec.json.encode(event) for event in sent]))
        elif status not in (202, 404, 409):
            raise Discrepancy(f"POST to {name}: {status} {words}")

    def _readable(self, name: str, body: bytes) -> AnyEvent | None:
        try:
            event = decode(body)
        except InvalidEvent:
            return None
        return event if event.game == name and allowed(event, self.world.workloads[name].rules) else None

    async def _note(self) -> None:
        """Enters what the API has appended into the world's record of the streams."""
        world = self.world
        for shard, entries in world.entries.items():
            last = "({}-{}".format(*entries[-1][:2]) if entries else "-"
            found: Any = await world.harness.log.xrange(stream_key(shard), min=last)
            for entry, fields in found:
                body = fields[b"event"]
                event = decode(body)
                key = (shard, event.game, event.id)
                if key in self._posted:
                    raise Discrepancy(f"{event.id} of {event.game} was appended twice to shard {shard}")
                self._posted.add(key)
                entries.append((*parse_entry(entry), body))

    async def _api(self) -> TestClient[Any, Any]:
        if self._client is None:
            harness = self.world.harness
            log: Any = LossyLog.from_url(harness.log_url)
            self._log = log
            log.faults = self.world.faults
            app = make_app(harness.pool, log, harness.rankings, shards=self.world.total)
            self._client = TestClient(TestServer(app, access_log=None))
            await self._client.start_server()
        return self._client

    async def turn(self, name: str) -> None:
        """Builds a generation, as the live one or as a shadow, makes another one live, or drops one; builds may break off."""
        chance, harness = self.world.chance, self.world.harness
        held = await generations.listed(harness.pool, name)
        others = [one for one in held if not one.live]
        kind = chance.random()
        self.world.done["turns of spread games"] += 1
        try:
            if others and kind < 0.25:
                chosen = chance.choice(others)
                await generations.drop(harness.pool, harness.rankings, name, chosen.generation_id)
            elif others and kind < 0.5:
                chosen = chance.choice(others)
                await generations.swap(harness.pool, harness.rankings, name, chosen.generation_id, silent)
            else:
                number = await generations.begin(harness.pool, name)
                to: generations.Part = "shadow" if chance.random() < 0.35 else "live"
                await generations.build(harness.pool, harness.rankings, number, silent, to=to, crash=self._trap())
        except BrokenOffError:
            self.world.done["builds broken off"] += 1
        except RankfoldError as error:
            self.world.done[f"turns refused: {type(error).__name__}"] += 1

    def _trap(self) -> Crash:
        """Breaks a build off at one of its points, in one of the parts; sometimes nowhere."""
        if not self.world.faults.draws("a build with a trap", 0.4):
            return Crash(None)

        def ends() -> None:
            raise BrokenOffError

        chance = self.world.chance
        return Crash(f"{chance.choice(BUILD_POINTS)}:{chance.choice((1, 2, 3, 4))}", BUILD_POINTS, die=ends)
