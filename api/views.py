"""Finds what a reader means (a board's ranking in a period), and asks it: Redis first, PostgreSQL while that cannot."""

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

from redis.exceptions import RedisError

from api.freshness import Applied, Shown
from api.problems import NOT_YET, RefusedError, invalid
from engine.boards import BoardPlan
from engine.movement import BEFORE
from engine.periods import well_formed
from engine.places import Answer, Lookup, Place, Window
from engine.segments import may_be_segment
from projections.catalog import Catalog, GameInfo
from projections.fallback import PostgresRankings
from projections.rankings import RedisRankings
from schemas.errors import NotFound
from schemas.language import PeriodKind
from schemas.position import Position

MIN_POSITION_WAIT_S = 5.0
"""So long a read waits for its `min_position` before it says "not yet"."""


class View(NamedTuple):
    """One copy of a board; `ranking_id` is None while nothing was ever folded into it. The whole board's segment is ""."""

    info: GameInfo
    plan: BoardPlan
    period: str
    ranking_id: int | None
    segment: str = ""


def wall_clock_ms() -> int:
    """Epoch milliseconds by this machine's clock: good enough to choose the period that is shown by default."""
    return time.time_ns() // 1_000_000


class Views:
    """Everything a read needs: catalog, positions and rankings."""

    def __init__(
        self,
        catalog: Catalog,
        applied: Applied,
        rankings: RedisRankings,
        fallback: PostgresRankings,
        clock_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self.catalog = catalog
        self.applied = applied
        self._rankings = rankings
        self._fallback = fallback
        self._clock_ms = clock_ms

    async def see(
        self, game: str, board: str, period: str | None, segment: str | None, min_position: Position | None
    ) -> tuple[View, Shown]:
        """A view, and what it shows at least. In this order: what was published by then includes the ranking itself."""
        info = self.catalog.known(game) or await self.catalog.game(game)
        if min_position is None:
            shown = self.applied.recent(info.shard) or await self.applied.read(info.shard)
        else:
            shown = await self.shown(info.shard, min_position)
        return await self.find(game, board, period, segment), shown

    async def find(self, game: str, board: str, period: str | None, segment: str | None = None) -> View:
        """The view of a board in a period (None: the present one) and a segment (None: the whole board).

        Raises NotFound, or refuses what cannot be a period or segment of the board.
        """
        info = self.catalog.known(game) or await self.catalog.game(game)
        plan = info.game.boards.get(board)
        if plan is None:
            raise NotFound("board", board)
        if period is None:
            period = self._present(info, plan, plan.period_kinds[0])
        ranking_id = info.rankings.get((board, period, segment or ""))
        if segment is not None and (ranking_id is None or not segment or segment.startswith(BEFORE)):
            _check_segment(plan, segment)
        if ranking_id is None:
            if not plan.may_have(period):
                examples = [*map(_example, plan.period_kinds), *plan.windows]
                raise invalid("period", f"a period of this board: {', '.join(examples)}")
            ranking_id = await self.catalog.ranking(info, board, period, segment or "")
            if self.catalog.known(game) is not info:
                # Another generation went live meanwhile, perhaps under other rules.
                return await self.find(game, board, period, segment)
        return View(info, plan, period, ranking_id, segment or "")

    def longest(self, info: GameInfo, plan: BoardPlan) -> str:
        """The longest present period of a board: `all`, else the season, else the one that is shown by default."""
        return self._present(info, plan, "season" if "season" in plan.period_kinds else plan.period_kinds[0])

    def _present(self, info: GameInfo, plan: BoardPlan, kind: PeriodKind) -> str:
        """`all` where the board has it, else the present one of a kind, else the one of that kind that began last."""
        if "all" in plan.period_kinds:
            return "all"
        period = plan.calendars[plan.period_kinds.index(kind)].period_of(self._clock_ms(), None)
        if period is None:
            begun = [
                (ranking_id, period)
                for (board, period, _), ranking_id in info.rankings.items()
                if board == plan.name and well_formed(kind, period)
            ]
            if not begun:
                raise invalid("period", f"there is no present one; name it, such as {_example(kind)}")
            period = max(begun)[1]
        return period

    def known(self, game: str, board: str, period: str | None, segment: str | None) -> View | None:
        """The same out of what is known already: asks nobody, and checks nothing. None for what is not there."""
        info = self.catalog.known(game)
        plan = info.game.boards.get(board) if info is not None else None
        if info is None or plan is None:
            return None
        period = period or self._present(info, plan, plan.period_kinds[0])
        return View(info, plan, period, info.rankings.get((board, period, segment or "")), segment or "")

    async def shown(self, shard: int, min_position: Position | None = None) -> Shown:
        """What the next look-up will show at least; waits for `min_position`, and refuses when that takes too long."""
        if min_position is None:
            return self.applied.recent(shard) or await self.applied.read(shard)
        present = self.catalog.epoch.number if self.catalog.epoch is not None else 1
        if min_position.epoch < present:
            # Who shows anything of this epoch shows everything of earlier ones, wherever the game lived then.
            min_position = Position(present, shard, 0, 0)
        elif min_position.shard != shard:
            if min_position.epoch > present:
                raise RefusedError(NOT_YET, f"{min_position} is not visible yet")
            raise invalid("min_position", f"a position of this game's shard, which is {shard}")
        shown = await self.applied.wait(min_position, MIN_POSITION_WAIT_S)
        if shown is None:
            raise RefusedError(NOT_YET, f"{min_position} is not visible after {MIN_POSITION_WAIT_S:g} s")
        return shown

    async def ask(self, view: View, shown: Shown, lookups: list[Lookup]) -> Answer:
        """Answers in the order of the look-ups, out of a ranking that shows at least `shown`."""
        if view.ranking_id is None:
            return _nothing(lookups)
        if shown.in_redis:
            try:
                answer = await self._rankings.lookup(view.ranking_id, view.plan, lookups)
                if answer is not None:
                    return answer
                await self._rankings.ask_rebuild(view.ranking_id)
            except RedisError as error:
                self.applied.redis_is_away(error)
        return await self._fallback.lookup(view.ranking_id, view.plan, lookups) or _nothing(lookups)

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


def _check_segment(plan: BoardPlan, segment: str) -> None:
    names = list(plan.board.segments)
    if not may_be_segment(segment, names):
        known = "a segment of this board: " + ", ".join(f"{name}:VALUE" for name in names)
        raise invalid("segment", known if names else "this board has no segments")


def _nothing(lookups: list[Lookup]) -> Answer:
    return Answer(0, 0, [None if item.kind == "player" else Window(0, 0, []) for item in lookups])


def _example(kind: str) -> str:
    examples = {
        "all": "all",
        "round": "round:7",
        "daily": "daily:2026-02-08",
        "weekly": "weekly:2026-02-02",
        "monthly": "monthly:2026-02",
        "season": "season:2026",
    }
    return examples[kind]
