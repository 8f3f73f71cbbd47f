"""Finds what a reader means: a board's ranking in a period, as it is now or was."""

import time
from collections.abc import Callable

from api.asking import Asking
from api.copies import check_segment, example_of, present_period
from api.freshness import Applied, Shown
from api.params import Instant
from api.problems import GONE, NOT_YET, RefusedError, invalid
from api.view import Past, View, Wanted, as_of, joined, shown_in, together
from engine.boards import BoardPlan
from engine.movement import BEFORE
from projections.catalog import Catalog, GameInfo
from projections.fallback import PostgresRankings
from projections.freezes import Freeze, during, earliest
from projections.moments import Future, Gone, moment_of
from projections.rankings import RedisRankings
from projections.snapshots import Snapshots
from projections.tasks import all_of
from schemas.errors import NotFound
from schemas.language import PeriodKind
from schemas.position import Position, Vector

ABSENT_MAX = 10_000
MIN_POSITION_WAIT_S = 5.0
"""So long a read waits for its `min_position` before it says "not yet"."""


def wall_clock_ms() -> int:
    """Epoch milliseconds by this machine's clock: good enough to choose the period that is shown by default."""
    return time.time_ns() // 1_000_000


class Views(Asking):
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
        super().__init__(applied, rankings, fallback, snapshots)
        self.catalog = catalog
        self._clock_ms = clock_ms
        self._absent: dict[tuple[int, str, str, str], str] = {}

    def at_hand(self, game: str, board: str, period: str | None) -> tuple[View, Shown] | None:
        """What `see` finds for the public and now, where nobody has to be asked for it: unless it is frozen, mostly."""
        info = self.catalog.known(game)
        if info is None or len(info.parts) > 1 or info.game_id in self.catalog.freezes:
            return None
        shown, plan = self.applied.recent(info.shard), info.game.boards.get(board)
        if shown is None or plan is None or not self.catalog.has_told(info.shard, shown.profiles):
            return None
        if period is None:
            period = self._present(info, plan, plan.period_kinds[0])
        ranking_id = info.rankings.get((board, period, ""))
        return None if ranking_id is None else (View(info, plan, period, ranking_id), shown)

    async def see(
        self,
        game: str,
        wanted: Wanted,
        min_position: Vector | None,
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
        if len(info.parts) == 1:
            shown = await self.shown_of(info, min_position)
            info = await self.catalog.as_shown(info, shown.profiled)
            if generation is not None:
                beside = await self.catalog.beside(info, generation)
                return await self._see_beside(beside, wanted, shown, min_position)
            if known_at is not None:
                return await self._see_past(info, wanted, known_at.each(1)[0], shown, official=official)
            view = await self.find(info, wanted, shown, official=official, clock_ms=clock_ms)
            return view, shown_in(view, shown)
        moment = known_at, clock_ms
        return await self._see_parts(info, wanted, min_position, moment, generation, official=official)

    async def _see_parts(
        self,
        info: GameInfo,
        wanted: Wanted,
        min_position: Vector | None,
        moment: tuple[Instant | None, int | None],
        generation: int | None,
        *,
        official: bool,
    ) -> tuple[View, Shown]:
        """The same of a spread game; `moment` is (known_at, clock_ms)."""
        known_at, clock_ms = moment
        shown = await self.shown_of(info, min_position)
        info = await self.catalog.as_shown(info, shown.profiled)
        if known_at is None and generation is None:
            view = await self.whole(info, wanted, shown, official=official, clock_ms=clock_ms)
            return view, shown_in(view, shown)
        parts = info.parts if generation is None else (await self.catalog.peers(info, generation)).parts
        moments = [None] * len(parts) if known_at is None else known_at.each(len(parts))
        found: list[tuple[View, Shown]] = []
        for part, instant in zip(parts, moments, strict=True):
            if found:
                wanted = wanted._replace(period=found[0][0].period)
            each = shown.of(part.part)
            if instant is not None:
                found.append(await self._see_past(part, wanted, instant, each, official=official))
            else:
                least = Vector(position for position in min_position or () if position.shard == part.shard)
                found.append(await self._see_beside(part, wanted, each, least))
        return joined([view for view, _ in found]), together([each for _, each in found])

    async def whole(
        self,
        info: GameInfo,
        wanted: Wanted,
        shown: Shown | None = None,
        *,
        official: bool = False,
        clock_ms: int | None = None,
    ) -> View:
        """As `find`; of a spread game all parts of one generation, in the period that the first part shows."""
        if len(info.parts) == 1:
            return await self.find(info, wanted, shown, official=official, clock_ms=clock_ms)
        while True:
            views: list[View] = []
            for part in info.parts:
                now = wanted._replace(period=views[0].period) if views else wanted
                each = None if shown is None else shown.of(part.part)
                views.append(await self.find(part, now, each, official=official, clock_ms=clock_ms))
            info = self.catalog.known(info.name) or info
            if all(view.past is not None or view.info in info.parts for view in views):
                return joined(views)

    async def _see_beside(
        self,
        beside: GameInfo,
        wanted: Wanted,
        shown: Shown,
        min_position: Vector | None,
    ) -> tuple[View, Shown]:
        if beside.folded is not None:
            # It follows the log no longer.
            if min_position and max(min_position) > beside.folded:
                raise RefusedError(NOT_YET, f"generation {beside.generation_id} is folded up to {beside.folded} only")
            shown = as_of(shown, beside.folded)
        return await self._find(beside, wanted, None), shown

    async def _see_past(
        self,
        now: GameInfo,
        wanted: Wanted,
        known_at: Instant,
        shown: Shown,
        *,
        official: bool,
    ) -> tuple[View, Shown]:
        """What was displayed at a time or position. Who may see a board is told by the rules that hold now."""
        if wanted.board not in now.game.boards:
            raise NotFound("board", wanted.board)
        try:
            assert not isinstance(known_at.when, Vector)
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
            view = await self._find_frozen(info, wanted, held, known_at.ms)
        else:
            view = await self._find(info, wanted, known_at.ms)
        past = Past(0 if moment is None else moment.version, position, now, known_at.text)
        if view.past is not None:
            past = view.past._replace(now=now, known_at=known_at.text)
        elif generation is None:
            view = view._replace(ranking_id=None)
        return view._replace(past=past), as_of(shown, past.position)

    async def _find_frozen(self, info: GameInfo, wanted: Wanted, held: list[Freeze], clock_ms: int | None) -> View:
        """A view as a freeze has it stand still, if one of these holds it: the earliest."""
        whole = [freeze.position.ms for freeze in held if freeze.holds(wanted.board, "") and not freeze.final]
        view = await self._find(info, wanted, min(whole, default=clock_ms))
        freeze = earliest(held, wanted.board, view.period)
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
            view = await self._find(then, wanted._replace(period=view.period), None)
        return view._replace(past=_still(freeze, info))

    async def find(
        self,
        info: GameInfo,
        wanted: Wanted,
        shown: Shown | None = None,
        *,
        official: bool = False,
        clock_ms: int | None = None,
    ) -> View:
        """The view of a board in a period (None: the present one) and a segment (None: the whole board); of one part.

        Raises NotFound, or refuses what cannot be a period or segment of the board.
        """
        if info.game_id not in self.catalog.freezes:
            return await self._find(info, wanted, clock_ms, shown)
        held = self.freezes(info, shown)
        if not official:
            return await self._find_frozen(info, wanted, held, clock_ms)
        final = [each for each in held if each.final]
        view = await self._find_frozen(info, wanted, final, clock_ms)
        return view if view.past else view._replace(fresh=earliest(held, wanted.board, view.period) is not None)

    def rankings(self, info: GameInfo, shown: Shown | None, *, official: bool) -> dict[tuple[str, str, str], int]:
        """What rankings a reader may know of: of frozen boards those that there were by then."""
        if official or info.game_id not in self.catalog.freezes:
            return info.rankings
        held = self.freezes(info, shown)
        found = {}
        for name, ranking_id in info.rankings.items():
            freeze = earliest(held, *name[:2])
            then = info if freeze is None else self.catalog.seen_as(info, freeze.generation_id)
            known = then.rankings.get(name) if then is not None else None
            if then is not None and known is not None and (freeze is None or then.since[known] <= freeze.version):
                found[name] = ranking_id
        return found

    def freezes(self, info: GameInfo, shown: Shown | None = None) -> list[Freeze]:
        """The freezes of a game that hold. One that has ended holds on for who is shown what was before."""
        held = self.catalog.freezes.get(info.game_id, ())
        return [each for each in held if each.until is None or (shown is not None and shown.position < each.until)]

    def told_before(self, info: GameInfo, shown: Shown | None = None) -> Position | None:
        """Where in the log ends what the public is told beside the boards: at the earliest freeze of any of them. None for the
        end of the log."""
        return min((each.position for each in self.freezes(info, shown) if not each.final), default=None)

    def frozen(self, info: GameInfo, shown: Shown | None, board: str, period: str) -> Freeze | None:
        """The freeze that tells what the public sees of a copy of a board, if one does; closes apart."""
        return earliest([each for each in self.freezes(info, shown) if not each.final], board, period)

    async def _find(
        self,
        info: GameInfo,
        wanted: Wanted,
        clock_ms: int | None,
        shown: Shown | None = None,
    ) -> View:
        board, period, segment = wanted
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
                raise invalid("period", f"a period of this board, such as {', '.join(examples)}")
            ranking_id = await self._ranking(info, (board, period, segment or ""), shown)
            now = self.catalog.known(info.name) or info
            if not info.retired and now.parts[info.part] is not info:
                # Another generation went live meanwhile, perhaps under other rules.
                return await self.find(now.parts[info.part], wanted._replace(period=period))
        return View(info, plan, period, ranking_id, segment or "")

    async def _ranking(self, info: GameInfo, name: tuple[str, str, str], shown: Shown | None) -> int | None:
        """The id of a ranking that was not known. That a part of a spread game has none is nothing rare: of what is shown the
        database is asked once."""
        key = (info.generation_id, *name)
        if shown is not None and self._absent.get(key) == shown.text:
            return None
        ranking_id = await self.catalog.ranking(info, *name)
        if ranking_id is None and shown is not None and len(info.parts) > 1:
            if len(self._absent) >= ABSENT_MAX:
                self._absent.clear()
            self._absent[key] = shown.text
        return ranking_id

    def longest(self, info: GameInfo, plan: BoardPlan, clock_ms: int | None = None) -> str:
        """The longest present period of a board: `all`, else the season, else the one that is shown by default."""
        return self._present(info, plan, "season" if "season" in plan.period_kinds else plan.period_kinds[0], clock_ms)

    def _present(self, info: GameInfo, plan: BoardPlan, kind: PeriodKind, clock_ms: int | None = None) -> str:
        return present_period(info, plan, kind, self._clock_ms() if clock_ms is None else clock_ms)

    def known(self, game: str, wanted: Wanted, *, official: bool = False) -> View | None:
        """The same out of what is known already: asks nobody, and checks nothing. None for what is not there."""
        info = self.catalog.known(game)
        if info is None or len(info.parts) == 1:
            return self._known(info, wanted, official=official)
        views: list[View] = []
        for part in info.parts:
            now = wanted._replace(period=views[0].period) if views else wanted
            view = self._known(part, now, official=official)
            if view is None:
                return None
            views.append(view)
        return joined(views)

    def _known(self, info: GameInfo | None, wanted: Wanted, *, official: bool) -> View | None:
        board, period, segment = wanted
        plan = info.game.boards.get(board) if info is not None else None
        if info is None or plan is None:
            return None
        held = self.freezes(info) if info.game_id in self.catalog.freezes else []
        whole = [freeze.position.ms for freeze in held if freeze.holds(board, "") and not (official or freeze.final)]
        period = period or self._present(info, plan, plan.period_kinds[0], min(whole, default=None))
        final = earliest([each for each in held if each.final], board, period)
        freeze, now = earliest(held, board, period) if final is None or not official else final, info
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

    async def shown_of(self, info: GameInfo, min_position: Vector | None = None) -> Shown:
        """What the next look-up in a game will show at least; waits for `min_position`, or refuses when that takes long.

        Of a spread game that is what each of its parts shows.
        """
        wanted = {position.shard: position for position in min_position or ()}
        if len(info.parts) == 1:
            if len(wanted) > 1:
                raise invalid("min_position", "one position: this game is not spread over several shards")
            return await self.shown(info.shard, next(iter(wanted.values()), None))
        if any(shard >= len(info.parts) for shard in wanted):
            raise invalid("min_position", f"positions of this game's shards, 0 to {len(info.parts) - 1}")
        known = [] if wanted else [self.applied.recent(part.shard) for part in info.parts]
        shown = [each for each in known if each is not None]
        if len(shown) < len(info.parts):
            shown = await all_of(self.shown(part.shard, wanted.get(part.shard)) for part in info.parts)
        return together(shown)

    async def shown(self, shard: int, min_position: Position | None = None) -> Shown:
        """What the next look-up in a shard will show at least; waits for `min_position`, or refuses when that takes long."""
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


def _still(freeze: Freeze, now: GameInfo) -> Past:
    return Past(freeze.version, freeze.position, now, None, None if freeze.final else freeze.position.ms, freeze.final)
