"""A consumer process of the simulation, in this process: shard consumers with nothing in memory, and connections of their own.

A crash ends its tasks wherever they are and cuts its connections; the next machine knows only what was committed.
"""

import asyncio
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any

from redis.asyncio import Redis

from consumers.parts import Limits
from consumers.publisher import Publisher
from consumers.shard import ShardConsumer
from projections.database import connect
from projections.names import stream_key
from projections.tasks import end
from tests.simulation.faults import LossyWriter
from tests.simulation.judging import Discrepancy

if TYPE_CHECKING:
    from tests.simulation.world import World

MACHINE: "ContextVar[Machine]" = ContextVar("MACHINE")


def tracked(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> "asyncio.Task[Any]":
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
        for shard in range(world.streams):
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
        # Without letting any finish what it does, as a killed process would not.
        await end(self.tasks)
        self.pool.terminate()
        await self.log.aclose()
        await self.rankings.aclose()
