"""A player of a game: his profile, his standing, and his place on every board."""

import asyncio
from typing import Any

import asyncpg
import msgspec
from aiohttp import web

from api.access import boards_shown, official, require_board
from api.encode import Metrics, percentages, tier_of
from api.freshness import Shown
from api.params import PAGE_MAX, name_of, number_of, parameters, player_of, target, vector_of
from api.problems import invalid
from api.response import Ready, read_response
from api.view import View, Wanted
from api.views import Views
from engine.places import Lookup, Place
from engine.spread import part_of
from projections.catalog import GameInfo
from projections.database import queries
from schemas.errors import NotFound
from schemas.events import Attributes, PlayerStatus

Q = queries("reader")
PLACES_DEFAULT = 100
_FIRST = (True, (1 << 31) - 1)
_decode_attributes = msgspec.json.Decoder(Attributes).decode

Cursor = tuple[bool, int]
"""(whether the ranking is over all time, its id), in the order of places from last to first."""


class BoardPlace(msgspec.Struct, frozen=True):
    """A player's place on one copy of a board; the fields are those of his place there."""

    board: str
    period: str
    rank: int
    ordinal: int
    tied: int
    total: int
    top_percent: float
    percentile: float
    metrics: Metrics
    tier: str | msgspec.UnsetType | None = msgspec.UNSET
    segment: str | msgspec.UnsetType = msgspec.UNSET
    hidden: bool | msgspec.UnsetType = msgspec.UNSET


class PlayerPage(msgspec.Struct, frozen=True):
    """A player, and his places: over all time first, then in the periods that began last; `next` is for `after`."""

    position: str
    game: str
    player: str
    status: PlayerStatus
    attributes: Attributes
    places: list[BoardPlace]
    next: str | None
    name: str | msgspec.UnsetType = msgspec.UNSET


class Players:
    """The handler."""

    def __init__(self, views: Views, pool: asyncpg.Pool) -> None:
        self._views = views
        self._pool = pool

    async def player(self, request: web.Request) -> Ready:
        """GET /v1/games/{game}/players/{player}"""
        (_, _, _, game, _, who), query = target(request)
        given = parameters(query, "board", "limit", "after", "min_position", "view")
        limit = number_of(given, "limit", PLACES_DEFAULT, 1, PAGE_MAX)
        after = _FIRST if "after" not in given else _cursor(given["after"])
        player = player_of(who)
        info = await self._views.catalog.game(name_of(game, "game"))
        board = given.get("board")
        if board is not None and board not in info.game.boards:
            raise NotFound("board", board[:64])
        if board is not None:
            require_board(request, info.name, info.game.boards[board])
        shown = await self._views.shown_of(info, vector_of(given))
        info = await self._views.catalog.as_shown(info, shown.profiled)
        own = info.parts[part_of(player, len(info.parts))]
        generation = own.generation_id
        profile = await self._pool.fetchrow(Q["profile"], generation, player)
        seen_on = official(request, info.name, given.get("view"))
        # On a board that is frozen he may have had a place that he has lost since.
        lost = not seen_on and bool(self._views.freezes(own, shown.of(own.part)))
        # A place on a board that he who asks may not see does not count either.
        boards = boards_shown(request, info)
        wanted = boards if board is None else [board]
        rows = await self._pool.fetch(Q["rankings_of_player"], generation, player, wanted, *after, limit + 1, lost)
        if profile is None and not rows and not await self._pool.fetchval(Q["has_player"], generation, player, boards):
            raise NotFound("player", player)
        places = await self._places(info, shown, player, rows[:limit], official=seen_on)
        return read_response(
            request,
            PlayerPage(
                shown.text,
                info.name,
                player,
                profile["status"] if profile is not None else "active",
                _decode_attributes(profile["attributes"]) if profile is not None else {},
                places,
                _text(rows[limit - 1]) if len(rows) > limit else None,
                profile["name"] or msgspec.UNSET if profile is not None else msgspec.UNSET,
            ),
        )

    async def _places(
        self, info: GameInfo, shown: Shown, player: str, rows: list[asyncpg.Record], *, official: bool
    ) -> list[BoardPlace]:
        """His places in these rankings; all are asked for together."""
        lookup = [Lookup("player", player, 0)]
        if len(info.parts) > 1 or info.game_id in self._views.catalog.freezes:
            copies = (Wanted(row["board"], row["period"], row["segment"] or None) for row in rows)
            found = (self._views.whole(info, copy, shown, official=official) for copy in copies)
            return await self._found(await asyncio.gather(*found), shown, lookup)
        views = [
            View(info, info.game.boards[row["board"]], row["period"], row["ranking_id"], row["segment"]) for row in rows
        ]
        return await self._found(views, shown, lookup)

    async def _found(self, views: list[View], shown: Shown, lookup: list[Lookup]) -> list[BoardPlace]:
        answers = await asyncio.gather(*(self._views.ask(view, shown, lookup) for view in views))
        found = zip(views, (answer.found[0] for answer in answers), strict=True)
        return [_line(view, place) for view, place in found if isinstance(place, Place)]


def _line(view: View, place: Place) -> BoardPlace:
    plan = view.plan
    return BoardPlace(
        plan.name,
        view.period,
        place.rank,
        place.ordinal + 1,
        place.tied,
        place.total,
        *percentages(plan.style, place),
        plan.decode(place.prefix, place.extra),
        tier_of(plan, place, place.total),
        view.segment or msgspec.UNSET,
        place.hidden or msgspec.UNSET,
    )


def _text(row: Any) -> str:
    return f"{int(row['period'] == 'all')}.{row['ranking_id']}"


def _cursor(text: str) -> Cursor:
    over_all, _, ranking = text.partition(".")
    if over_all not in ("0", "1") or not (ranking.isascii() and ranking.isdecimal()) or len(ranking) > 9:
        raise invalid("after", "a cursor out of `next` of a page of this player")
    return over_all == "1", int(ranking)
