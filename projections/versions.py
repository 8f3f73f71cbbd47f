"""The versions of many rankings in one question, for whoever watches them."""

from collections.abc import Sequence
from typing import Any

import asyncpg
from redis.asyncio import Redis

from projections.answers import version_of
from projections.database import queries
from projections.names import ranking_keys

Q = queries("rankings")


class Versions:
    """Asks Redis, and PostgreSQL for those that Redis lacks. Connection errors of either reach the caller."""

    def __init__(self, redis: Redis, pool: asyncpg.Pool) -> None:
        self._redis = redis
        self._pool = pool

    async def shown(self, ranking_ids: Sequence[int]) -> dict[int, int]:
        """What readers of the rankings are shown: one round trip, however many there are."""
        pipeline = self._redis.pipeline(transaction=False)
        for ranking_id in ranking_ids:
            pipeline.hget(ranking_keys(ranking_id)[1], "")
        replies: list[Any] = await pipeline.execute() if ranking_ids else []
        found = {ranking_id: version_of(raw) for ranking_id, raw in zip(ranking_ids, replies, strict=True)}
        lacking = [ranking_id for ranking_id, version in found.items() if version is None]
        committed = await self.committed(lacking) if lacking else {}
        return {id_: version for id_, version in found.items() if version is not None} | committed

    async def committed(self, ranking_ids: Sequence[int]) -> dict[int, int]:
        """What PostgreSQL holds, which Redis may be about to show."""
        rows = await self._pool.fetch(Q["versions"], list(ranking_ids))
        return {row["ranking_id"]: row["version"] for row in rows}
