"""A typed client of the API for Python programs, asynchronous.

    async with Client("http://127.0.0.1:8321", key="rfk_...") as client:
        sent = await client.publish("arcade", [{"type": "score", "player": "ann", "values": {"points": 42}}])
        place = await client.place("arcade", "total", "ann", min_position=sent.position)

Requests are repeated while the API is away or says so. Events without an id get one before they are sent the first time,
so that a repeated event is never counted twice. What the API has a job find out is waited for.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from api.changes import Ranks
from api.encode import FriendPlaces, History, Line, MarkedLine, Page, PlayerPlace
from api.explanation import Explanation
from api.jobs import Job
from api.listing import GameDetails, GamePage
from api.players import PlayerPage
from api.publish import Published
from api.statistics import StatisticsPage
from api.transport import RefusedError, Transport, path_of
from schemas.errors import Problem, Unavailable
from schemas.events import Event

EVENTS_MAX = 1_000
PAGE_MAX = 1_000
JOB_EVERY_S = 0.5
T = TypeVar("T")
Query = str | int | None
_encode = msgspec.json.Encoder().encode


class BoardPage(Page, frozen=True, kw_only=True):
    """A page of a board with its position."""

    position: str
    entries: list[MarkedLine]  # type: ignore[assignment]


class _Started(msgspec.Struct):
    """What tells the answer of who has a job do it from all others."""

    job: str | None = None
    state: str | None = None


class Client:
    """The API at `url`; an asynchronous context manager. Raises the errors of `schemas.errors`.

    `attempts` is how often a request is sent before Unavailable is raised; `timeout_s` is that of one attempt.
    """

    def __init__(self, url: str, key: str | None = None, *, attempts: int = 5, timeout_s: float = 30.0) -> None:
        self._transport = Transport(url, key, attempts=attempts, timeout_s=timeout_s)

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.__aexit__(kind, error, trace)

    async def publish(
        self,
        game: str,
        events: Event | Mapping[str, Any] | Sequence[Event | Mapping[str, Any]],
        wait_ms: int | None = None,
    ) -> Published:
        """Publishes an event, or up to 1,000, all or none; raises RefusedError naming the bad ones, by index.

        With `wait_ms` it answers when readers see them, or after so many milliseconds.
        """
        several = [events] if isinstance(events, Event | Mapping) else events
        body = _encode([event if isinstance(event, Event) else with_id(event) for event in several])
        query = {"wait": wait_ms}
        return _read(
            await self._transport.ask("POST", path_of("games", game, "events"), query, body, "application/json"),
            Published,
        )

    async def games(self, *, limit: int | None = None, after: str | None = None) -> GamePage:
        """The games, by name."""
        return await self._get(GamePage, path_of("games"), limit=limit, after=after)

    async def game(self, game: str) -> GameDetails:
        """A game and its boards."""
        return await self._get(GameDetails, path_of("games", game))

    async def board(self, game: str, board: str, **query: Query) -> BoardPage:
        """A page. `query`: period, segment, limit, after, before, q, known_at, effective_at, view, generation, min_position;
        docs/http.md says what they mean.
        """
        return await self._get(BoardPage, path_of("games", game, "boards", board), **query)

    async def entries(self, game: str, board: str, **query: Query) -> AsyncIterator[Line]:
        """All entries of a board, page by page. `query`: as of `board`, but after and before."""
        after: str | None = None
        while True:
            page = await self.board(game, board, **{"limit": PAGE_MAX, **query, "after": after})
            for entry in page.entries:
                yield entry
            after = page.next
            if after is None:
                return

    async def live(self, game: str, board: str, **query: Query) -> AsyncIterator[Ranks]:
        """What changes among a board's first entries, as it happens, until the API ends the stream; the present state comes
        first. `query`: top, period, segment, view, last_event_id.
        """
        async for data in self._transport.events(path_of("games", game, "boards", board, "live"), query):
            yield _read(data, Ranks)

    async def place(self, game: str, board: str, player: str, **query: Query) -> PlayerPlace:
        """A player's place. `query`: around, period, segment, known_at, effective_at, view, generation, min_position."""
        return await self._get(PlayerPlace, path_of("games", game, "boards", board, "players", player), **query)

    async def places(self, game: str, board: str, players: Sequence[str], **query: Query) -> FriendPlaces:
        """Many players' places. `query`: as of `place`, but around."""
        path = path_of("games", game, "boards", board, "ranks")
        body = _encode({"players": players})
        content = await self._transport.ask("POST", path, query, body, "application/json")
        return await self._found(content, FriendPlaces)

    async def history(self, game: str, board: str, player: str, **query: Query) -> History:
        """What a board has shown of a player. `query`: period, segment, limit, by, known_at, view, min_position."""
        path = path_of("games", game, "boards", board, "players", player, "history")
        return await self._get(History, path, **query)

    async def explain(self, game: str, board: str, player: str, **query: Query) -> Explanation:
        """Why a player stands where he stands: the marks behind his metrics. `query`: period, segment, limit, after,
        known_at, effective_at, view, min_position.
        """
        return await self._get(
            Explanation, path_of("games", game, "boards", board, "players", player, "explain"), **query
        )

    async def player(self, game: str, player: str, **query: Query) -> PlayerPage:
        """A player and his places. `query`: board, limit, after, view, min_position."""
        return await self._get(PlayerPage, path_of("games", game, "players", player), **query)

    async def stats(self, game: str, player: str, **query: Query) -> StatisticsPage:
        """A player's season on a board, round by round. `query`: board, and as of `explain`."""
        return await self._get(StatisticsPage, path_of("games", game, "players", player, "stats"), **query)

    async def _get(self, type_: type[T], path: str, **query: Query) -> T:
        return await self._found(await self._transport.ask("GET", path, query), type_)

    async def _found(self, content: bytes, type_: type[T]) -> T:
        """An answer, or the result of the job that finds it out; raises RefusedError with what a job failed of."""
        started = _read(content, _Started)
        if started.job is None or started.state is None:
            return _read(content, type_)
        job = _read(content, Job)
        while job.state == "running":
            await asyncio.sleep(JOB_EVERY_S)
            job = _read(await self._transport.ask("GET", path_of("jobs", job.job), {}), Job)
        if job.state == "failed":
            raise RefusedError([Problem("", job.error or "the job failed")], [None])
        return msgspec.convert(job.result, type_)


def with_id(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """An event that has an id: its own, or a new one."""
    return event if "id" in event else {"id": uuid.uuid4().hex, **event}


def _read(content: bytes, type_: type[T]) -> T:
    try:
        return msgspec.json.decode(content, type=type_)
    except msgspec.DecodeError as error:
        raise Unavailable(f"the API's answer is not what this client knows: {error}") from None
