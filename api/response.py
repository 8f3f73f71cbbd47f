"""A response whose bytes are ready: head and body leave in one write.

aiohttp's own response builds, completes and joins a header map for every answer, which costs more than finding a rank.
Here a head is a few joined byte strings. What aiohttp does between handler and socket (signals, cookies) does not happen;
keep-alive, HEAD, back-pressure, packing and HTTP/1.0 do.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable

import msgspec
from aiohttp import web
from aiohttp.http import HttpVersion11

from api.negotiate import KEPT_BYTES_MAX, PACKED_BYTES_MIN, coding_of, encoding_line, packed, unchanged

NOSNIFF = b"X-Content-Type-Options: nosniff\r\n"
JSON = b"Content-Type: application/json\r\n" + NOSNIFF
PROBLEM = b"Content-Type: application/problem+json\r\n" + NOSNIFF
NO_CACHE = b"Cache-Control: no-cache\r\n"
NO_STORE = b"Cache-Control: no-store\r\n"

_LINES = {
    status: b"HTTP/1.1 %d %s\r\n" % (status, reason)
    for status, reason in {
        200: b"OK",
        202: b"Accepted",
        204: b"No Content",
        304: b"Not Modified",
        400: b"Bad Request",
        401: b"Unauthorized",
        403: b"Forbidden",
        404: b"Not Found",
        405: b"Method Not Allowed",
        408: b"Request Timeout",
        409: b"Conflict",
        410: b"Gone",
        413: b"Content Too Large",
        415: b"Unsupported Media Type",
        426: b"Upgrade Required",
        429: b"Too Many Requests",
        500: b"Internal Server Error",
        503: b"Service Unavailable",
    }.items()
}
_VARY = b"Vary: Accept-Encoding\r\n"
_POSITION = b'{"position":"'
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
        self.answers(request)

    def answers(self, request: web.BaseRequest, send: Callable[[bytes], None] | None = None) -> None:
        """The same at once. `send` takes the bytes, else they go out right away."""
        self._to = request
        self._put = send
        self._alive = request.keep_alive

    async def write_eof(self, data: bytes = b"") -> None:
        """Sends everything, and waits while the client is slow to read."""
        if not self.sent():
            self._write(await self._packed(self._content))
        if self._to.transport is not None:
            await self._to.writer.drain()

    def sent(self) -> bool:
        """Sends everything unless the body has to be packed before."""
        if len(self._content) >= PACKED_BYTES_MIN and _VARY not in self._lines:
            if coding_of(self._to) is not None:
                return False
            self._lines += _VARY
        self._write(self._content)
        return True

    def _write(self, body: bytes) -> None:
        request = self._to
        head = _LINES[self._code] + self._lines + date_line()
        if not self._alive:
            head += b"Connection: close\r\n"
        elif request.version < HttpVersion11:
            head += b"Connection: keep-alive\r\n"
        if self._code not in (204, 304):
            head += b"Content-Length: %d\r\n" % len(body)
        data = head + b"\r\n" + (b"" if request.method == "HEAD" else body)
        if self._put is not None:
            self._put(data)
        elif request.transport is not None:
            request.transport.write(data)

    async def _packed(self, body: bytes) -> bytes:
        """The body packed as the client wants it. A long one is packed beside the event loop."""
        self._lines += _VARY
        coding = coding_of(self._to)
        assert coding is not None
        self._lines += encoding_line(coding)
        return packed(body, coding) if len(body) <= KEPT_BYTES_MAX else await asyncio.to_thread(packed, body, coding)


def read_response(request: web.BaseRequest, content: object) -> Ready:
    """A read's answer with its entity tag, or 304 for who holds the same; `content` is a struct, or JSON already.

    The tag is weak, and leaves out the position that comes first: it may move on while all else stays the same.
    """
    body = content if isinstance(content, bytes) else _encode(content)
    start = body.index(b'"', len(_POSITION)) if body.startswith(_POSITION) else 0
    tag = b'W/"%b"' % hashlib.blake2b(memoryview(body)[start:], digest_size=9).hexdigest().encode()
    headers = NO_CACHE + b"ETag: " + tag + b"\r\n"
    return Ready(304, headers) if unchanged(request, tag) else Ready(200, JSON + headers, body)


def json_response(content: object, *, status: int = 200, headers: bytes = NO_CACHE) -> Ready:
    """An answer from anything that msgspec can encode."""
    return Ready(status, JSON + headers, _encode(content))
