"""The API as the client commands see it: JSON in, JSON out, problems as the errors of `schemas.errors`."""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode

import aiohttp
import msgspec
from yarl import URL

from schemas.errors import InvalidInput, NotFound, Problem, RankfoldError, Unavailable

ANSWER_SECONDS_MAX = 30.0
TOO_MANY = 429
RETRIES_MAX = 3
WAIT_SECONDS_MAX = 60
LINES = "application/x-ndjson"


class RefusedError(InvalidInput):
    """The API refused a request; `indexes` are those of the events that the problems belong to, None for the rest."""

    def __init__(self, problems: list[Problem], indexes: list[int | None]) -> None:
        super().__init__(*problems)
        self.indexes = indexes


class Api:
    """A connection to the API at `url`, with a key if it needs one; an asynchronous context manager."""

    def __init__(self, url: str, key: str | None = None) -> None:
        self.url = url
        self._key = key
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        headers = {"Authorization": f"Bearer {self._key}"} if self._key is not None else None
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS_MAX)
        self._session = aiohttp.ClientSession(timeout=timeout, headers=headers)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, *path: str, **query: object) -> Any:
        """The JSON of GET /v1/...; parameters that are None are left out."""
        return await self._ask("GET", _path(*path), query)

    async def health(self) -> Any:
        """What /health/ready says; raises Unavailable while it is not ready."""
        return await self._ask("GET", "/health/ready", {})

    async def publish(self, game: str, lines: bytes, wait_ms: int | None = None) -> Any:
        """Publishes events given as JSON lines; raises RefusedError naming the bad ones."""
        return await self._ask("POST", _path("games", game, "events"), {"wait": wait_ms}, lines)

    async def _ask(self, method: str, path: str, query: Mapping[str, object], body: bytes | None = None) -> Any:
        assert self._session is not None
        pairs = urlencode({name: str(value) for name, value in query.items() if value is not None})
        # Already encoded: a slash within a player id must stay %2F.
        address = URL(f"{self.url}{path}{'?' if pairs else ''}{pairs}", encoded=True)
        headers = {"Content-Type": LINES} if body is not None else None
        try:
            status, content, after = await self._send(method, address, body, headers)
            for _ in range(RETRIES_MAX):
                if status != TOO_MANY:
                    break
                await asyncio.sleep(min(int(after), WAIT_SECONDS_MAX) if after.isdecimal() else 1)
                status, content, after = await self._send(method, address, body, headers)
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(
                f"no answer from the API at {self.url} ({_reason(error)}); `rankfold up` starts one"
            ) from error
        return _answer(status, content)

    async def _send(
        self, method: str, address: URL, body: bytes | None, headers: Mapping[str, str] | None
    ) -> tuple[int, bytes, str]:
        """(status, content, after how many seconds to ask again, as it was said)."""
        assert self._session is not None
        async with self._session.request(method, address, data=body, headers=headers) as response:
            return response.status, await response.read(), response.headers.get("Retry-After", "")


def _path(*parts: str) -> str:
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _answer(status: int, content: bytes) -> Any:
    try:
        document = msgspec.json.decode(content)
    except msgspec.DecodeError:
        raise Unavailable(f"the API answered {status} with something that is not JSON") from None
    if status < 300:
        return document
    raise _error_of(status, document if isinstance(document, dict) else {})


def _error_of(status: int, problem: dict[str, Any]) -> RankfoldError:
    detail = str(problem.get("detail") or problem.get("title") or f"status {status}")
    if status >= 500:
        return Unavailable(f"the API says: {detail}")
    if status == 404 and detail.startswith("no such "):
        what, _, name = detail.removeprefix("no such ").partition(": ")
        return NotFound(what, name)
    items = problem.get("problems") or [{"field": "", "rule": detail}]
    problems = [Problem(str(item.get("field", "")), str(item.get("rule", ""))) for item in items]
    return RefusedError(problems, [item.get("index") for item in items])
