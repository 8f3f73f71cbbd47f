"""A response whose bytes are ready: head and body leave in one write.

aiohttp's own response builds, completes and joins a header map for every answer, which costs more than finding a rank.
Here a head is a few joined byte strings. What aiohttp does between handler and socket (signals, cookies, compression)
does not happen; keep-alive, HEAD, back-pressure and HTTP/1.0 do.
"""

import time

import msgspec
from aiohttp import web
from aiohttp.http import HttpVersion11

JSON = b"Content-Type: application/json\r\n"
PROBLEM = b"Content-Type: application/problem+json\r\n"
NO_CACHE = b"Cache-Control: no-cache\r\n"
NO_STORE = b"Cache-Control: no-store\r\n"

_LINES = {
    status: b"HTTP/1.1 %d %s\r\n" % (status, reason)
    for status, reason in {
        200: b"OK",
        202: b"Accepted",
        304: b"Not Modified",
        400: b"Bad Request",
        401: b"Unauthorized",
        403: b"Forbidden",
        404: b"Not Found",
        405: b"Method Not Allowed",
        408: b"Request Timeout",
        409: b"Conflict",
        413: b"Content Too Large",
        415: b"Unsupported Media Type",
        426: b"Upgrade Required",
        429: b"Too Many Requests",
        500: b"Internal Server Error",
        503: b"Service Unavailable",
    }.items()
}
_encode = msgspec.json.Encoder().encode
_date: tuple[int, bytes] = (0, b"")


def date_line() -> bytes:
    """The Date header; made once a second."""
    global _date
    now = int(time.time())
    if _date[0] != now:
        text = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(now))
        _date = (now, b"Date: " + text.encode() + b"\r\n")
    return _date[1]


class Ready(web.StreamResponse):
    """`headers` are complete lines, each with its CRLF. Content-Length, Date and Connection are added.

    Nothing of the base class's state is used, so its constructor is not called: it is there for aiohttp's type checks.
    """

    def __init__(self, status: int, headers: bytes, body: bytes = b"") -> None:
        self._code = status
        self._lines = headers
        self._content = body

    @property
    def status(self) -> int:
        return self._code

    @property
    def keep_alive(self) -> bool | None:
        return self._alive

    @property
    def body(self) -> bytes:
        """The body, whether or not it is sent (it is not in answer to HEAD)."""
        return self._content

    @property
    def body_length(self) -> int:
        return len(self._content)

    def add(self, headers: bytes) -> None:
        """Adds header lines."""
        self._lines += headers

    async def prepare(self, request: web.BaseRequest) -> None:
        """Remembers whom to answer; nothing is sent before the end."""
        self._to = request
        self._alive = request.keep_alive

    async def write_eof(self, data: bytes = b"") -> None:
        """Sends everything, and waits while the client is slow to read."""
        request, body = self._to, self._content
        head = _LINES[self._code] + self._lines + date_line()
        if not self._alive:
            head += b"Connection: close\r\n"
        elif request.version < HttpVersion11:
            head += b"Connection: keep-alive\r\n"
        if self._code != 304:
            head += b"Content-Length: %d\r\n" % len(body)
        transport = request.transport
        if transport is not None:
            transport.write(head + b"\r\n" + (b"" if request.method == "HEAD" else body))
            await request.writer.drain()


def json_response(content: object, *, status: int = 200, headers: bytes = NO_CACHE) -> Ready:
    """An answer from anything that msgspec can encode."""
    return Ready(status, JSON + headers, _encode(content))
