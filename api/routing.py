"""Finds the handler of a path by its shape, before aiohttp's own search.

aiohttp tries regular expressions, decodes the path and makes a match object for every request; for a rank that is a
tenth of all work. Here the segments are compared, and the match of a route is one shared object. Whatever this does not
find, or what needs more (an `Expect` header, another method), aiohttp's dispatcher finds as always.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractMatchInfo
from aiohttp.web_urldispatcher import UrlDispatcher

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class SharedMatch(AbstractMatchInfo):
    """The match of a route for every request: it holds nothing of the request."""

    # aiohttp asks this of a match when it prepares one of its own responses: whose signals to send.
    _apps: tuple[web.Application, ...] = ()

    def __init__(self, handler: Handler, *, plain: bool) -> None:
        self._handler = handler
        self.plain = plain

    @property
    def handler(self) -> Handler:
        return self._handler

    @property
    def expect_handler(self) -> Callable[[web.Request], Awaitable[web.StreamResponse | None]]:
        raise NotImplementedError("requests with Expect go through aiohttp's dispatcher")

    @property
    def http_exception(self) -> None:
        return None

    def get_info(self) -> dict[str, Any]:
        return {}

    @property
    def apps(self) -> tuple[web.Application, ...]:
        return ()

    def add_app(self, app: web.Application) -> None:
        """Nothing of the application is looked up through the match."""

    def freeze(self) -> None:
        """It never changes."""


class ShapeDispatcher(UrlDispatcher):
    """aiohttp's dispatcher with a shortcut for routes added by `add_fast`."""

    def __init__(self) -> None:
        super().__init__()
        self._fast: dict[tuple[str, int], list[tuple[list[tuple[int, str]], SharedMatch]]] = {}

    def add_fast(self, method: str, template: str, handler: Handler, *, plain: bool = False) -> None:
        """Adds a shortcut; the route itself is added as any other. `plain`: the handler asks no more of a request than
        `api.plain.Plain` tells, and answers with nothing but `Ready`.
        """
        parts = template.split("/")
        fixed = [(at, part) for at, part in enumerate(parts) if not part.startswith("{")]
        self._fast.setdefault((method, len(parts)), []).append((fixed, SharedMatch(handler, plain=plain)))

    def plain_handler(self, method: str, raw_path: str) -> Handler | None:
        """Who answers a plain request for this path and query; None where only aiohttp's request will do."""
        match = self._find(method, raw_path)
        return match.handler if match is not None and match.plain else None

    async def resolve(self, request: web.Request) -> Any:
        """The match of a request."""
        match = self._find(request.method, request.raw_path)
        return match if match is not None and "Expect" not in request.headers else await super().resolve(request)

    def _find(self, method: str, raw_path: str) -> SharedMatch | None:
        parts = raw_path.partition("?")[0].split("/")
        for fixed, match in self._fast.get((method, len(parts)), ()):
            for at, text in fixed:
                if parts[at] != text:
                    break
            else:
                return match
        return None
