"""Encoded pages, kept while nothing changes.

A page is served without any question for FRESH_MS after its check; after that one question for the ranking's version,
shared by all its pages, tells whether the bytes still hold. Only a changed ranking costs a look-up and an encoding.
"""

import operator
from time import monotonic
from typing import NamedTuple

from api.encode import page_bytes, with_position
from api.freshness import FRESH_S, Shown, SingleFlight
from api.movement import Movements
from api.names import NameBooks, named_at
from api.params import PageQuery
from api.view import View
from api.views import Views
from engine.places import Lookup, Window

BYTES_MAX = 32 * 1024 * 1024
"""So much memory do the kept pages of a process take."""


class Page(NamedTuple):
    """An answer: its bytes, its entity tag, and until when (by the monotonic clock) it may be served unchecked."""

    body: bytes
    etag: bytes
    fresh_until: float


class _Check(NamedTuple):
    """What a ranking and the profiles were at, and what was shown when that was asked for."""

    seen: tuple[int, ...]
    shown: Shown
    checked_at: float


class _Kept(NamedTuple):
    """A page's bytes, and what its ranking and the profiles were at."""

    seen: tuple[int, ...]
    rest: bytes

    def behind(self, check: _Check) -> bool:
        """Whether something that the page shows may be otherwise now."""
        return self.seen != check.seen and any(map(operator.lt, self.seen, check.seen))


class Pages:
    """The pages of all boards."""

    def __init__(self, views: Views, names: NameBooks, bytes_max: int = BYTES_MAX) -> None:
        self._views = views
        self._names = names
        self._movements = Movements(views)
        self._bytes_max = bytes_max
        self._bytes = 0
        self._kept: dict[tuple[int, PageQuery], _Kept] = {}
        self._checks: dict[int, _Check] = {}
        self._flights = SingleFlight()

    async def page(self, view: View, query: PageQuery, shown: Shown) -> Page:
        """The page that a query asks for; with `min_position` it is read anew, to show at least `shown`."""
        still = view.past is not None or view.info.folded is not None
        if view.ranking_id is None or still or view.fresh or query.min_position is not None:
            still = view.past is not None and query.min_position is None
            until = monotonic() + FRESH_S if still else 0.0
            return self._made(view, await self._read(view, query, shown), shown, until)
        check = self._checks.get(view.ranking_id)
        if check is None or monotonic() - check.checked_at >= FRESH_S:
            check = await self._flights.do(view.ranking_id, lambda: self._check(view))
        kept = self._kept.get((view.ranking_id, query))
        if kept is None or kept.behind(check):
            checked = check.shown
            kept = await self._flights.do((view.ranking_id, query), lambda: self._renew(view, query, checked))
            if kept.behind(check):
                # It was under way before the check, and so knows less than the position that will be shown with it.
                kept = await self._renew(view, query, checked)
        return self._made(view, kept, check.shown, check.checked_at + FRESH_S)

    @staticmethod
    def _made(view: View, kept: _Kept, shown: Shown, fresh_until: float) -> Page:
        return Page(with_position(shown.text, kept.rest), etag(view, kept.seen), fresh_until)

    async def _check(self, view: View) -> _Check:
        now = monotonic()
        shown = await self._views.shown_of(view.info)
        answer = await self._views.ask(view, shown, [])
        moves = await self._movements.of(view, shown, [])
        check = _Check(answer.seen(moves.version) + shown.profiled, shown, now)
        if view.ranking_id is not None:
            if len(self._checks) >= 10_000:
                self._checks.clear()
            self._checks[view.ranking_id] = check
        return check

    async def _renew(self, view: View, query: PageQuery, shown: Shown) -> _Kept:
        kept = await self._read(view, query, shown)
        if view.ranking_id is not None:
            self._keep((view.ranking_id, query), kept)
        return kept

    async def _read(self, view: View, query: PageQuery, shown: Shown) -> _Kept:
        answer = await self._views.ask(view, shown, [_lookup(query)])
        window = answer.found[0]
        if not isinstance(window, Window):
            raise TypeError("a page is answered with a window")
        names = await self._names.of(view.named, shown, window.columns.players)
        moves = await self._movements.of(view, shown, window.entries if view.plan.present is not None else [])
        # Both versions only grow, so their sum tells whether one of the rankings has changed.
        return _Kept(answer.seen(moves.version) + named_at(names, shown), page_bytes(view, window, names, moves))

    def _keep(self, key: tuple[int, PageQuery], kept: _Kept) -> None:
        old = self._kept.pop(key, None)
        self._bytes += len(kept.rest) - (len(old.rest) if old is not None else 0)
        self._kept[key] = kept
        while self._bytes > self._bytes_max and self._kept:
            # The one that was renewed longest ago goes first.
            self._bytes -= len(self._kept.pop(next(iter(self._kept))).rest)


def etag(view: View, seen: tuple[int, ...]) -> bytes:
    """Weak, because an answer's position may move on while all else stays the same."""
    return b'W/"%b"' % ".".join(map(str, (*view.copy, *seen, *view.still))).encode()


def _lookup(query: PageQuery) -> Lookup:
    if query.after is not None:
        return Lookup("after", query.after, query.limit)
    if query.before is not None:
        return Lookup("before", query.before, query.limit)
    return Lookup("top", 0, query.limit)
