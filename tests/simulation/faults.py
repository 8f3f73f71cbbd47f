"""What can go wrong between the log and the boards, drawn by a seed: crashes, answers that are lost, requests that are lost."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from redis.exceptions import ConnectionError as RedisAway

from consumers.crash import POINTS, Crash
from projections.batch import Batch
from projections.rankings import Pending, RankingWriter
from projections.store import Store
from schemas.position import Position


class Faults:
    """`armed` faults happen with the given shares; `happened` counts them. A crash is drawn once for each machine."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.armed = True
        self.happened: Counter[str] = Counter()

    def crash(self, die: Callable[[], None]) -> Crash:
        """A trap at one of the named points, at the n-th time that it is passed; sometimes none."""
        if not self.armed or self.chance.random() < 0.25:
            return Crash(None)
        point = self.chance.choice(POINTS)

        def ends() -> None:
            self.happened[f"crash {point}"] += 1
            die()

        return Crash(f"{point}:{self.chance.choice((1, 1, 2, 3, 5))}", die=ends)

    def draws(self, what: str, share: float) -> bool:
        """Whether a fault happens here."""
        if self.armed and self.chance.random() < share:
            self.happened[what] += 1
            return True
        return False

    async def lossy(self, what: str, share: float, call: Callable[[], Awaitable[Any]], error: type[Exception]) -> Any:
        """The call's answer; or an error, before the call or after it."""
        if self.draws(f"{what}: request lost", share / 2):
            raise error(f"{what}: the request was lost")
        answer = await call()
        if self.draws(f"{what}: reply lost", share):
            raise error(f"{what}: the reply was lost")
        return answer


class LossyStore(Store):
    """PostgreSQL behind a bad line."""

    def __init__(self, pool: Any, faults: Faults) -> None:
        super().__init__(pool)
        self.faults = faults

    async def commit(self, batch: Batch, inside: Callable[[], None]) -> None:
        """A transaction; its answer may be lost."""
        await self.faults.lossy("commit", 0.06, lambda: Store.commit(self, batch, inside), ConnectionResetError)

    async def _by_index(self, query: str, *arguments: Any) -> Any:
        if self.faults.draws("query: reply lost", 0.01):
            raise ConnectionResetError("a query's reply was lost")
        return await super()._by_index(query, *arguments)


class LossyWriter(RankingWriter):
    """The rankings' Redis behind a bad line."""

    def __init__(self, redis: Any, faults: Faults) -> None:
        super().__init__(redis)
        self.faults = faults

    async def update(self, updates: dict[int, Pending]) -> list[int]:
        """Moves rankings on; the answer may be lost."""
        update = super().update
        found: list[int] = await self.faults.lossy("rankings", 0.08, lambda: update(updates), RedisAway)
        return found

    async def applied(self, shard: int, version: int, position: Position, profiles: int) -> bool:
        """Says what is shown; the answer may be lost."""
        applied = super().applied
        call = lambda: applied(shard, version, position, profiles)  # noqa: E731
        done: bool = await self.faults.lossy("applied", 0.05, call, RedisAway)
        return done
