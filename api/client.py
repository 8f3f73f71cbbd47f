"""A typed client of the API for Python programs, asynchronous.

    async with Client("http://127.0.0.1:8321", key="rfk_...") as client:
        sent = await client.publish("arcade", [{"type": "score", "player": "ann", "values": {"points": 42}}])
        place = await client.place("arcade", "total", "ann", min_position=sent.position)

Requests are repeated while the API is away or says so. Events without an id get one before they are sent the first time,
so that a repeated event is never counted twice.
"""

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from api.changes import Ranks
from api.encode import FriendPlaces, History, Line, MarkedLine, Page, PlayerPlace
from api.listing import GameDetails, GamePage
from api.players import PlayerPage
from api.publish import Published
from api.transport import Transport, path_of
from schemas.errors import Unavailable
from schemas.events import Event

EVENTS_MAX = 1_000
PAGE_MAX = 1_000
T = TypeVar("T")
_encode = msgspec.json.Encoder().encode


class BoardPage(Page, frozen=True, kw_only=True):
    """A page of a board with its position."""

    position: str
    entries: list[MarkedLine]  # type: ignore[assignment]


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
        self, game: str, events: Sequence[Event | Mapping[str, Any]], wait_ms: int | None = None
    ) -> Published:
        """Publishes 1 to 1,000 events, all or none; raises RefusedError naming the bad ones, by index."""
        body = _encode([event if isinstance(event, Event) else with_id(event) for event in events])
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

    async def board(self, game: str, board: str, **query: str | int | None) -> BoardPage:
        """A page. `query`: period, segment, limit, after, before, min_position."""
        return await self._get(BoardPage, path_of("games", game, "boards", board), **query)

    async def entries(self, game: str, board: str, **query: str | int | None) -> AsyncIterator[Line]:
        """All entries of a board, page by page. `query`: period, segment, min_position."""
        after: str | None = None
        while True:
            page = await self.board(game, board, **{"limit": PAGE_MAX, **query, "after": after})
            for entry in page.entries:
                yield entry
            after = page.next
            if after is None:
                return

    async def live(self, game: str, board: str, **query: str | int | None) -> AsyncIterator[Ranks]:
        """What changes among a board's first entries, as it happens, until the API ends the stream; the present state comes
        first. `query`: top, period, segment, last_event_id."""
        async for data in self._transport.events(path_of("games", game, "boards", board, "live"), query):
            yield _read(data, Ranks)

    async def place(self, game: str, board: str, player: str, **query: str | int | None) -> PlayerPlace:
        """A player's place. `query`: around, period, segment, min_position."""
        return await self._get(PlayerPlace, path_of("games", game, "boards", board, "players", player), **query)

    async def places(self, game: str, board: str, players: Sequence[str], **query: str | None) -> FriendPlaces:
        """Many players' places. `query`: period, segment, min_position."""
        path = path_of("games", game, "boards", board, "ranks")
        body = _encode({"players": players})
        return _read(await self._transport.ask("POST", path, query, body, "application/json"), FriendPlaces)

    async def history(self, game: str, board: str, player: str, **query: str | int | None) -> History:
        """What a board has shown of a player. `query`: period, segment, limit, min_position."""
        path = path_of("games", game, "boards", board, "players", player, "history")
        return await self._get(History, path, **query)

    async def player(self, game: str, player: str, **query: str | int | None) -> PlayerPage:
        """A player and his places. `query`: board, limit, after, min_position."""
        return await self._get(PlayerPage, path_of("games", game, "players", player), **query)

    async def _get(self, type_: type[T], path: str, **query: str | int | None) -> T:
        return _read(await self._transport.ask("GET", path, query), type_)


def with_id(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """An event that has an id: its own, or a new one."""
    return event if "id" in event else {"id": uuid.uuid4().hex, **event}


def _read(content: bytes, type_: type[T]) -> T:
    try:
        return msgspec.json.decode(content, type=type_)
    except msgspec.DecodeError as error:
        raise Unavailable(f"the API's answer is not what this client knows: {error}") from None
