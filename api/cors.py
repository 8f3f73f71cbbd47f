"""Which other sites' pages may use the API in a browser: none, unless they are named (or all, by `*`).

No cookies are involved, so no credentials are allowed along: a page that has a key sends it as a header. Where no keys are
on, being able to reach the API is all that it takes, and a browser can reach what its page cannot: it posts plain text and
opens a WebSocket to any site, without asking that one before. So these are refused to pages that are not named.
"""

from collections.abc import Awaitable

from aiohttp import web

from api.metrics import Handler
from api.problems import FORBIDDEN, RefusedError
from api.response import Ready

_NAMES = (
    "Content-Disposition",
    "ETag",
    "RateLimit",
    "RateLimit-Policy",
    "Rankfold-Final",
    "Rankfold-Frozen",
    "Rankfold-Position",
    "Retry-After",
    "X-Request-Id",
)
EXPOSED = ", ".join(_NAMES)
PREFLIGHT_S = 600
_EXPOSE = f"Access-Control-Expose-Headers: {EXPOSED}\r\n".encode()
_PREFLIGHT = (
    "Access-Control-Allow-Methods: GET, HEAD, POST, PUT, DELETE\r\n"
    "Access-Control-Allow-Headers: Authorization, Content-Type, If-None-Match, Last-Event-ID, X-Request-Id\r\n"
    f"Access-Control-Max-Age: {PREFLIGHT_S}\r\n"
).encode()
_VARY = b"Vary: Origin\r\n"


class Cors:
    """`origins`: such as `https://example.org`, or `*` alone. `keys`: whether keys are on."""

    def __init__(self, origins: tuple[str, ...], *, keys: bool = False) -> None:
        self._any = "*" in origins
        self._open = not keys
        self._origins = {origin: f"Access-Control-Allow-Origin: {origin}\r\n".encode() for origin in origins}

    def wrap(self, handler: Handler) -> Handler:
        """The handler with the headers added to all that it answers; the handler itself when no origin is named."""
        if not self._origins:
            return handler

        async def allowed(request: web.Request) -> Ready:
            headers = self._headers(request)
            if request.method == "OPTIONS" and headers and "Access-Control-Request-Method" in request.headers:
                return Ready(204, headers + _PREFLIGHT)
            response = await handler(request)
            response.add(headers + _EXPOSE if headers else b"")
            if not self._any:
                # Answers to other origins lack the header: a cache must keep the two apart.
                response.add(_VARY)
            return response

        return allowed

    def shelter(self, method: str, template: str, handler: Handler) -> Handler:
        """The handler, out of reach of other sites' pages where their browsers would let them call it unasked."""
        if not self._open or self._any or (method == "GET" and not template.endswith("/ws")):
            return handler

        def sheltered(request: web.Request) -> Awaitable[Ready]:
            origin = request.headers.get("Origin")
            if origin is not None and origin not in self._origins and _elsewhere(origin, request):
                raise RefusedError(FORBIDDEN, "a page of another site asks: RANKFOLD_CORS_ORIGINS names those that may")
            return handler(request)

        return sheltered

    def _headers(self, request: web.Request) -> bytes:
        return self._origins.get("*" if self._any else request.headers.get("Origin", ""), b"")


def _elsewhere(origin: str, request: web.Request) -> bool:
    """Whether a page of this origin is not the API's own. Browsers say so; older ones do not, nor does one for a WebSocket."""
    said = request.headers.get("Sec-Fetch-Site")
    if said is not None:
        return said not in ("same-origin", "none")
    return origin.partition("://")[2] != request.headers.get("Host")
