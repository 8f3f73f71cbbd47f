"""What was true at an instant over HTTP: `effective_at` on pages, places, several players' ranks and exports; and what was
behind the places, then or when they were displayed.

A game with few events is folded while the client waits. For one with many the answer is a job, whose result is what the same
request would have been answered with.
"""

from collections.abc import Awaitable

import msgspec
from aiohttp import web

from api.freshness import Shown
from api.jobs import Jobs, Progress, accepted
from api.metrics import Handler
from api.names import NameBooks
from api.negotiate import WHOLE
from api.params import Instant, target
from api.problems import INVALID_REQUEST, RefusedError, invalid
from api.response import Ready
from api.view import Past, View, Wanted, joined, shown_in
from api.views import Views
from engine.keys import member
from engine.places import Entry, Lookup, Window
from projections.catalog import GameInfo
from projections.effective import Asked, TooManyEvents, Truth, Truths
from projections.moments import Future
from schemas.errors import Unavailable
from schemas.position import Position, Vector

TOO_MANY = "a spread game with so many events is not folded for an answer: ask for what was displayed, known_at"
ATTEMPTS = 3
"""So often a job folds a game whose freezes or generation have changed in the meantime."""


class Effective:
    """Sees boards as they truly were."""

    def __init__(self, views: Views, truths: Truths, jobs: Jobs) -> None:
        self._views = views
        self._truths = truths
        self._jobs = jobs

    async def see(
        self,
        game: str,
        wanted: Wanted,
        min_position: Vector | None,
        instant: Instant,
        *,
        official: bool = False,
        inside: bool = False,
    ) -> tuple[View, Shown]:
        """As `Views.see`. While a board is frozen nothing counts for the public that was recorded since; nor does
        what came after the end of a final period for anybody."""
        # Redis stands still while a board is frozen; here only knowing of it does.
        await self._views.catalog.froze()
        view, shown = await self._views.see(game, wanted, min_position, official=official, clock_ms=instant.ms)
        parts = view.parts or (view,)
        least = {position.shard: position for position in min_position or ()}
        whens = [each.when if isinstance(each.when, Position) else each.ms for each in instant.each(len(parts))]
        frozen = [None if part.past is None else part.past.position for part in parts]
        asked = [
            Asked(game, part.info.generation_id, when, upto, inside)
            for part, when, upto in zip(parts, whens, frozen, strict=True)
        ]
        try:
            truths = await self._get(asked, [least.get(part.info.shard) for part in parts])
        except Future:
            raise invalid("effective_at", "a time or position that has come") from None
        seen = [_with(part, truth, instant.text) for part, truth in zip(parts, truths, strict=True)]
        whole = joined(seen) if view.parts else seen[0]
        return whole, shown_in(whole, shown)

    async def _get(self, asked: list[Asked], least: list[Position | None]) -> list[Truth]:
        """The truths of all parts of a game. Of a spread game they are not made by a job, which makes one."""
        if len(asked) == 1:
            return [await self._truths.get(asked[0], least[0])]
        try:
            return [await self._truths.get(each, at) for each, at in zip(asked, least, strict=True)]
        except TooManyEvents:
            raise RefusedError(INVALID_REQUEST, TOO_MANY) from None

    async def look(
        self,
        game: str,
        wanted: Wanted,
        min_position: Vector | None,
        instants: tuple[Instant | None, Instant | None],
        *,
        official: bool,
    ) -> tuple[View, Shown]:
        """A view for who asks what is behind it, as of (known_at, effective_at) if one of them is given."""
        known_at, effective_at = instants
        if effective_at is None:
            return await self._views.see(game, wanted, min_position, known_at, official=official)
        return await self.see(game, wanted, min_position, effective_at, official=official, inside=True)

    async def behind(self, info: GameInfo, past: Past) -> Truth:
        """What is behind the places of a view of the past, of the whole game."""
        if past.truth is not None:
            return past.truth
        at = past.position
        return await self._truths.get(Asked(info.name, info.generation_id, at, at, inside=True))

    async def within(self, view: View, shown: Shown) -> View:
        """A view of the past with what is behind its places; of a part that is not of the past as of what it shows."""
        parts = view.parts or (view,)
        if not view.parts and view.past is not None:
            return _with(view, await self.behind(view.info, view.past))
        ats = [shown.of(part.info.part).position if part.past is None else part.past.position for part in parts]
        known = [None if part.past is None else part.past.truth for part in parts]
        if None in known:
            asked = [
                Asked(part.info.name, part.info.generation_id, at, at, inside=True)
                for part, at in zip(parts, ats, strict=True)
            ]
            known = list(await self._get(asked, [None] * len(parts)))
        return joined([_with(part, truth) for part, truth in zip(parts, known, strict=True) if truth is not None])

    def deferred(self, handler: Handler) -> Handler:
        """The handler, which has a job do what takes too long. A request for a page can be answered twice."""

        async def answer(request: web.Request) -> Ready:
            try:
                return await handler(request)
            except TooManyEvents as error:
                missing = error

            async def work(progress: Progress) -> msgspec.Raw:
                request[WHOLE] = True
                needed = missing
                for _ in range(ATTEMPTS):
                    await self._truths.make(needed.asked, progress, needed.at_least)
                    try:
                        ready = await handler(request)
                    except TooManyEvents as error:
                        # A freeze, a swap: by now it is another question.
                        needed = error
                    else:
                        return msgspec.Raw(ready.body or b"null")
                raise Unavailable("the game changed while it was folded; ask again")

            return accepted(await self._jobs.start(missing.asked.game, "effective_at", work))

        return answer

    def deferred_if_asked(self, handler: Handler) -> Handler:
        """The same for a handler that is told to look at what was true then by its query only; all else goes to it at once."""
        deferred = self.deferred(handler)

        def answer(request: web.Request) -> Awaitable[Ready]:
            query = target(request).query
            return deferred(request) if "effective_at" in query or "%" in query else handler(request)

        return answer


def _with(view: View, truth: Truth, effective_at: str | None = None) -> View:
    """A view of one part, whose places come out of a truth."""
    past = view.past or Past(truth.version, truth.position, view.info, None)
    if effective_at is not None:
        past = past._replace(version=truth.version, position=truth.position, effective_at=effective_at)
    return view._replace(ranking_id=view.ranking_id or 0, past=past._replace(truth=truth), fresh=False)


class TrueLines:
    """A ranking as it truly was, best first, a chunk at a time."""

    def __init__(self, views: Views, view: View, names: NameBooks, shown: Shown, total: int) -> None:
        self.total = total
        self.positions: dict[int, Position] = {}
        self._views = views
        self._view = view
        self._names = names
        self._shown = shown
        self._last: bytes | None = None

    @classmethod
    async def of(cls, views: Views, view: View, names: NameBooks, shown: Shown) -> "TrueLines":
        """All lines of a view."""
        return cls(views, view, names, shown, (await views.ask(view, shown, [])).total)

    async def read(self, count: int) -> list[tuple[Entry, str | None]]:
        """The next entries with the players' names; an empty list at the end."""
        view, last = self._view, self._last
        lookup = Lookup("top", 0, count) if last is None else Lookup("after", last, count)
        window = (await self._views.ask(view, self._shown, [lookup])).found[0]
        entries = window.entries if isinstance(window, Window) else []
        if entries:
            self._last = member(entries[-1].prefix, entries[-1].player)
        names = await self._names.of(view.named, self._shown, [entry.player for entry in entries])
        return [(entry, names.get(entry.player)) for entry in entries]
