"""The FastStream application: one plain stream subscriber for each shard that this process holds the lease of.

No consumer group: a subscriber reads after the committed position, and position, order and exactly-once are the shard
consumer's. Leases only keep two processes from doing the same work twice.
"""

import asyncio
import contextlib
import logging
import os
import socket
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import prometheus_client
import structlog
from faststream import FastStream
from faststream.message import StreamMessage
from faststream.redis import RedisBroker, StreamSub
from redis.asyncio import Redis

from consumers.crash import Crash
from consumers.failures import back_off
from consumers.forgetting import keep_forgetting
from consumers.intake import RawEntry, raw_streams
from consumers.leases import RENEW_S, Leases
from consumers.metrics import ShardMetrics
from consumers.pace import Pace
from consumers.parts import Limits
from consumers.publisher import Publisher
from consumers.shard import STOP_S, ShardConsumer
from consumers.ticking import Ticker
from projections.database import AWAY, STATEMENTS, connect
from projections.memory import hold_long_lived_state
from projections.names import stream_key
from projections.rankings import RankingWriter
from projections.store import Store
from projections.tasks import end

POLL_MS = 250
POOL_PER_SHARD = 3
"""Connections that a shard can use at once: one commits, one loads what the next batch needs, one rebuilds a ranking."""

POOL_LEAST, POOL_MAX = 8, 32
"""Shards share their connections: with more of them than fit, they wait for each other."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Options:
    """What a consumer process needs to know. `total_shards` is what a new log gets; `shards` may be taken, all if empty."""

    log_url: str
    rankings_url: str
    database_url: str
    shards: tuple[int, ...] = ()
    total_shards: int = 1
    batch_events_max: int = 50_000
    cache_rows: int = 500_000
    keep_log_s: int = 3_600
    keep_history_s: int | None = None
    database_statements: int = STATEMENTS
    crash_at: str | None = None
    metrics_port: int | None = None
    owner: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}")


async def run(options: Options) -> None:
    """Consumes until SIGINT or SIGTERM."""
    hold_long_lived_state()
    logger = logging.getLogger("rankfold.consumers")
    # FastStream tells of every batch at INFO; its warnings and errors are wanted.
    logger.setLevel(logging.WARNING)
    # A process that stood still for seconds finds its read timed out: it reads again at once, where FastStream waits for 5 s.
    broker = RedisBroker(options.log_url, apply_types=False, logger=logger, retry_on_timeout=True)
    app = FastStream(broker, logger=logger)
    process = Process(options, broker)
    app.after_startup(process.start)
    app.on_shutdown(process.stop)
    await app.run()


async def parse(raw: Any) -> StreamMessage[Any]:
    """A FastStream message around the raw entries: nothing is copied, decoded or guessed."""
    return StreamMessage(raw_message=raw, body=b"")


async def decode(message: StreamMessage[Any]) -> Any:
    """The raw entries, as (id, fields)."""
    return message.raw_message["data"][0]


class Process:
    """Takes its share of the leases, and folds each shard that it holds."""

    def __init__(self, options: Options, broker: RedisBroker) -> None:
        self.options = options
        self.broker = broker
        self._running: dict[int, asyncio.Task[None]] = {}
        self._ending: dict[int, asyncio.Task[None]] = {}
        self._sharing: list[asyncio.Task[None]] = []
        self._metrics = ShardMetrics()
        self._epoch = 0
        self._restart: dict[int, asyncio.Event] = {}

    async def start(self) -> None:
        """Connects, waiting for services that are away, and starts to seek leases."""
        options = self.options
        shards = len(options.shards) or options.total_shards
        self._pool = await self._connect(min(POOL_MAX, max(POOL_LEAST, POOL_PER_SHARD * shards)))
        self._leases_pool = await self._connect(1)
        self._leases = Leases(self._leases_pool, options.owner, options.total_shards, options.shards)
        client = await self.broker.connect()
        client.set_response_callback("XREAD", raw_streams)
        self._log: Redis = Redis.from_url(options.log_url)
        self._rankings: Redis = Redis.from_url(options.rankings_url)
        if options.metrics_port is not None:
            prometheus_client.start_http_server(options.metrics_port, "127.0.0.1")
        self._sharing = [asyncio.create_task(self._share())]
        log.info("consumer started", owner=options.owner, may_hold=list(options.shards) or "all")

    async def _connect(self, size: int) -> Any:
        attempt = 0
        while True:
            attempt += 1
            try:
                url, statements = self.options.database_url, self.options.database_statements
                return await connect(url, size=size, statements=statements)
            except AWAY as error:
                if attempt in (1, 20):
                    log.warning("waiting for PostgreSQL", error=str(error))
                await asyncio.sleep(back_off(attempt, 0.5))

    async def stop(self) -> None:
        """Finishes what is under way and gives the leases back."""
        await end(self._sharing)
        with contextlib.suppress(asyncpg.PostgresError, *AWAY):
            # Those that go on need not wait for the heartbeat to run out.
            await self._leases.leave()
        for shard in list(self._running):
            self._give_up(shard)
        await asyncio.gather(*self._ending.values(), return_exceptions=True)
        self._metrics.close()
        await self._leases_pool.close()
        await self._pool.close()
        await self._log.aclose()
        await self._rankings.aclose()

    async def _share(self) -> None:
        """Renews, gives up and takes leases until it is cancelled.

        While PostgreSQL is away nobody can take them from here, so it goes on with those that it has.
        """
        while True:
            try:
                await self._turn()
            except (asyncpg.PostgresError, *AWAY) as error:
                log.info("leases are not renewed for now", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(RENEW_S)

    async def _turn(self) -> None:
        turn = await self._leases.turn(self._running, self._ending)
        for shard in self._running.keys() - turn.mine:
            if shard in turn.lost:
                log.warning("lease lost", shard=shard)
            else:
                log.info("lease given up", shard=shard)
            self._give_up(shard)
        if turn.epoch != self._epoch:
            log.info("epoch", epoch=turn.epoch)
            self._epoch = turn.epoch
            for restart in self._restart.values():
                restart.set()
        for shard in turn.mine - self._running.keys():
            log.info("lease taken", shard=shard)
            self._running[shard] = asyncio.create_task(self._hold(shard))
        for backend in await self._leases.end_frozen():
            log.warning("a connection that did not go on held others up, and was ended", backend=backend)

    def _give_up(self, shard: int) -> None:
        self._ending[shard] = asyncio.create_task(self._end(shard, self._running.pop(shard)))

    async def _end(self, shard: int, holding: "asyncio.Task[None]") -> None:
        """Lets a shard's last commit finish, and gives its lease back."""
        holding.cancel()
        await asyncio.wait([holding], timeout=2 * STOP_S)
        await end([holding])
        try:
            await self._leases.release(shard)
        except (asyncpg.PostgresError, *AWAY):
            log.info("lease runs out by itself", shard=shard)
        del self._ending[shard]

    async def _hold(self, shard: int) -> None:
        """Folds a shard until it is cancelled. Starts over when it failed, or when the reader has to go back."""
        while True:
            try:
                await self._consume(shard)
            except Exception:
                log.exception("consumer failed, starting over", shard=shard)
                await asyncio.sleep(RENEW_S)

    async def _consume(self, shard: int) -> None:
        options = self.options
        store = Store(self._pool)
        publisher = Publisher(shard, store, RankingWriter(self._rankings), Crash(options.crash_at))
        limits = Limits(
            batch_events_max=options.batch_events_max, cache_rows=options.cache_rows, keep_log_s=options.keep_log_s
        )
        consumer = ShardConsumer(shard, store, publisher, self._log, total=options.total_shards, limits=limits)
        ticker = Ticker(shard, store, self._log, lambda: consumer.state)
        subscriber = None
        ticking: list[asyncio.Task[None]] = []
        self._metrics.add(consumer, publisher)
        self._restart[shard] = consumer.rewound
        try:
            after = await consumer.start()
            stream = StreamSub(
                stream_key(shard),
                batch=True,
                last_id=after,
                max_records=options.batch_events_max,
                polling_interval=POLL_MS,
            )
            # Not persistent: the broker would keep each that ever was, and with it all that its consumer held in memory.
            subscriber = self.broker.subscriber(stream=stream, parser=parse, decoder=decode, persistent=False)

            pace = Pace()

            async def handle(entries: list[RawEntry]) -> None:
                pace.begin(len(entries))
                await consumer.handle(entries)
                if (rest_s := pace.rest_s()) > 0:
                    await asyncio.sleep(rest_s)

            subscriber(handle)
            await subscriber.start()
            ticking.append(asyncio.create_task(ticker.run()))
            ticking.append(
                asyncio.create_task(keep_forgetting(self._pool, self._rankings, shard, options.keep_history_s))
            )
            await consumer.rewound.wait()
        finally:
            self._metrics.remove(shard)
            self._restart.pop(shard, None)
            await end(ticking)
            # First: what reads for it waits for the batch under way, and that for as long as a server is away.
            await consumer.stop()
            if subscriber is not None:
                await subscriber.stop()
