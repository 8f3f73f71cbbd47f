"""What exists: games, their boards and the periods that these have."""

import contextlib
import heapq
from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec
from aiohttp import web

from api.access import boards_shown, official, require_board, require_official
from api.params import PAGE_MAX, generation_of, name_of, number_of, parameters, target
from api.response import Ready, read_response
from api.view import beside_in
from api.views import Views
from engine.boards import BoardPlan
from engine.rules import ranked_by
from engine.segments import may_be_segment
from projections.catalog import Catalog, GameInfo
from projections.database import AWAY
from projections.freezes import Freeze
from schemas.errors import NotFound
from schemas.position import Vector

GAMES_DEFAULT = 100
SEGMENTS_DEFAULT = 100
PERIODS_MAX = 1_000


class BoardLine(msgspec.Struct, frozen=True):
    """A board: its order in words, its kinds of periods and its windows, and those that have a ranking, the newest first
    behind the windows.

    `segments` are the attributes whose values have copies of the board; these are listed by /segments.
    """

    board: str
    title: str
    ranks: str
    ranked_by: list[str]
    metrics: list[str]
    period_kinds: list[str]
    periods: list[str]
    segments: list[str]


class SegmentPage(msgspec.Struct, frozen=True):
    """Segments of a board by id; `next` is what `after` takes for those behind."""

    game: str
    board: str
    segments: list[str]
    next: str | None


class GameLine(msgspec.Struct, frozen=True):
    """A game in the list of all."""

    game: str
    title: str
    ruleset_version: int
    boards: list[str]


class GamePage(msgspec.Struct, frozen=True):
    """Games by name; `next` is what `after` takes for those behind."""

    games: list[GameLine]
    next: str | None


class Standstill(msgspec.Struct, frozen=True):
    """A freeze or a close: of a board (null: of every one), in a period (null: in every one), and where in the log."""

    board: str | None
    period: str | None
    position: str
    at: datetime


class GameDetails(msgspec.Struct, frozen=True):
    """A game, and what its readers see at least. `parts`: of so many shards, from 0 on, it lives on if it is spread, else 1."""

    position: str
    game: str
    title: str
    shard: int
    ruleset_version: int
    generation: int
    time_zone: str
    boards: list[BoardLine]
    frozen: list[Standstill] = []
    closed: list[Standstill] = []
    parts: int = 1


class Listing:
    """The handlers."""

    def __init__(self, catalog: Catalog, views: Views) -> None:
        self._catalog = catalog
        self._views = views

    async def games(self, request: web.Request) -> Ready:
        """GET /v1/games"""
        given = parameters(target(request).query, "limit", "after")
        limit = number_of(given, "limit", GAMES_DEFAULT, 1, PAGE_MAX)
        behind = [info for info in await self._catalog.games() if info.name > given.get("after", "")]
        shown = behind[:limit]
        lines = [GameLine(info.name, _title(info), info.ruleset_version, boards_shown(request, info)) for info in shown]
        return read_response(request, GamePage(lines, shown[-1].name if len(behind) > limit else None))

    async def segments(self, request: web.Request) -> Ready:
        """GET /v1/games/{game}/boards/{board}/segments: those of a period, or of any."""
        (_, _, _, game, _, board, _), query = target(request)
        given = parameters(query, "period", "limit", "after", "view", "generation")
        limit = number_of(given, "limit", SEGMENTS_DEFAULT, 1, PAGE_MAX)
        info = await self._asked(request, game, given)
        plan = info.game.boards.get(name_of(board, "board"))
        if plan is None:
            raise NotFound("board", board)
        require_board(request, info.name, plan)
        period, after = given.get("period"), given.get("after", "")
        names = list(plan.board.segments)
        held = {
            segment
            for name, of, segment in await self._rankings(request, info, given)
            if name == plan.name and segment > after and period in (None, of) and may_be_segment(segment, names)
        }
        shown = heapq.nsmallest(limit, held)
        return read_response(
            request, SegmentPage(info.name, plan.name, shown, shown[-1] if len(held) > limit else None)
        )

    async def game(self, request: web.Request) -> Ready:
        """GET /v1/games/{game}"""
        (_, _, _, segment), query = target(request)
        given = parameters(query, "view", "generation")
        info = await self._asked(request, segment, given)
        shown = await self._views.shown_of(info)
        if any(part.folded is not None for part in info.parts):
            shown = beside_in(info, shown)
        with contextlib.suppress(*AWAY):
            # Whoever has just frozen a board finds that told. While PostgreSQL is away, what is known of freezes holds on.
            await self._catalog.froze()
        periods = _periods(info, await self._rankings(request, info, given))
        boards = boards_shown(request, info)
        hidden = info.game.boards.keys() - set(boards)
        held = [
            each
            for part in info.parts
            for each in self._views.freezes(part, shown.of(part.part))
            if each.board not in hidden
        ]
        frozen, closed = (_stills([each for each in held if each.final is final]) for final in (False, True))
        return read_response(
            request,
            GameDetails(
                shown.text,
                info.name,
                _title(info),
                info.shard,
                info.ruleset_version,
                info.generation_id,
                info.game.rules.time_zone,
                [_board(info.game.boards[name], periods.get(name, [])) for name in boards],
                frozen,
                closed,
                len(info.parts),
            ),
        )

    async def _asked(self, request: web.Request, segment: str, given: dict[str, str]) -> GameInfo:
        """The game that a path names, as it is live or as the generation has it that an official asks for."""
        generation = generation_of(given)
        name = name_of(segment, "game")
        if generation is not None:
            require_official(request, name)
        info = await self._catalog.game(name)
        if generation is None:
            return info
        beside = (
            self._catalog.peers(info, generation) if len(info.parts) > 1 else self._catalog.beside(info, generation)
        )
        return await beside

    async def _rankings(
        self, request: web.Request, info: GameInfo, given: dict[str, str]
    ) -> dict[tuple[str, str, str], int]:
        seen = official(request, info.name, given.get("view"))
        if info.retired or all(part.game_id not in self._catalog.freezes for part in info.parts):
            return _first(part.rankings for part in info.parts)
        shown = await self._views.shown_of(info)
        return _first(self._views.rankings(part, shown.of(part.part), official=seen) for part in info.parts)


def _first(parts: Iterable[dict[tuple[str, str, str], int]]) -> dict[tuple[str, str, str], int]:
    """The rankings of all parts of a game; of those that several have the one that was made first."""
    found, *others = parts
    for other in others:
        found = found | {name: min(ranking_id, found.get(name, ranking_id)) for name, ranking_id in other.items()}
    return found


def _stills(freezes: list[Freeze]) -> list[Standstill]:
    """What stands still; each part of a spread game says of the same event where it has come to it."""
    alike: dict[tuple[str, str], list[Freeze]] = {}
    for each in freezes:
        alike.setdefault((each.board, each.period), []).append(each)
    return [
        Standstill(
            board or None,
            period or None,
            str(Vector(each.position for each in held)),
            datetime.fromtimestamp(min(each.position.ms for each in held) / 1000, UTC),
        )
        for (board, period), held in sorted(alike.items())
    ]


def _board(plan: BoardPlan, periods: list[str]) -> BoardLine:
    return BoardLine(
        plan.name,
        plan.title,
        plan.style,
        ranked_by(plan),
        list(plan.metric_names),
        [*plan.period_kinds, *plan.windows],
        sorted(periods, key=lambda period: period not in plan.windows)[:PERIODS_MAX],
        list(plan.board.segments),
    )


def _periods(info: GameInfo, rankings: dict[tuple[str, str, str], int]) -> dict[str, list[str]]:
    """The periods of each board, by kind; of each kind those first that end last, of rounds those that began last."""
    periods: dict[str, list[tuple[tuple[str, int, int], str]]] = {}
    for (board, period, segment), ranking_id in rankings.items():
        plan = info.game.boards.get(board)
        if not segment and plan is not None:
            order = period.partition(":")[0], plan.end_of(period), ranking_id
            periods.setdefault(board, []).append((order, period))
    return {board: [period for _, period in sorted(found, reverse=True)] for board, found in periods.items()}


def _title(info: GameInfo) -> str:
    return info.game.rules.title or info.name
