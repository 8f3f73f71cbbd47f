"""Requests to the API that are repeated until they are answered, and its problems as the errors of `schemas.errors`.

Publishing can be repeated like a read: events carry ids, and the same bytes are sent again.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode

import aiohttp
import msgspec
from yarl import URL

from schemas.errors import InvalidInput, NotFound, Problem, RankfoldError, Unavailable

AGAIN = (429, 502, 503, 504)
NOT_YET = b"/problems/not-yet"
AS_IT_IS = "surrogatepass"
"""What is no text (a shell's bytes that are not UTF-8) is sent all the same: the API refuses it by name and rule."""

BACK_OFF_S = 0.2
WAIT_S_MAX = 60.0
SILENCE_S_MAX = 60.0
"""A stream that says nothing for so long, not even that it is there, is none any more."""


class RefusedError(InvalidInput):
    """The API refused a request. `indexes` are those of the events that the problems belong to, None for the rest;
    `type` is the problem's type.
    """

    def __init__(self, problems: list[Problem], indexes: list[int | None], type_: str = "") -> None:
        super().__init__(*problems)
        self.indexes = indexes
        self.type = type_


class Transport:
    """A connection to the API at `url`; an asynchronous context manager.

    `attempts` is how often a request is sent; `advice` ends the message when nobody answers.
    """

    def __init__(
        self, url: str, key: str | None = None, *, attempts: int = 5, timeout_s: float = 30.0, advice: str = ""
    ) -> None:
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"} if key is not None else {}
        self._attempts = attempts
        self._advice = advice
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=self._timeout_s)
        self._session = aiohttp.ClientSession(timeout=timeout, headers=self._headers)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def ask(
        self, method: str, path: str, query: Mapping[str, object], body: bytes | None = None, media: str | None = None
    ) -> bytes:
        """The content of a good answer; parameters that are None are left out. Raises what `error_of` makes of a problem,
        and Unavailable when no attempt was answered.
        """
        self._opened()
        address = self._address(path, query)
        headers = {"Content-Type": media} if media is not None else {}
        for attempt in range(1, self._attempts + 1):
            try:
                status, content, after = await self._send(method, address, body, headers)
            except (aiohttp.ClientError, OSError) as error:
                if attempt == self._attempts:
                    raise self._unanswered(error) from error
                after = ""
            else:
                if status < 300:
                    return content
                # A position that was waited for in vain is not waited for again.
                if status not in AGAIN or attempt == self._attempts or NOT_YET in content:
                    raise error_of(status, content)
            await asyncio.sleep(_pause_s(attempt, after))
        raise Unavailable(f"the API at {self.url} was not asked")

    async def events(self, path: str, query: Mapping[str, object]) -> AsyncIterator[bytes]:
        """The data of a stream's events as they come, until the API ends it. Raises as `ask`, and is not asked again."""
        session = self._opened()
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._timeout_s, sock_read=SILENCE_S_MAX)
        try:
            async with session.get(self._address(path, query), timeout=timeout) as response:
                if response.status >= 300:
                    raise error_of(response.status, await response.read())
                async for line in response.content:
                    if line.startswith(b"data: "):
                        yield line[6:]
        except (aiohttp.ClientError, OSError) as error:
            raise self._unanswered(error) from error

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("a connection to the API is opened with `async with`")
        return self._session

    def _address(self, path: str, query: Mapping[str, object]) -> URL:
        given = {name: str(value) for name, value in query.items() if value is not None}
        pairs = urlencode(given, errors=AS_IT_IS)
        # Already encoded: a slash within a player id must stay %2F.
        return URL(f"{self.url}{path}{'?' if pairs else ''}{pairs}", encoded=True)

    def _unanswered(self, error: Exception) -> Unavailable:
        reason = str(error) or type(error).__name__
        return Unavailable(f"no answer from the API at {self.url} ({reason}){self._advice}")

    async def _send(
        self, method: str, address: URL, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes, str]:
        """(status, content, after how many seconds to ask again, as it was said)."""
        async with self._opened().request(method, address, data=body, headers=headers) as response:
            return response.status, await response.read(), response.headers.get("Retry-After", "")


def path_of(*parts: str) -> str:
    """A path below /v1; its parts may hold any character."""
    return "/v1/" + "/".join(quote(part, safe="", errors=AS_IT_IS) for part in parts)


def error_of(status: int, content: bytes) -> RankfoldError:
    """A problem as an error."""
    try:
        problem: Any = msgspec.json.decode(content)
    except msgspec.DecodeError:
        problem = None
    if not isinstance(problem, dict):
        return Unavailable(f"the API answered {status} with something that is not JSON")
    detail = str(problem.get("detail") or problem.get("title") or f"status {status}")
    if status >= 500:
        return Unavailable(f"the API says: {detail}")
    if status == 404 and detail.startswith("no such "):
        what, _, name = detail.removeprefix("no such ").partition(": ")
        return NotFound(what, name)
    items = problem.get("problems") or [{"field": "", "rule": detail}]
    problems = [Problem(str(item.get("field", "")), str(item.get("rule", ""))) for item in items]
    return RefusedError(problems, [item.get("index") for item in items], str(problem.get("type", "")))


def _pause_s(attempt: int, after: str) -> float:
    """As long as the API says; else longer each time, and not the same for everybody."""
    if after.isdecimal():
        return min(float(after), WAIT_S_MAX)
    return min(BACK_OFF_S * 2.0 ** (attempt - 1), WAIT_S_MAX) * random.uniform(0.5, 1.0)
