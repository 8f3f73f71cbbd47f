"""The world of a simulation: the real log, consumer, database and rankings, with faults, and the audit of what they show.

A `Machine` is a consumer process in this process: shard consumers with nothing in memory, and connections of their own. A
crash ends its tasks wherever they are and cuts its connections; the next machine knows only what was committed.
"""

import asyncio
import random
from collections import Counter
from contextvars import ContextVar, copy_context
from typing import Any

from redis.asyncio import Redis

from consumers.parts import Limits
from consumers.publisher import Publisher
from consumers.shard import ShardConsumer
from projections.append import Appender
from projections.database import connect
from projections.hashing import body_hash
from projections.names import shard_of, stream_key
from schemas.codec import decode, encode
from schemas.errors import RankfoldError
from schemas.position import parse_entry
from tests.harness import Harness
from tests.simulation.accepting import RawEntry
from tests.simulation.discrepancy import Discrepancy
from tests.simulation.faults import Faults, LossyStore, LossyWriter, ended
from tests.simulation.judging import judge
from tests.simulation.parts import Parts
from tests.simulation.rulesets import renamed, rules_of
from tests.simulation.workload import Workload

MACHINE: "ContextVar[Machine]" = ContextVar("MACHINE")


def _tracked(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> "asyncio.Task[Any]":
    """A task factory by which every machine knows the tasks that it has begun."""
    task = asyncio.Task(coroutine, loop=loop, **options)
    machine = MACHINE.get(None)
    if machine is not None:
        machine.tasks.add(task)
        task.add_done_callback(machine.tasks.discard)
    return task


class Machine:
    """`start` it, then `step` it until `dead`."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.dead = asyncio.Event()
        self.consumers: dict[int, ShardConsumer] = {}
        self.after: dict[int, bytes] = {}
        self.tasks: set[asyncio.Task[Any]] = set()
        self._context = copy_context()
        self._context.run(MACHINE.set, self)

    async def start(self) -> None:
        """Connects, and finds out where each shard was committed."""
        world, harness, chance = self.world, self.world.harness, self.world.chance
        self.pool = await connect(harness.database_url, size=4)
        self.log: Redis = Redis.from_url(harness.log_url)
        self.rankings: Redis = Redis.from_url(harness.rankings_url)
        store = world.make_store(self.pool)
        writer = LossyWriter(self.rankings, world.faults)
        limits = Limits(
            batch_events_max=chance.choice((5, 40, 1_000)),
            cache_rows=chance.choice((0, 20, 100_000)),
            keep_log_s=world.keep_log_s,
        )
        for shard in range(world.total):
            publisher = Publisher(shard, store, writer, world.faults.crash(self._die))
            consumer = world.make_consumer(shard, store, publisher, self.log, total=world.total, limits=limits)
            self.consumers[shard] = consumer
            if not await self._live(consumer.start()):
                return
            state = consumer.state
            self.after[shard] = f"{state.ms}-{state.seq}".encode()

    def _die(self) -> None:
        self.dead.set()
        raise asyncio.CancelledError("a crash")

    async def _live(self, work: Any) -> bool:
        """Waits for a piece of work, or for the end of the machine; False when it is dead."""
        task = asyncio.create_task(work, context=self._context)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        death = asyncio.create_task(self.dead.wait())
        done, _ = await asyncio.wait({task, death}, return_when=asyncio.FIRST_COMPLETED, timeout=self.world.patience_s)
        death.cancel()
        if not done:
            raise Discrepancy(f"the consumer did not get on within {self.world.patience_s:g} s")
        if self.dead.is_set():
            return False
        await task
        return True

    async def step(self, shard: int, count: int) -> bool:
        """Reads and hands over a batch of at most `count` entries; False when there was none."""
        consumer = self.consumers[shard]
        if consumer.rewound.is_set():
            consumer.rewound.clear()
            self.after[shard] = f"{consumer.state.ms}-{consumer.state.seq}".encode()
        key = stream_key(shard)
        for _, entries in await self.world.harness.log.xread({key: self.after[shard]}, count=count) or ():
            self.after[shard] = entries[-1][0]
            await self._live(consumer.handle(entries))
            return True
        return False

    async def crash(self) -> None:
        """As if the machine had lost its power."""
        self.dead.set()
        await ended(self.tasks)
        self.pool.terminate()
        await self.log.aclose()
        await self.rankings.aclose()


class World:
    """One seeded run: `run` it for so many steps. Raises Discrepancy as soon as something is not as it should be."""

    make_consumer: Any = ShardConsumer
    patience_s = 30.0
    """After so long without an end of something it has failed."""

    def __init__(
        self,
        harness: Harness,
        seed: int,
        texts: dict[str, str],
        *,
        total: int = 1,
        keep_log_s: int = 3_600,
        freezes: bool = False,
    ) -> None:
        self.harness = harness
        self.seed = seed
        self.total = total
        self.keep_log_s = keep_log_s
        self.pauses = 0.02
        """How often a machine stands still, of all that is done."""
        self.chance = random.Random(seed)
        self.faults = Faults(random.Random(seed + 1))
        self.done: Counter[str] = Counter()
        self.entries: dict[int, list[RawEntry]] = {shard: [] for shard in range(total)}
        self.workloads = {
            name: Workload(random.Random(f"{seed} {name}"), name, rules_of(text), freezes=freezes)
            for name, text in texts.items()
        }
        self.texts = texts
        self.machine: Machine | None = None
        self.paused: list[Machine] = []
        """Machines that stood still for a while, and do not know that another one has taken over."""
        self._appender = Appender(harness.log, harness.pool)
        self._parts = Parts(self)

    def make_store(self, pool: Any) -> LossyStore:
        """What a machine writes with."""
        return LossyStore(pool, self.faults)

    @property
    def events(self) -> int:
        """Entries in the log."""
        return sum(map(len, self.entries.values()))

    async def run(self, steps: int) -> None:
        """Publishes the rules, then does whatever comes up, and settles now and then and at the end."""
        asyncio.get_running_loop().set_task_factory(_tracked)
        for name, text in self.texts.items():
            append = self._parts.append if self._spread(name) else self._append
            await append(name, [self.workloads[name].rules_event(renamed(text, name))])
        for step in range(steps):
            await self._act()
            if step % 25 == 24:
                await self.settle()
        self.faults.armed = False
        await self._parts.complete(len(self._parts.owed))
        await self.settle()

    def _spread(self, name: str) -> bool:
        """Whether a game has parts."""
        return self.workloads[name].rules.spread

    async def close(self) -> None:
        """Ends the machines."""
        await self._parts.close()
        for machine in (*self.paused, *([self.machine] if self.machine is not None else [])):
            await machine.crash()
        self.paused.clear()

    async def _act(self) -> None:
        kind = self.chance.random()
        if self.chance.random() < self.pauses:
            await self._pause()
        elif kind < 0.47:
            await self._publish()
        elif kind < 0.92:
            await self._consume()
        elif kind < 0.94:
            self.done["flush"] += 1
            await self.harness.rankings.flushdb()
        elif kind < 0.965 and self.machine is not None:
            self.done["crash between batches"] += 1
            await self.machine.crash()
            self.machine = None
        elif kind < 0.98:
            await self._swap()
        else:
            await self.settle()

    async def _publish(self) -> None:
        name = self.chance.choice(list(self.workloads))
        bodies = self.workloads[name].take(self.chance.choice((1, 2, 5, 30)), await self._now_ms())
        self.done["published"] += len(bodies)
        if self._spread(name):
            await self._parts.publish(name, bodies)
        elif self.chance.random() < 0.2:
            await self._append_as_http(name, bodies)
        else:
            await self._append(name, bodies)
            if self.faults.draws("XADD: reply lost", 0.05):
                await self._append(name, bodies)

    async def _append(self, name: str, bodies: list[bytes]) -> None:
        """Straight into the stream, as game services do."""
        await self.add(shard_of(name, self.total), bodies)

    async def add(self, shard: int, bodies: list[bytes]) -> None:
        """Appends to a stream, and enters it into the record."""
        pipeline = self.harness.log.pipeline(transaction=False)
        for body in bodies:
            pipeline.xadd(stream_key(shard), {"event": body})
        ids = await pipeline.execute()
        self.entries[shard] += [(*parse_entry(entry), body) for entry, body in zip(ids, bodies, strict=True)]

    async def _append_as_http(self, name: str, bodies: list[bytes]) -> None:
        """By the script that the API appends with, and once more when the reply is lost: nothing may come twice."""
        items = []
        for body in bodies:
            try:
                event = decode(body)
            except RankfoldError:
                continue
            if event.game == name:
                items.append((event.id, body_hash(encode(event)), encode(event)))
        shard = shard_of(name, self.total)
        game_id = await self.harness.value("SELECT game_id FROM games WHERE name = $1", name)
        for _ in range(2 if self.faults.draws("append: reply lost", 0.3) else 1):
            try:
                answers = await self._appender.append(shard, name, () if game_id is None else (game_id,), items)
            except RankfoldError:
                # An id that stands for something else: nothing was appended.
                return
            fresh = [(one.position[2:], item[2]) for one, item in zip(answers, items, strict=True) if not one.duplicate]
            self.entries[shard] += [(*entry, body) for entry, body in fresh]
            self.done["appended"] += len(fresh)
        self.entries[shard].sort(key=lambda entry: entry[:2])

    async def _now_ms(self) -> int:
        seconds, micros = await self.harness.log.time()
        return int(seconds) * 1000 + int(micros) // 1000

    async def _alive(self) -> Machine:
        """The machine; a new one when there is none or it is dead."""
        while self.machine is None or self.machine.dead.is_set():
            if self.machine is not None:
                await self.machine.crash()
            self.machine = Machine(self)
            self.done["machines"] += 1
            await self.machine.start()
        return self.machine

    async def _consume(self) -> None:
        machine = await self._alive()
        shard = self.chance.randrange(self.total)
        if self.paused and self.chance.random() < 0.4:
            machine = self.chance.choice(self.paused)
            if machine.dead.is_set() or shard not in machine.after:
                return
            self.done["steps of machines that were overtaken"] += 1
            await machine.step(shard, self.chance.choice((1, 1, 3, 50)))
            return
        await machine.step(shard, self.chance.choice((1, 3, 10, 50, 1_000)))

    async def _pause(self) -> None:
        """The machine stands still, and is replaced; later it goes on as if nothing had been."""
        if self.machine is not None and not self.machine.dead.is_set():
            self.paused.append(self.machine)
            self.machine = None

    async def _swap(self) -> None:
        """A new generation by the same rules takes the place of the old one while the machine works on."""
        await self._alive()
        name = self.chance.choice(list(self.workloads))
        if await self.harness.value("SELECT count(*) = max(parts) FROM games WHERE name = $1", name):
            if self._spread(name):
                await self._parts.turn(name)
                return
            self.done["swap"] += 1
            await self.harness.swap(name)

    async def settle(self) -> None:
        """Hands over everything without further faults, waits until it is shown, and judges it."""
        self.faults.armed = False
        for machine in self.paused:
            await machine.crash()
        self.paused.clear()
        try:
            for shard in range(self.total):
                while True:
                    machine = await self._alive()
                    if not await machine.step(shard, 1_000) and not machine.dead.is_set():
                        break
            await self._shown()
            await judge(self.harness, self.entries)
            self.done["settled"] += 1
        finally:
            self.faults.armed = True

    async def _shown(self) -> None:
        """Waits until everything is committed and shown; machines that die meanwhile are replaced."""
        waiting = asyncio.create_task(self._until_shown())
        while not (await asyncio.wait({waiting}, timeout=0.05))[0]:
            await self._alive()
        try:
            await waiting
        except AssertionError as error:
            raise Discrepancy(str(error)) from None

    async def _until_shown(self) -> None:
        for shard in range(self.total):
            last = self.entries[shard][-1][:2] if self.entries[shard] else (0, 0)
            await self.harness.reached(last, shard, self.patience_s)
            await self.harness.shown(shard, self.patience_s)
