"""What was true at an instant over HTTP: `effective_at` on pages, places, several players' ranks and exports; and what was
behind the places, then or when they were displayed.

A game with few events is folded while the client waits. For one with many the answer is a job, whose result is what the same
request would have been answered with.
"""

import msgspec
from aiohttp import web

from api.freshness import Shown
from api.jobs import Jobs, Progress, accepted
from api.metrics import Handler
from api.names import NameBooks
from api.params import Instant
from api.problems import invalid
from api.response import Ready
from api.views import Past, View, Views, as_of
from engine.places import Entry
from projections.catalog import GameInfo
from projections.effective import Asked, TooManyEvents, Truth, Truths
from projections.export import RankingState
from projections.moments import Future
from schemas.position import Position


class Effective:
    """Sees boards as they truly were."""

    def __init__(self, views: Views, truths: Truths, jobs: Jobs) -> None:
        self._views = views
        self._truths = truths
        self._jobs = jobs

    async def see(
        self,
        game: str,
        copy: tuple[str, str | None, str | None],
        min_position: Position | None,
        instant: Instant,
        *,
        official: bool = False,
        inside: bool = False,
    ) -> tuple[View, Shown]:
        """As `Views.see`. While a board is frozen nothing counts for the public that was recorded since; nor does
        what came after the end of a final period for anybody."""
        # Redis stands still while a board is frozen; here only knowing of it does.
        await self._views.catalog.froze()
        view, shown = await self._views.see(game, *copy, min_position, official=official, clock_ms=instant.ms)
        frozen = view.past
        when = instant.when if isinstance(instant.when, Position) else instant.ms
        asked = Asked(game, view.info.generation_id, when, None if frozen is None else frozen.position, inside)
        try:
            truth = await self._truths.get(asked, min_position)
        except Future:
            raise invalid("effective_at", "a time or position that has come") from None
        past = frozen or Past(truth.version, truth.position, view.info, None)
        past = past._replace(version=truth.version, position=truth.position, truth=truth, effective_at=instant.text)
        seen = view._replace(ranking_id=view.ranking_id or 0, past=past, fresh=False)
        return seen, as_of(shown, truth.position)

    async def look(
        self,
        names: tuple[str, str],
        copy: tuple[str | None, str | None],
        min_position: Position | None,
        instants: tuple[Instant | None, Instant | None],
        *,
        official: bool,
    ) -> tuple[View, Shown]:
        """A view for who asks what is behind it, as of (known_at, effective_at) if one of them is given."""
        known_at, effective_at = instants
        if effective_at is None:
            return await self._views.see(*names, *copy, min_position, known_at, official=official)
        return await self.see(names[0], (names[1], *copy), min_position, effective_at, official=official, inside=True)

    async def behind(self, info: GameInfo, past: Past) -> Truth:
        """What is behind the places of a view of the past, of the whole game."""
        if past.truth is not None:
            return past.truth
        at = past.position
        return await self._truths.get(Asked(info.name, info.generation_id, at, at, inside=True))

    def deferred(self, handler: Handler) -> Handler:
        """The handler, which has a job do what takes too long. A request for a page can be answered twice."""

        async def answer(request: web.Request) -> Ready:
            try:
                return await handler(request)
            except TooManyEvents as error:
                asked = error.asked

            async def work(progress: Progress) -> msgspec.Raw:
                await self._truths.make(asked, progress)
                ready = await handler(request)
                return msgspec.Raw(ready.body or b"null")

            return accepted(await self._jobs.start(asked.game, "effective_at", work))

        return answer


class TrueLines:
    """A ranking as it truly was, best first, a chunk at a time."""

    def __init__(self, view: View, truth: Truth, names: NameBooks, shown: Shown, total: int) -> None:
        self.total = total
        self.state = RankingState(truth.version, truth.position, shown.profiles)
        self._view = view
        self._truth = truth
        self._names = names
        self._shown = shown
        self._at = 0

    @classmethod
    async def of(cls, view: View, truth: Truth, names: NameBooks, shown: Shown) -> "TrueLines":
        """All lines of a view."""
        window = await truth.window(view.plan, view.period, view.segment, 0, 0)
        return cls(view, truth, names, shown, window.total)

    async def read(self, count: int) -> list[tuple[Entry, str | None]]:
        """The next entries with the players' names; an empty list at the end."""
        view = self._view
        entries = (await self._truth.window(view.plan, view.period, view.segment, self._at, count)).entries
        self._at += len(entries)
        names = await self._names.of(view.named, self._shown, [entry.player for entry in entries])
        return [(entry, names.get(entry.player)) for entry in entries]
