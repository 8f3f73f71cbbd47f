"""Ticks: tell the log how late it is, when places should have changed and no event came that says so.

Who holds a shard's lease appends a `tick` to each game that has a row due, and only then: at most one a game and day as a
rule. A tick too many does nothing.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from projections.batch import ShardState
from projections.database import AWAY
from projections.names import FIELD, epoch_key, stream_key
from projections.store import Store
from schemas.codec import encode
from schemas.events import Tick
from schemas.position import parse_entry

EVERY_MS = 60_000
log = structlog.get_logger()


class Ticker:
    """Looks every minute which games of a shard need a tick. `state` is how far the shard is folded."""

    def __init__(self, shard: int, store: Store, redis: Redis, state: Callable[[], ShardState]) -> None:
        self.shard = shard
        self._store = store
        self._redis = redis
        self._state = state
        self._sent: dict[str, tuple[int, int]] = {}

    async def run(self) -> None:
        """Ticks until it is cancelled; servers that are away are asked again later."""
        while True:
            try:
                await self.tick()
            except (RedisError, *AWAY) as error:
                log.info("no ticks for now", shard=self.shard, error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(EVERY_MS / 1000)

    async def tick(self) -> list[str]:
        """Appends a tick to each game that needs one and has none on its way; returns these games."""
        state = self._state()
        seconds, micros = await self._redis.time()
        now_ms = int(seconds) * 1000 + int(micros) // 1000
        self._sent = {game: entry for game, entry in self._sent.items() if entry > (state.ms, state.seq)}
        due = await self._store.due_games(self.shard, now_ms)
        games = [game for game in due if game not in self._sent]
        epoch = await self._redis.get(epoch_key(self.shard)) if games else None
        if epoch is None or int(epoch) != state.epoch:
            return []
        # Two who believe that they hold the lease write the same event, which counts once.
        at = now_ms - now_ms % EVERY_MS
        for game in games:
            fields: Any = {FIELD: encode(Tick(id=f"tick:{at}", game=game, at=at))}
            entry: Any = await self._redis.xadd(stream_key(self.shard), fields)
            self._sent[game] = parse_entry(entry)
        if games:
            log.info("ticked", shard=self.shard, games=len(games))
        return games
