"""Asks a board's ranking: Redis first, PostgreSQL while that cannot; of a spread game every part of it."""

import asyncio
from collections.abc import Awaitable, Callable

from redis.exceptions import RedisError

from api.freshness import Applied, Shown
from api.view import View
from engine.boards import BoardPlan
from engine.merging import merged
from engine.places import Answer, Lookup, Place, Window
from projections.fallback import PostgresRankings
from projections.rankings import RedisRankings
from projections.snapshots import Snapshots
from projections.tasks import all_of

ATTEMPTS = 4
"""So often the parts of a spread game are asked again because one of them has changed between two questions."""


class Asking:
    """The rankings as readers ask them."""

    def __init__(
        self, applied: Applied, rankings: RedisRankings, fallback: PostgresRankings, snapshots: Snapshots
    ) -> None:
        self.applied = applied
        self._rankings = rankings
        self._fallback = fallback
        self._snapshots = snapshots

    async def ask(self, view: View, shown: Shown, lookups: list[Lookup]) -> Answer:
        """Answers in the order of the look-ups, out of a ranking that shows at least `shown`."""
        if view.parts:
            return await self._ask_parts(view, shown, lookups)
        if view.ranking_id is None:
            return nothing(lookups)
        if view.past is not None and view.past.truth is not None:
            return await view.past.truth.lookup(view.plan, view.period, view.segment, lookups)
        if view.past is not None:
            return await self._ask_past(view, view.ranking_id, view.past.version, shown, lookups)
        if view.fresh:
            return await self._fallback.lookup(view.ranking_id, view.plan, lookups, frozen=False) or nothing(lookups)
        if shown.in_redis:
            try:
                answer = await self._rankings.lookup(view.ranking_id, view.plan, lookups)
                if answer is not None:
                    return answer
                await self._rankings.ask_rebuild(view.ranking_id)
            except RedisError as error:
                self.applied.redis_is_away(error)
        return await self._fallback.lookup(view.ranking_id, view.plan, lookups) or nothing(lookups)

    async def _ask_past(self, view: View, ranking_id: int, version: int, shown: Shown, lookups: list[Lookup]) -> Answer:
        """The same out of a snapshot. The first who asks has it made, and is answered by PostgreSQL meanwhile."""
        if shown.in_redis:
            try:
                answer = await self._rankings.lookup(ranking_id, view.plan, lookups, version)
                dense = view.plan.style == "dense"
                self._snapshots.used(ranking_id, version, dense=dense, missing=answer is None)
                if answer is not None:
                    return answer
            except RedisError as error:
                self.applied.redis_is_away(error)
        return await self._fallback.lookup(ranking_id, view.plan, lookups, version) or nothing(lookups)

    async def places(self, plan: BoardPlan, ranking_ids: list[int], player: str, shown: Shown) -> dict[int, Place]:
        """A player's place in rankings of one board, by ranking id, where he is known to have one.

        Redis is asked for all together. What it does not have is one query, however many rankings that is.
        """
        found: dict[int, Place] = {}
        if shown.in_redis and ranking_ids:
            try:
                found = await self._ask_each(plan, ranking_ids, player)
            except RedisError as error:
                self.applied.redis_is_away(error)
        missing = [ranking_id for ranking_id in ranking_ids if ranking_id not in found]
        return found | await self._fallback.places(plan, missing, player) if missing else found

    async def _ask_each(self, plan: BoardPlan, ranking_ids: list[int], player: str) -> dict[int, Place]:
        """The places that Redis knows; rankings that are not there are to be rebuilt."""
        lookups, found = [Lookup("player", player, 0)], {}
        asked = (self._rankings.lookup(ranking_id, plan, lookups) for ranking_id in ranking_ids)
        for ranking_id, answer in zip(ranking_ids, await asyncio.gather(*asked), strict=True):
            if answer is None:
                await self._rankings.ask_rebuild(ranking_id)
            elif isinstance(place := answer.found[0], Place):
                found[ranking_id] = place
        return found

    async def _ask_parts(self, view: View, shown: Shown, lookups: list[Lookup]) -> Answer:
        """One answer out of those of all parts. Where one changes all the time, counts may be some milliseconds apart."""
        answer, steady = await self._merge(view, shown, lookups)
        for _ in range(ATTEMPTS):
            if steady:
                break
            answer, steady = await self._merge(view, shown, lookups)
        return answer

    async def _merge(self, view: View, shown: Shown, lookups: list[Lookup]) -> tuple[Answer, bool]:
        async def ask(part: int, asked: list[Lookup]) -> Answer:
            return await self.ask(view.parts[part], shown.of(part), asked)

        return await _merge(view.plan.style, len(view.parts), lookups, ask)


Ask = Callable[[int, list[Lookup]], Awaitable[Answer]]
"""Asks a part, by its number."""


async def ask_parts(style: str, parts: int, lookups: list[Lookup], ask: Ask) -> Answer:
    """The answer of all parts of a game, none of which changes; of one that is not spread that of its only one."""
    return await ask(0, lookups) if parts == 1 else (await _merge(style, parts, lookups, ask))[0]


async def _merge(style: str, parts: int, lookups: list[Lookup], ask: Ask) -> tuple[Answer, bool]:
    """The answer of all parts, and whether each has shown one version all along."""
    merging = merged(style, parts, lookups)
    asked, versions, steady = next(merging), dict[int, int](), True
    while True:
        rounds = [part for part, each in enumerate(asked) if each]
        if len(rounds) == 1:
            found = [await ask(rounds[0], asked[rounds[0]])]
        else:
            found = await all_of(ask(part, asked[part]) for part in rounds)
        for part, answer in zip(rounds, found, strict=True):
            steady = steady and versions.setdefault(part, answer.version) == answer.version
        answers = dict(zip(rounds, found, strict=True))
        try:
            asked = merging.send([answers.get(part, _NONE) for part in range(parts)])
        except StopIteration as stop:
            return stop.value, steady


_NONE = Answer(0, 0, [])


def nothing(lookups: list[Lookup]) -> Answer:
    """What a ranking answers that nothing was ever folded into."""
    return Answer(0, 0, [None if item.kind == "player" else Window(0, 0, []) for item in lookups])
