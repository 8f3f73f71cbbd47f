"""The API as the client commands see it: JSON in, JSON out, problems as the errors of `schemas.errors`."""

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self

import msgspec

from api.transport import RefusedError, Transport, path_of
from schemas.errors import Unavailable

__all__ = ["Api", "RefusedError"]
LINES = "application/x-ndjson"
TOML = "application/toml"
JSON = "application/json"
ATTEMPTS = 3


class Api:
    """A connection to the API at `url`, with a key if it needs one; an asynchronous context manager.

    `attempts`: 1 for who asks whether it is there at all.
    """

    def __init__(self, url: str, key: str | None = None, *, attempts: int = ATTEMPTS) -> None:
        self.url = url
        self._transport = Transport(url, key, attempts=attempts, advice="; `rankfold up` starts one")

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.__aexit__(kind, error, trace)

    async def get(self, *path: str, **query: object) -> Any:
        """The JSON of GET /v1/...; parameters that are None are left out."""
        return _value(await self._transport.ask("GET", path_of(*path), query))

    async def changes(self, *path: str, **query: object) -> AsyncIterator[Any]:
        """The data of a live stream's events as they come, until it ends."""
        async for data in self._transport.events(path_of(*path), query):
            yield _value(data)

    async def health(self) -> Any:
        """What /health/ready says; raises Unavailable while it is not ready."""
        return _value(await self._transport.ask("GET", "/health/ready", {}))

    async def publish(self, game: str, lines: bytes, wait_ms: int | None = None) -> Any:
        """Publishes events given as JSON lines; raises RefusedError naming the bad ones."""
        path = path_of("games", game, "events")
        return _value(await self._transport.ask("POST", path, {"wait": wait_ms}, lines, LINES))

    async def preview(self, game: str, question: bytes) -> Any:
        """Who would move; or the job that finds out."""
        return _value(await self._transport.ask("POST", path_of("games", game, "preview"), {}, question, JSON))

    async def put_ruleset(self, game: str, text: str) -> Any:
        """Makes a ruleset the next version of a game's rules, unless it is the newest one already."""
        path = path_of("games", game, "ruleset")
        return _value(await self._transport.ask("PUT", path, {}, text.encode("utf-8", "replace"), TOML))


def _value(content: bytes) -> Any:
    try:
        return msgspec.json.decode(content)
    except msgspec.DecodeError:
        raise Unavailable("the API answered with something that is not JSON") from None
