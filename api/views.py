"""Finds what a reader means (a board's ranking in a period), and asks it: Redis first, PostgreSQL while that cannot."""

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

from redis.exceptions import RedisError

from api.copies import check_segment, example_of
from api.freshness import Applied, Shown
from api.params import Instant
from api.problems import GONE, NOT_YET, RefusedError, invalid
from engine.boards import BoardPlan
from engine.movement import BEFORE
from engine.periods import well_formed
from engine.places import Answer, Lookup, Place, Window
from projections.catalog import Catalog, GameInfo
from projections.effective import Truth
from projections.fallback import PostgresRankings
from projections.freezes import Freeze, during
from projections.moments import Future, Gone, moment_of
from projections.rankings import RedisRankings
from projections.snapshots import Snapshots
from schemas.errors import NotFound
from schemas.language import PeriodKind
from schemas.position import Position

MIN_POSITION_WAIT_S = 5.0
"""So long a read waits for its `min_position` before it says "not yet"."""


class Past(NamedTuple):
    """As of when a board is seen: what was displayed in a version of its shard, which showed `position`.

    `now` is the game as it is now, `known_at` what was asked for, if it was; `frozen_ms` is since when the board is frozen, or
    was so then. One that was asked for as of `effective_at` is seen as its `truth` has it.
    """

    version: int
    position: Position
    now: GameInfo
    known_at: str | None
    frozen_ms: int | None = None
    final: bool = False
    truth: Truth | None = None
    effective_at: str | None = None


class View(NamedTuple):
    """One copy of a board; `ranking_id` is None while nothing was ever folded into it. The whole board's segment is "".

    One of the past is of the generation that was live then. `fresh` says that Redis stands still: PostgreSQL has to tell.
    """

    info: GameInfo
    plan: BoardPlan
    period: str
    ranking_id: int | None
    segment: str = ""
    past: Past | None = None
    fresh: bool = False

    @property
    def named(self) -> GameInfo:
        """The game whose profiles give the names: those of the present also stand on boards of the past."""
        return self.info if self.past is None else self.past.now

    @property
    def version(self) -> int | None:
        """The version as of which it is seen; None for what is shown now."""
        return None if self.past is None else self.past.version


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
        snapshots: Snapshots,
        clock_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self.catalog = catalog
        self.applied = applied
        self._rankings = rankings
        self._fallback = fallback
        self._snapshots = snapshots
        self._clock_ms = clock_ms

    async def see(
        self,
        game: str,
        board: str,
        period: str | None,
        segment: str | None,
        min_position: Position | None,
        known_at: Instant | None = None,
        generation: int | None = None,
        *,
        official: bool = False,
        clock_ms: int | None = None,
    ) -> tuple[View, Shown]:
        """A view, and what it shows at least. In this order: what was published by then includes the ranking itself.

        With a generation it is of one beside the live one. Officials see on while a board is frozen.
        """
        info = self.catalog.known(game) or await self.catalog.game(game)
        shown = await self.shown(info.shard, min_position)
        if generation is not None:
            beside = await self.catalog.beside(info, generation)
            if beside.folded is not None:
                # It follows the log no longer.
                if min_position is not None and min_position > beside.folded:
                    raise RefusedError(NOT_YET, f"generation {generation} is folded up to {beside.folded} only")
                shown = as_of(shown, beside.folded)
            return await self._find(beside, board, period, segment, None), shown
        if known_at is not None:
            return await self._see_past(info, (board, period, segment), known_at, shown, official=official)
        view = await self.find(game, board, period, segment, shown, official=official, clock_ms=clock_ms)
        return view, shown if view.past is None else as_of(shown, view.past.position)

    async def _see_past(
        self,
        now: GameInfo,
        copy: tuple[str, str | None, str | None],
        known_at: Instant,
        shown: Shown,
        *,
        official: bool,
    ) -> tuple[View, Shown]:
        """What was displayed at a time or position. Who may see a board is told by the rules that hold now."""
        if copy[0] not in now.game.boards:
            raise NotFound("board", copy[0])
        try:
            moment = await moment_of(self.catalog.pool, now.game_id, known_at.when)
        except Future:
            raise invalid("known_at", "a time or position that has come") from None
        except Gone:
            raise RefusedError(GONE, f"what was displayed at {known_at.text} is kept no longer") from None
        position = Position(shown.position.epoch, now.shard, 0, 0) if moment is None else moment.position
        generation = None if moment is None else moment.generation_id
        info = now if generation is None else await self.catalog.generation(now, generation)
        if moment is not None:
            held = await during(self.catalog.pool, now.game_id, moment.version)
            held = [freeze for freeze in held if freeze.final or not official]
            view = await self._find_frozen(info, copy, held, known_at.ms)
        else:
            view = await self._find(info, *copy, known_at.ms)
        past = Past(0 if moment is None else moment.version, position, now, known_at.text)
        if view.past is not None:
            past = view.past._replace(now=now, known_at=known_at.text)
        elif generation is None:
            view = view._replace(ranking_id=None)
        return view._replace(past=past), as_of(shown, past.position)

    async def _find_frozen(
        self, info: GameInfo, copy: tuple[str, str | None, str | None], held: list[Freeze], clock_ms: int | None
    ) -> View:
        """A view as a freeze has it stand still, if one of these holds it: the earliest."""
        board, period, segment = copy
        whole = [freeze.position.ms for freeze in held if freeze.holds(board, "") and not freeze.final]
        view = await self._find(info, board, period, segment, min(whole, default=clock_ms))
        freeze = _earliest(held, board, view.period)
        if freeze is None:
            return view
        then = self.catalog.seen_as(info, freeze.generation_id)
        if then is None and freeze.generation_id is not None:
            then = await self.catalog.generation(info, freeze.generation_id)
        if then is None and freeze.final:
            # Its generation was dropped: what is folded has to tell.
            return view._replace(fresh=True)
        if then is None:
            raise RefusedError(GONE, "what was displayed when the board was frozen is kept no longer")
        if then is not info:
            view = await self._find(then, board, view.period, segment, None)
        return view._replace(past=_still(freeze, info))

    async def find(
        self,
        game: str,
        board: str,
        period: str | None,
        segment: str | None = None,
        shown: Shown | None = None,
        *,
        official: bool = False,
        clock_ms: int | None = None,
    ) -> View:
        """The view of a board in a period (None: the present one) and a segment (None: the whole board).

        Raises NotFound, or refuses what cannot be a period or segment of the board.
        """
        info = self.catalog.known(game) or await self.catalog.game(game)
        if info.game_id not in self.catalog.freezes:
            return await self._find(info, board, period, segment, clock_ms)
        held = self.freezes(info, shown)
        if not official:
            return await self._find_frozen(info, (board, period, segment), held, clock_ms)
        final = [each for each in held if each.final]
        view = await self._find_frozen(info, (board, period, segment), final, clock_ms)
        return view if view.past else view._replace(fresh=_earliest(held, board, view.period) is not None)

    def rankings(self, info: GameInfo, shown: Shown | None, *, official: bool) -> dict[tuple[str, str, str], int]:
        """What rankings a reader may know of: of frozen boards those that there were by then."""
        if official or info.game_id not in self.catalog.freezes:
            return info.rankings
        held = self.freezes(info, shown)
        found = {}
        for name, ranking_id in info.rankings.items():
            freeze = _earliest(held, *name[:2])
            then = info if freeze is None else self.catalog.seen_as(info, freeze.generation_id)
            known = then.rankings.get(name) if then is not None else None
            if then is not None and known is not None and (freeze is None or then.since[known] <= freeze.version):
                found[name] = ranking_id
        return found

    def freezes(self, info: GameInfo, shown: Shown | None = None) -> list[Freeze]:
        """The freezes of a game that hold. One that has ended holds on for who is shown what was before."""
        held = self.catalog.freezes.get(info.game_id, ())
        return [each for each in held if each.until is None or (shown is not None and shown.position < each.until)]

    def frozen(self, info: GameInfo, shown: Shown | None, board: str, period: str) -> Freeze | None:
        """The freeze that tells what the public sees of a copy of a board, if one does; closes apart."""
        return _earliest([each for each in self.freezes(info, shown) if not each.final], board, period)

    async def _find(
        self, info: GameInfo, board: str, period: str | None, segment: str | None, clock_ms: int | None
    ) -> View:
        plan = info.game.boards.get(board)
        if plan is None:
            raise NotFound("board", board)
        if period is None:
            period = self._present(info, plan, plan.period_kinds[0], clock_ms)
        ranking_id = info.rankings.get((board, period, segment or ""))
        if segment is not None and (ranking_id is None or not segment or segment.startswith(BEFORE)):
            check_segment(plan, segment)
        if ranking_id is None:
            if not plan.may_have(period):
                examples = [*map(example_of, plan.period_kinds), *plan.windows]
                raise invalid("period", f"a period of this board: {', '.join(examples)}")
            ranking_id = await self.catalog.ranking(info, board, period, segment or "")
            if not info.retired and self.catalog.known(info.name) is not info:
                # Another generation went live meanwhile, perhaps under other rules.
                return await self.find(info.name, board, period, segment)
        return View(info, plan, period, ranking_id, segment or "")

    def longest(self, info: GameInfo, plan: BoardPlan, clock_ms: int | None = None) -> str:
        """The longest present period of a board: `all`, else the season, else the one that is shown by default."""
        return self._present(info, plan, "season" if "season" in plan.period_kinds else plan.period_kinds[0], clock_ms)

    def _present(self, info: GameInfo, plan: BoardPlan, kind: PeriodKind, clock_ms: int | None = None) -> str:
        """`all` where the board has it, else the present one of a kind, else the one of that kind that began last."""
        if "all" in plan.period_kinds:
            return "all"
        period = plan.calendars[plan.period_kinds.index(kind)].period_of(
            self._clock_ms() if clock_ms is None else clock_ms, None
        )
        if period is None:
            begun = [
                (ranking_id, period)
                for (board, period, _), ranking_id in info.rankings.items()
                if board == plan.name and well_formed(kind, period)
            ]
            if not begun:
                raise invalid("period", f"there is no present one; name it, such as {example_of(kind)}")
            period = max(begun)[1]
        return period

    def known(
        self, game: str, board: str, period: str | None, segment: str | None, *, official: bool = False
    ) -> View | None:
        """The same out of what is known already: asks nobody, and checks nothing. None for what is not there."""
        info = self.catalog.known(game)
        plan = info.game.boards.get(board) if info is not None else None
        if info is None or plan is None:
            return None
        held = self.freezes(info) if info.game_id in self.catalog.freezes else []
        whole = [freeze.position.ms for freeze in held if freeze.holds(board, "") and not (official or freeze.final)]
        period = period or self._present(info, plan, plan.period_kinds[0], min(whole, default=None))
        final = _earliest([each for each in held if each.final], board, period)
        freeze, now = _earliest(held, board, period) if final is None or not official else final, info
        official = official and final is None
        if freeze is not None and not official:
            info = self.catalog.seen_as(info, freeze.generation_id)
            plan = info.game.boards.get(board) if info is not None else None
            if info is None or plan is None:
                return None
        view = View(info, plan, period, info.rankings.get((board, period, segment or "")), segment or "")
        if freeze is None:
            return view
        return view._replace(fresh=True) if official else view._replace(past=_still(freeze, now))

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
        if view.past is not None and view.past.truth is not None:
            return await view.past.truth.lookup(view.plan, view.period, view.segment, lookups)
        if view.past is not None:
            return await self._ask_past(view, view.ranking_id, view.past.version, shown, lookups)
        if view.fresh:
            return await self._fallback.lookup(view.ranking_id, view.plan, lookups, frozen=False) or _nothing(lookups)
        if shown.in_redis:
            try:
                answer = await self._rankings.lookup(view.ranking_id, view.plan, lookups)
                if answer is not None:
                    return answer
                await self._rankings.ask_rebuild(view.ranking_id)
            except RedisError as error:
                self.applied.redis_is_away(error)
        return await self._fallback.lookup(view.ranking_id, view.plan, lookups) or _nothing(lookups)

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
        return await self._fallback.lookup(ranking_id, view.plan, lookups, version) or _nothing(lookups)

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


def _earliest(held: list[Freeze], board: str, period: str) -> Freeze | None:
    """Of several freezes of a copy of a board the first one tells what is shown."""
    return min((freeze for freeze in held if freeze.holds(board, period)), key=lambda each: each.version, default=None)


def _still(freeze: Freeze, now: GameInfo) -> Past:
    return Past(freeze.version, freeze.position, now, None, None if freeze.final else freeze.position.ms, freeze.final)


def as_of(shown: Shown, position: Position) -> Shown:
    return shown._replace(position=position, text=str(position))


def _nothing(lookups: list[Lookup]) -> Answer:
    return Answer(0, 0, [None if item.kind == "player" else Window(0, 0, []) for item in lookups])
