"""`q=` of a board's page: the players whose id or name begins so, best first, with the places that they have on the board.

It is bounded: of each kind FOUND_MAX matches are looked at. Who gets more has to type more; the answer says so.
"""

import asyncpg
import msgspec

from api.encode import Page, final, frozen, known_at, shown_lines
from api.freshness import Shown
from api.movement import Movements
from api.names import NameBooks, named_at
from api.params import PageQuery, cursor_of
from api.view import View
from api.views import Views
from engine.keys import member
from engine.places import Entry, Lookup, Place, Window
from projections.search import Found, Where, find

FOUND_MAX = 200
FOUND_SLOWLY_MAX = 20
"""The same while PostgreSQL has to work out each place."""

_encode = msgspec.json.Encoder().encode


class Results(msgspec.Struct, frozen=True):
    """A page of matches as JSON, all but its position, and what it was made at."""

    rest: bytes
    seen: tuple[int, ...]


class Searching:
    """Searches boards."""

    def __init__(self, views: Views, names: NameBooks, pool: asyncpg.Pool) -> None:
        self._views = views
        self._names = names
        self._movements = Movements(views)
        self._pool = pool

    async def page(self, view: View, query: PageQuery, shown: Shown) -> Results:
        """The page that a query with `q` asks for."""
        found = await self._found(view, query.q or "", shown)
        answer = await self._views.ask(view, shown, [Lookup("player", player, 0) for player in found.players])
        places = [place for place in answer.found if isinstance(place, Place) and not place.hidden]
        entries = [
            Entry(place.player, place.prefix, place.extra, place.ordinal, place.rank, place.tied > 1)
            for place in sorted(places, key=lambda place: place.ordinal)
        ]
        first, last = _stretch([member(entry.prefix, entry.player) for entry in entries], query)
        window = Window(first, answer.total, entries[first:last])
        names = await self._names.of(view.named, shown, window.columns.players)
        moves = await self._movements.of(view, shown, window.entries)
        page = Page(
            view.info.name,
            view.plan.name,
            view.plan.title,
            view.period,
            view.plan.style,
            answer.total,
            shown_lines(view.plan, window, names, moves),
            _cursor(entries[last - 1]) if 0 < last < len(entries) else None,
            _cursor(entries[first]) if 0 < first < len(entries) else None,
            view.segment or msgspec.UNSET,
            query.q or msgspec.UNSET,
            len(entries),
            found.complete,
            known_at(view.past),
            frozen(view.past),
            final(view.past),
        )
        return Results(_encode(page), answer.seen(moves.version) + named_at(names, shown))

    async def _found(self, view: View, text: str, shown: Shown) -> Found:
        if view.ranking_id is None:
            return Found([], complete=True)
        most = FOUND_MAX if shown.in_redis and not view.fresh else FOUND_SLOWLY_MAX
        places = [
            Where(part.ranking_id, part.named.generation_id, part.version)
            for part in view.parts or (view,)
            if part.ranking_id is not None
        ]
        return await find(self._pool, places, text, most)


def _stretch(members: list[bytes], query: PageQuery) -> tuple[int, int]:
    """From which of the matches to which the page goes: the first ones, or those behind or in front of a member."""
    if query.before is not None:
        last = sum(each < query.before for each in members)
        return max(0, last - query.limit), last
    first = sum(each <= query.after for each in members) if query.after is not None else 0
    return first, min(len(members), first + query.limit)


def _cursor(entry: Entry) -> str:
    return cursor_of(member(entry.prefix, entry.player))
