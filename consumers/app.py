"""The FastStream application: one plain stream subscriber for each shard that this process holds the lease of.

No consumer group: a subscriber reads after the committed position, and position, order and exactly-once are the shard
consumer's. Leases only keep two processes from doing the same work twice.
"""

import asyncio
import logging
import os
import socket
from dataclasses import dataclass, field
from typing import Any

import prometheus_client
import structlog
from faststream import FastStream
from faststream.message import StreamMessage
from faststream.redis import RedisBroker, StreamSub
from redis.asyncio import Redis

from consumers.crash import Crash
from consumers.failures import back_off
from consumers.intake import RawEntry, raw_streams
from consumers.metrics import ShardMetrics
from consumers.publisher import Publisher
from consumers.shard import Limits, ShardConsumer
from consumers.ticking import Ticker
from projections.database import AWAY, STATEMENTS, connect, queries
from projections.memory import hold_long_lived_state
from projections.names import stream_key
from projections.rankings import RankingWriter
from projections.store import Store
from projections.tasks import end

Q = queries("writer")
LEASE_S = 5.0
RENEW_S = 1.0
POLL_MS = 250
log = structlog.get_logger()


@dataclass(frozen=True)
class Options:
    """What a consumer process needs to know. `shards` are those it may hold, of `total_shards`."""

    log_url: str
    rankings_url: str
    database_url: str
    shards: tuple[int, ...] = (0,)
    total_shards: int = 1
    batch_events_max: int = 50_000
    cache_rows: int = 500_000
    keep_log_s: int = 3_600
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
    broker = RedisBroker(options.log_url, apply_types=False, logger=logger)
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
    raw = message.raw_message
    return list(zip(raw["message_ids"], raw["data"], strict=True))


class Process:
    """Holds leases, and for each a shard consumer with its subscriber."""

    def __init__(self, options: Options, broker: RedisBroker) -> None:
        self.options = options
        self.broker = broker
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Connects, waiting for services that are away, and starts to seek leases."""
        options = self.options
        self._pool = await self._connect()
        client = await self.broker.connect()
        client.set_response_callback("XREAD", raw_streams)
        self._log: Redis = Redis.from_url(options.log_url)
        self._rankings: Redis = Redis.from_url(options.rankings_url)
        if options.metrics_port is not None:
            prometheus_client.start_http_server(options.metrics_port, "127.0.0.1")
        self._tasks = [asyncio.create_task(self._hold(shard)) for shard in options.shards]
        log.info("consumer started", owner=options.owner, shards=list(options.shards))

    async def _connect(self) -> Any:
        attempt = 0
        while True:
            attempt += 1
            try:
                return await connect(self.options.database_url, statements=self.options.database_statements)
            except AWAY as error:
                if attempt in (1, 20):
                    log.warning("waiting for PostgreSQL", error=str(error))
                await asyncio.sleep(back_off(attempt, 0.5))

    async def stop(self) -> None:
        """Finishes what is under way and gives the leases back."""
        await end(self._tasks)
        await self._pool.close()
        await self._log.aclose()
        await self._rankings.aclose()

    async def _hold(self, shard: int) -> None:
        """Waits for the lease of a shard, consumes while it holds it, and starts over when it has lost it."""
        while True:
            try:
                while not await self._lease(shard):
                    await asyncio.sleep(RENEW_S)
                log.info("lease taken", shard=shard)
                await self._consume(shard)
            except Exception:
                log.exception("consumer failed, starting over", shard=shard)
                await asyncio.sleep(RENEW_S)

    async def _lease(self, shard: int) -> bool:
        try:
            await self._pool.execute(Q["new_shard"], shard)
            return await self._pool.fetchval(Q["lease"], shard, self.options.owner, LEASE_S) is not None
        except AWAY:
            return False

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
        metrics = ShardMetrics(shard, consumer, publisher)
        try:
            after = await consumer.start()
            stream = StreamSub(
                stream_key(shard),
                batch=True,
                last_id=after,
                max_records=options.batch_events_max,
                polling_interval=POLL_MS,
            )
            subscriber = self.broker.subscriber(stream=stream, parser=parse, decoder=decode)

            async def handle(entries: list[RawEntry]) -> None:
                await consumer.handle(entries)

            subscriber(handle)
            await subscriber.start()
            ticking.append(asyncio.create_task(ticker.run()))
            await self._renew_until(shard, consumer.rewound)
        finally:
            metrics.remove()
            await end(ticking)
            if subscriber is not None:
                await subscriber.stop()
            await consumer.stop()
            await self._release(shard)

    async def _renew_until(self, shard: int, rewound: asyncio.Event) -> None:
        """Returns when the subscriber has to start again, or when somebody else has taken the lease.

        While PostgreSQL is away nobody can take it, so it goes on.
        """
        while not rewound.is_set():
            await asyncio.sleep(RENEW_S)
            try:
                if await self._pool.fetchval(Q["lease"], shard, self.options.owner, LEASE_S) is None:
                    log.warning("lease lost", shard=shard)
                    return
            except AWAY:
                continue

    async def _release(self, shard: int) -> None:
        try:
            await self._pool.execute(Q["release"], shard, self.options.owner)
        except AWAY:
            log.info("lease runs out by itself", shard=shard)
