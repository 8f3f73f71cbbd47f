"""The read endpoints: pages of a board, a player's place, several players' places, history."""

from time import monotonic
from typing import Any

import asyncpg
import msgspec
from aiohttp import web

from api.access import HOLDER, official, require_board, require_official
from api.badges import badges_shown
from api.bodies import read_body
from api.effective import Effective
from api.encode import friends_bytes, history_bytes, place_bytes, with_position
from api.freshness import FRESH_S, Shown, SingleFlight
from api.movement import Movements
from api.names import NameBooks, named_at
from api.negotiate import unchanged
from api.pages import Page, Pages, etag
from api.params import PageQuery, PlaceQuery, name_of, page_query, place_query, player_of, target
from api.problems import INVALID_REQUEST, Item, RefusedError, invalid
from api.progress import Progress, kind_of
from api.response import JSON, NO_CACHE, Ready, read_response
from api.search import Searching
from api.view import View, Wanted
from api.views import Views
from engine.boards import BoardPlan
from engine.places import Lookup, Place, Window
from projections.history import Copy, history
from schemas.checks import ID_RULE, good_id
from schemas.errors import NotFound

PLAYERS_MAX = 1_000
SERVED_MAX = 1_024
SERVED_BYTES_MAX = 16 * 1024
_HEADERS = JSON + NO_CACHE
_COPY_AND_NUMBER = 3
_NOTHING_ELSE = (None,) * (len(PlaceQuery._fields) - _COPY_AND_NUMBER)


class _Players(msgspec.Struct, forbid_unknown_fields=True):
    players: list[Any]


_decode_players = msgspec.json.Decoder(_Players).decode


class Reads:
    """Handlers; each takes a request and answers it, or raises what `api.problems` knows."""

    def __init__(self, views: Views, names: NameBooks, pages: Pages, pool: asyncpg.Pool, effective: Effective) -> None:
        self._views = views
        self._effective = effective
        self._names = names
        self._movements = Movements(views)
        self._progress = Progress(views, pool)
        self._pages = pages
        self._searching = Searching(views, names, pool)
        self._pool = pool
        self._served: dict[str, Page] = {}
        self._flights = SingleFlight()

    async def board(self, request: web.Request) -> Ready:
        """GET /v1/games/{game}/boards/{board}. What was asked for a moment ago, word for word, is answered at once."""
        asked = request.raw_path
        if (holder := request.get(HOLDER)) is not None and holder.may(
            "officiate", name_of(target(request).parts[3], "game")
        ):
            # Officials see on while a board is frozen.
            asked = f"official {asked}"
        page = self._served.get(asked)
        if page is None or monotonic() >= page.fresh_until:
            if page_query(target(request).query).generation is not None:
                # Not together with others, who may see more.
                page = await self._page(asked, request)
            else:
                page = await self._flights.do(asked, lambda: self._page(asked, request))
        return _answer(request, page.etag, page.body)

    async def _page(self, asked: str, request: web.Request) -> Page:
        (_, _, _, game, _, board), raw_query = target(request)
        query = page_query(raw_query)
        view, shown = await self._see(request, game, board, query)
        if query.q is not None:
            found = await self._searching.page(view, query, shown)
            tag = etag(view, found.seen)
            return Page(with_position(shown.text, found.rest), tag, monotonic() + FRESH_S)
        page = await self._pages.page(view, query, shown)
        if page.fresh_until and len(page.body) <= SERVED_BYTES_MAX and query.generation is None:
            if len(self._served) >= SERVED_MAX:
                self._served.clear()
            self._served[asked] = page
        return page

    async def place(self, request: web.Request) -> Ready:
        """GET /v1/games/{game}/boards/{board}/players/{player}"""
        (_, _, _, game, _, board, _, who), raw_query = target(request)
        query = place_query(raw_query)
        player = player_of(who)
        view, shown = self._at_hand(game, board, query) or await self._see(request, game, board, query)
        answer = await self._views.ask(view, shown, [Lookup("player", player, query.number)])
        place = answer.found[0]
        if not isinstance(place, Place):
            raise NotFound("player", player)
        plain = view.plan.badges is None and view.plan.present is None
        if plain and not shown.profiles:
            return _answer(
                request, etag(view, answer.seen() + shown.profiled), place_bytes(view, shown.text, place, {})
            )
        around = place.around or Window(0, 0)
        names = await self._names.of(view.named, shown, [player, *around.columns.players])
        entries = around.entries if view.plan.present is not None else []
        moves = await self._movements.of(view, shown, [place, *entries])
        badges = await badges_shown(self._pool, view.of(player), player)
        if isinstance(badges, list) and await self._views.catalog.froze():
            # They may be ahead of a freeze that was not known yet.
            return await self.place(request)
        # Each of these only grows, and so does what else an answer can show.
        beside = moves.version + (len(badges) if isinstance(badges, list) else 0)
        unknown = (0,) if badges is None else ()
        tag = etag(view, answer.seen(beside) + named_at(names, shown) + unknown)
        return _answer(request, tag, place_bytes(view, shown.text, place, names, moves, badges))

    async def friends(self, request: web.Request) -> Ready:
        """POST /v1/games/{game}/boards/{board}/ranks: a list, so the hidden are not on it."""
        (_, _, _, game, _, board, _), raw_query = target(request)
        query = place_query(raw_query, None)
        players = _players(await read_body(request))
        view, shown = self._at_hand(game, board, query) or await self._see(request, game, board, query)
        answer = await self._views.ask(view, shown, [Lookup("player", player, 0) for player in players])
        places = [place for place in answer.found if isinstance(place, Place) and not place.hidden]
        ranked = {place.player for place in places}
        missing = [player for player in players if player not in ranked]
        names = await self._names.of(view.named, shown, ranked)
        moves = await self._movements.of(view, shown, places)
        return Ready(200, _HEADERS, friends_bytes(view, shown.text, answer.total, places, missing, names, moves))

    async def history(self, request: web.Request) -> Ready:
        """GET /v1/games/{game}/boards/{board}/players/{player}/history"""
        (_, _, _, game, _, board, _, who, _), raw_query = target(request)
        query = place_query(raw_query, "limit")
        player = player_of(who)
        view, shown = await self._see(request, game, board, query)
        rows = await self._history(view, player, query.number)
        if not rows:
            raise NotFound("player", player)
        by = kind_of(query.by, view)
        ranks = await self._progress.lines(view, shown, player, by, query.number, rows) if by is not None else None
        return read_response(request, history_bytes(view, shown.text, player, rows, ranks))

    def _at_hand(self, game: str, board: str, query: PlaceQuery) -> tuple[View, Shown] | None:
        """What is seen where only a period and a number are asked for, and nobody has to be waited for."""
        usual = query.segment is None and query[_COPY_AND_NUMBER:] == _NOTHING_ELSE
        return self._views.at_hand(game, board, query.period) if usual else None

    async def _see(
        self, request: web.Request, game: str, board: str, query: PlaceQuery | PageQuery
    ) -> tuple[View, Shown]:
        names = name_of(game, "game"), name_of(board, "board")
        if query.generation is not None:
            require_official(request, names[0])
        seen = official(request, names[0], query.view)
        wanted = Wanted(names[1], query.period, query.segment)
        if query.effective_at is not None:
            return await self._effective.see(names[0], wanted, query.min_position, query.effective_at, official=seen)
        asked = query.min_position, query.known_at, query.generation
        view, shown = await self._views.see(names[0], wanted, *asked, official=seen)
        if query.generation is not None:
            # Its rules may be others than those that the live board is guarded by.
            require_board(request, names[0], view.plan)
        return view, shown

    async def _history(self, view: View, player: str, limit: int) -> list[Any]:
        view = view.of(player)
        info = view.named

        async def plan_in(generation_id: int) -> BoardPlan | None:
            return (await self._views.catalog.generation(info, generation_id)).game.boards.get(view.plan.name)

        copy = Copy(info.game_id, view.plan.name, view.period, view.segment)
        return await history(self._pool, copy, player, limit, plan_in, view.version)


def _players(body: bytes) -> list[str]:
    try:
        players = _decode_players(body).players
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise invalid("players", '{"players": [...]} with 1 to 1000 player ids') from None
    if not 1 <= len(players) <= PLAYERS_MAX:
        raise invalid("players", f"1 to {PLAYERS_MAX} player ids")
    wrong = [
        Item("players", ID_RULE, index)
        for index, player in enumerate(players)
        if not (isinstance(player, str) and good_id(player))
    ]
    if wrong:
        raise RefusedError(INVALID_REQUEST, f"{len(wrong)} bad player ids", wrong)
    return list(dict.fromkeys(players))


def _answer(request: web.Request, tag: bytes, body: bytes) -> Ready:
    if unchanged(request, tag):
        return Ready(304, NO_CACHE + b"ETag: " + tag + b"\r\n")
    return Ready(200, _HEADERS + b"ETag: " + tag + b"\r\n", body)
