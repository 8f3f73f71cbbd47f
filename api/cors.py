"""Which other sites' pages may use the API in a browser: none, unless they are named (or all, by `*`).

No cookies are involved, so no credentials are allowed along: a page that has a key sends it as a header.
"""

from aiohttp import web

from api.metrics import Handler
from api.response import Ready

_NAMES = (
    "Content-Disposition",
    "ETag",
    "RateLimit",
    "RateLimit-Policy",
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
    """`origins`: such as `https://example.org`, or `*` alone."""

    def __init__(self, origins: tuple[str, ...]) -> None:
        self._any = "*" in origins
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

    def _headers(self, request: web.Request) -> bytes:
        return self._origins.get("*" if self._any else request.headers.get("Origin", ""), b"")
