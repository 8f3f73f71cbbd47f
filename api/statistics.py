"""A player's season on one board: totals, verdicts, best and worst round, streaks, badges, and every round with its rank."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import asyncpg
import msgspec
from aiohttp import web

from api.access import boards_shown, official, require_board, shows
from api.badges import Badges, badges_shown
from api.effective import Effective
from api.encode import Metrics, effective_at, final, frozen, known_at
from api.freshness import Shown
from api.movement import Movements
from api.params import (
    PAGE_MAX,
    effective_of,
    instant_of,
    name_of,
    number_of,
    parameters,
    player_of,
    target,
    vector_of,
)
from api.problems import invalid
from api.response import Ready, read_response
from api.view import View, Wanted, in_period
from api.views import Views
from engine import statistics
from engine.boards import BoardPlan
from engine.marks import Mark
from engine.places import Lookup, Place
from projections.behind import erased_since
from projections.catalog import GameInfo
from projections.database import queries
from projections.effective import Truth
from projections.statistics import (
    Held,
    held_rows,
    rows_then,
    state_of,
    state_then,
    waiting_picks,
    waiting_then,
)
from schemas.errors import NotFound
from schemas.events import PlayerStatus

Q = queries("reader")
ROUNDS_DEFAULT = 100
_GONE = ("banned", "erased")


class RoundLine(msgspec.Struct, frozen=True):
    """A player's place in one round; rank, tied and total are null while he does not qualify to be ranked there."""

    round: int | str
    period: str
    rank: int | None
    tied: int | None
    total: int | None
    metrics: Metrics


class StatisticsPage(msgspec.Struct, frozen=True, kw_only=True):
    """A player's season on a board.

    `totals` are the board's metrics in `period`; null, as the place is, for who has no marks there. Verdicts are null on
    boards that do not keep their marks one by one. `percentage` is the share of wins in wins and losses. `streaks` are the
    board's streak metrics, or those of its verdicts if it has none. `next` is for `after`. `movement` and `badges` are there
    where the board has them, as on a player's place.
    """

    position: str
    game: str
    player: str
    status: PlayerStatus
    board: str
    period: str
    rank: int | None
    tied: int | None
    total: int | None
    totals: Metrics | None
    wins: int | None
    losses: int | None
    draws: int | None
    pushes: int | None
    voids: int | None
    pending: int
    percentage: str | None
    best: RoundLine | None
    worst: RoundLine | None
    streaks: dict[str, int]
    rounds: list[RoundLine]
    next: str | None
    movement: int | msgspec.UnsetType | None = msgspec.UNSET
    badges: Badges = msgspec.UNSET
    segment: str | msgspec.UnsetType = msgspec.UNSET
    name: str | msgspec.UnsetType = msgspec.UNSET
    hidden: bool | msgspec.UnsetType = msgspec.UNSET
    known_at: str | msgspec.UnsetType = msgspec.UNSET
    frozen: datetime | msgspec.UnsetType = msgspec.UNSET
    final: bool | msgspec.UnsetType = msgspec.UNSET
    effective_at: str | msgspec.UnsetType = msgspec.UNSET


class _Asked(NamedTuple):
    """Whose statistics of which copy of a board; `home` is the segment in which his marks are kept."""

    view: View
    shown: Shown
    player: str
    home: str
    limit: int
    after: str | None
    official: bool
    boards: list[str]
    """Those that whoever asks may see."""
    then: View | None
    """The view with what was behind it, if it is one of the past."""

    @property
    def own(self) -> View:
        """The view of the part of the game that he belongs to."""
        return self.view.of(self.player)

    @property
    def truth(self) -> Truth | None:
        """What was behind it there."""
        past = None if self.then is None else self.then.of(self.player).past
        return None if past is None else past.truth


class _Rounds(NamedTuple):
    """His rounds in their order, the best and the worst of them, and those of the page."""

    page: list[str]
    best: str | None
    worst: str | None
    next: str | None

    @property
    def wanted(self) -> set[str]:
        return {*self.page, *(period for period in (self.best, self.worst) if period is not None)}


class Statistics:
    """The handler. However many rounds and players there are, an answer takes the same number of queries."""

    def __init__(self, views: Views, pool: asyncpg.Pool, effective: Effective) -> None:
        self._views = views
        self._pool = pool
        self._effective = effective
        self._movements = Movements(views)

    async def season(self, request: web.Request) -> Ready:
        """GET /v1/games/{game}/players/{player}/stats"""
        (_, _, _, game, _, who, _), query = target(request)
        known = "board", "period", "segment", "limit", "after", "min_position", "view", "known_at", "effective_at"
        given = parameters(query, *known)
        limit = number_of(given, "limit", ROUNDS_DEFAULT, 1, PAGE_MAX)
        player = player_of(who)
        info = await self._views.catalog.game(name_of(game, "game"))
        plan = _plan(request, info, given.get("board"))
        require_board(request, info.name, plan)
        instants = instant_of(given), effective_of(given)
        clock_ms = next((instant.ms for instant in instants if instant is not None), None)
        period = given.get("period") or self._views.longest(info, plan, clock_ms)
        if period.partition(":")[0] not in ("all", "season") and "period" in given:
            raise invalid("period", "all, or a season such as season:2026")
        seen = official(request, info.name, given.get("view"))
        wanted = Wanted(plan.name, period, given.get("segment"))
        view, shown = await self._effective.look(info.name, wanted, vector_of(given), instants, official=seen)
        then = await self._then(view, shown, player)
        boards = boards_shown(request, info)
        home = "" if view.plan.copies(view.segment) else view.segment
        asked = _Asked(view, shown, player, home, limit, given.get("after"), seen, boards, then)
        return read_response(request, await self._page(asked))

    async def _then(self, view: View, shown: Shown, player: str) -> View | None:
        """The view with what there was at an instant, if it is of one. Of a closed period what is folded tells."""
        past = view.past
        if past is None or (past.final and past.truth is None and past.known_at is None):
            return None
        then = await self._effective.within(view, shown)
        own = then.of(player)
        if own.past is not None and await erased_since(self._pool.fetch, own.info.game_id, player, own.past.position):
            raise NotFound("player", player)
        return then

    async def _page(self, asked: _Asked) -> StatisticsPage:
        view, shown, player, home = asked[:4]
        plan, period, own = view.plan, view.period, asked.own
        profile = await self._pool.fetchrow(Q["profile"], own.named.generation_id, player)
        status: PlayerStatus = "active" if profile is None else profile["status"]
        standing = status if asked.truth is None else asked.truth.behind.fold.sanctions.get(player, "active")
        held, state = await self._rows(asked, standing)
        await self._hold_still(held, asked)
        waiting = await self._waiting(asked)
        heard = state is not None or held.rows or waiting or await self._known(asked, told=profile is not None)
        if not heard:
            raise NotFound("player", player)
        gone = standing in _GONE and period not in held.places
        marks = None if gone else statistics.marks_of(plan, home, state)
        rounds = _rounds_of(held, marks, asked)
        places = await self._places(held, {*rounds.wanted, period}, asked)
        lines = {each: _line(held, each, place) for each, place in places.items()}
        totals, place = lines.get(period), places.get(period)
        moves = None if place is None else (await self._movements.of(asked.then or view, shown, [place])).of(place)
        tally = None if marks is None else statistics.tally(marks)
        return StatisticsPage(
            position=shown.text,
            game=view.info.name,
            player=player,
            status=status,
            board=plan.name,
            period=period,
            rank=None if totals is None else totals.rank,
            tied=None if totals is None else totals.tied,
            total=None if totals is None else totals.total,
            totals=None if totals is None else totals.metrics,
            wins=tally and tally.wins,
            losses=tally and tally.losses,
            draws=tally and tally.draws,
            pushes=tally and tally.pushes,
            voids=tally and tally.voids,
            pending=0 if gone else statistics.pending(view.info.game, plan, period, home, waiting),
            percentage=tally and tally.percentage,
            best=None if rounds.best is None else lines[rounds.best],
            worst=None if rounds.worst is None else lines[rounds.worst],
            streaks=_streaks(plan, totals, marks),
            movement=msgspec.UNSET if plan.present is None else moves,
            badges=await badges_shown(self._pool, own, player) if not gone else msgspec.UNSET,
            rounds=[lines[each] for each in rounds.page],
            next=rounds.next,
            segment=view.segment or msgspec.UNSET,
            name=(profile["name"] if profile is not None else None) or msgspec.UNSET,
            hidden=standing == "hidden" or msgspec.UNSET,
            known_at=known_at(view.past),
            frozen=frozen(view.past),
            final=final(view.past),
            effective_at=effective_at(view.past),
        )

    async def _rows(self, asked: _Asked, standing: PlayerStatus) -> tuple["_Held", bytes | None]:
        """His rows, and the state of the period."""
        view, truth = asked.view, asked.truth
        board, period = view.plan.name, view.period
        # Of a copy there is no state, so who does not qualify there is known to nobody.
        unranked = bool(view.plan.board.qualify) and asked.home == view.segment and standing not in _GONE
        rows, state = (board, view.segment, period, asked.player), (board, asked.home, period, asked.player)
        if truth is not None:
            fold = truth.behind.fold
            return _Held(view, rows_then(fold, *rows, unranked=unranked), fold.clock), state_then(fold, *state)
        generation, clock = asked.own.info.generation_id, asked.shown.of(asked.own.info.part).position.ms
        held = _Held(view, await held_rows(self._pool, generation, *rows, unranked=unranked), clock)
        return held, await state_of(self._pool, generation, *state)

    async def _hold_still(self, held: "_Held", asked: _Asked) -> None:
        """Of rounds that were frozen before what is shown of the others, the public sees what was shown then."""
        view, own = asked.view, asked.own
        if asked.official or own.named.game_id not in self._views.catalog.freezes:
            return
        shown = asked.shown.of(own.info.part)
        for period in [period for period in held.rows if period != view.period]:
            seen = self._views.frozen(own.named, shown, view.plan.name, period)
            if seen is None or (own.version is not None and own.version <= seen.version):
                continue
            live = self._views.catalog.known(view.info.name) or view.info
            wanted = Wanted(view.plan.name, period, view.segment or None)
            still = await self._views.whole(live, wanted, asked.shown)
            answer = await self._views.ask(still, asked.shown, [Lookup("player", asked.player, 0)])
            place = answer.found[0]
            held.hold_still(period, place if isinstance(place, Place) and still.plan is view.plan else None)

    async def _known(self, asked: _Asked, *, told: bool) -> bool:
        """Whether anything at all is, or was, known of him that may be told."""
        if asked.truth is None:
            where = asked.own.info.generation_id, asked.player, asked.boards
            return told or bool(await self._pool.fetchval(Q["has_player"], *where))
        fold = asked.truth.behind.fold
        tables = (table for (board, *_), table in fold.tables.items() if board in asked.boards)
        return asked.player in fold.profiles or any(asked.player in table.rows for table in tables)

    async def _places(self, held: "_Held", periods: set[str], asked: _Asked) -> dict[str, Place | None]:
        """His places in those of the periods in which he has marks; None where he does not qualify to be ranked."""
        rows = [held.rows[period] for period in (periods & held.places.keys()) - held.still.keys()]
        still = {period: place for period, place in held.still.items() if period in periods}
        if asked.truth is not None:
            return still | {row.period: await self._place_then(asked, row) for row in rows}
        if asked.view.parts:
            found = await asyncio.gather(*(self._place_in_all(asked, row) for row in rows))
            return still | {row.period: place for row, place in zip(rows, found, strict=True)}
        ids = [row.ranking_id for row in rows if row.prefix is not None]
        # Redis stands still while a board is frozen.
        shown = asked.shown._replace(in_redis=asked.shown.in_redis and not asked.view.fresh)
        places = await self._views.places(asked.view.plan, ids, asked.player, shown)
        return still | {row.period: places.get(row.ranking_id) for row in rows}

    async def _place_then(self, asked: _Asked, row: Held) -> Place | None:
        """His place in a period as of an instant."""
        if row.prefix is None:
            return None
        then = in_period(asked.then or asked.view, row.period)
        place = (await self._views.ask(then, asked.shown, [Lookup("player", asked.player, 0)])).found[0]
        return place if isinstance(place, Place) else None

    async def _place_in_all(self, asked: _Asked, row: Held) -> Place | None:
        """His place in a period of a spread game, as it is now."""
        if row.prefix is None:
            return None
        wanted = Wanted(asked.view.plan.name, row.period, asked.view.segment or None)
        view = await self._views.whole(asked.view.info, wanted, asked.shown, official=asked.official)
        place = (await self._views.ask(view, asked.shown, [Lookup("player", asked.player, 0)])).found[0]
        return place if isinstance(place, Place) else None

    async def _waiting(self, asked: _Asked) -> list[statistics.Waiting]:
        """His picks that wait for a result, where the board takes any."""
        info, plan = asked.own[:2]
        if not any(plan in plans for _, plans in info.game.pick_routes):
            return []
        if asked.truth is not None:
            return waiting_then(asked.truth.behind.fold, asked.player)
        return await waiting_picks(self._pool, info.generation_id, asked.player)


class _Held:
    """His rows by period, and the places (prefix, extra) that follow: without a rank where he does not qualify."""

    def __init__(self, view: View, rows: dict[str, Held], clock: int) -> None:
        plan = view.plan
        self.plan = plan
        self.rows = rows
        self.still: dict[str, Place | None] = {}
        self.places: dict[str, tuple[bytes, bytes]] = {}
        unranked = None
        for period, row in rows.items():
            prefix, extra = row.prefix, row.extra
            if prefix is None and row.state is not None:
                unranked = unranked or statistics.Unranked(plan, view.info.game)
                prefix, extra = unranked.place(period, view.segment, row.state, clock)
            if prefix is not None:
                self.places[period] = prefix, extra

    def hold_still(self, period: str, place: Place | None) -> None:
        """Puts what was shown in place of a row; None is nothing."""
        self.places.pop(period, None)
        if place is not None:
            self.still[period] = place
            self.places[period] = place.prefix, place.extra


def _plan(request: web.Request, info: GameInfo, board: str | None) -> BoardPlan:
    """The board asked for, or the first one that whoever asks may see."""
    plans = list(info.game.boards.values())
    if board is None:
        return next((plan for plan in plans if shows(request, info.name, plan)), plans[0])
    plan = info.game.boards.get(board)
    if plan is None:
        raise NotFound("board", board[:64])
    return plan


def _rounds_of(held: _Held, marks: Sequence[Mark] | None, asked: _Asked) -> _Rounds:
    """His rounds: those in which he has marks; of a season those of its marks, where these are kept."""
    ids = {period: held.rows[period].ranking_id for period in held.places if period.startswith("round:")}
    if marks is not None and asked.view.period.startswith("season:"):
        inside = {f"round:{mark.round}" for mark in marks}
        ids = {period: ranking_id for period, ranking_id in ids.items() if period in inside}
    ordered = statistics.in_order(ids, marks or ())
    ends = statistics.extremes([statistics.merit(held.plan, held.places[period][0]) for period in ordered])
    start = 0
    if asked.after is not None:
        if asked.after not in ids:
            raise invalid("after", "a cursor out of `next` of a page of this player")
        start = ordered.index(asked.after) + 1
    page = ordered[start : start + asked.limit]
    best, worst = (None, None) if ends is None else (ordered[ends[0]], ordered[ends[1]])
    return _Rounds(page, best, worst, page[-1] if start + len(page) < len(ordered) else None)


def _line(held: _Held, period: str, place: Place | None) -> RoundLine:
    """What he has in a period, as ranked if he is: rank and metrics are of one moment then."""
    prefix, extra = held.places[period] if place is None else (place.prefix, place.extra)
    metrics = held.plan.decode(prefix, extra)
    if place is None:
        return RoundLine(statistics.round_of(period), period, None, None, None, metrics)
    return RoundLine(statistics.round_of(period), period, place.rank, place.tied, place.total, metrics)


def _streaks(plan: BoardPlan, totals: RoundLine | None, marks: Sequence[Mark] | None) -> dict[str, int]:
    names = [metric.name for metric in plan.metrics if metric.streak is not None]
    if not names:
        return {} if marks is None else statistics.runs(marks)
    found = {} if totals is None else totals.metrics
    return {name: value for name in names if isinstance(value := found.get(name), int)}
