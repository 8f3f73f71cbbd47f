"""Plain requests: a GET, or a POST with a length, that came whole, in one piece, with nothing in it that HTTP leaves room to
argue about.

Most of what an API is asked looks like this, and most of what a parser of HTTP is for does not concern it. `Plain` is what
handlers get to see of such a request, instead of aiohttp's. Whatever is not recognised here is aiohttp's to judge.
"""

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from aiohttp import hdrs
from aiohttp.http import HttpVersion11, StreamWriter
from multidict import CIMultiDict, CIMultiDictProxy

if TYPE_CHECKING:
    import asyncio

    from aiohttp import web
    from aiohttp.web_protocol import RequestHandler

PLAIN_BYTES_MAX = 8 * 1024
_LINE = re.compile(rb"(?:GET|POST) (/[!$&'()*+,\-./0-9:;=?@A-Z_a-z~%]*) HTTP/1\.1")
_BLOCK = re.compile(rb"(?:[0-9A-Za-z-]+: [!-~](?:[ -~]*[!-~])?\r\n)+\r\n")
_FIELD = re.compile(r"([0-9A-Za-z-]+): ([ -~]+)\r\n")
_LENGTH = re.compile(r"0|[1-9][0-9]{0,3}")
_KNOWN = frozenset(
    """
    accept accept-encoding accept-language authorization cache-control connection content-length content-type cookie dnt
    forwarded host if-none-match origin pragma priority referer traceparent tracestate user-agent via
    """.split()
)
"""None of these, and none that begins with one of `_PREFIXES`, says where a request ends or how the connection goes on, but
for `connection` and `content-length`, which are looked at."""

_PREFIXES = ("x-", "sec-", "cf-")


class Fields(NamedTuple):
    """The header fields of a request, as bytes and as handlers read them."""

    block: bytes
    headers: CIMultiDictProxy[str]
    length: int | None
    """Of the body, where they tell one."""

    kept: dict[Any, Any]
    """What was found out about them, for the next requests of this connection that have the same."""


NO_FIELDS = Fields(b"", CIMultiDictProxy(CIMultiDict()), None, {})


class Outbox:
    """Answers on their way. Those of one turn of the event loop leave one right after the other: who reads them, often one and
    the same program, is woken once and not for each.
    """

    def __init__(self, loop: "asyncio.AbstractEventLoop") -> None:
        self._loop = loop
        self._waiting: list[tuple[asyncio.Transport, bytes]] = []

    def put(self, transport: "asyncio.Transport", data: bytes) -> None:
        """Sends this before the loop looks for anything new."""
        if not self._waiting:
            self._loop.call_soon(self.flush)
        self._waiting.append((transport, data))

    def flush(self) -> None:
        """Sends everything now."""
        waiting, self._waiting = self._waiting, []
        for transport, data in waiting:
            if not transport.is_closing():
                transport.write(data)


class Peer(NamedTuple):
    """The connection that a request came on, and where its answer is put."""

    protocol: "RequestHandler"
    writer: StreamWriter
    outbox: Outbox


class Plain(dict[Any, Any]):
    """What handlers use of aiohttp's request: what they leave in it is in the dictionary."""

    __slots__ = ("_peer", "body", "headers", "kept", "method", "raw_path")
    version = HttpVersion11
    keep_alive = True

    def __init__(self, peer: Peer, asked: "Asked") -> None:
        self._peer = peer
        self.method, self.raw_path, fields, self.body = asked
        self.headers, self.kept = fields.headers, fields.kept

    @property
    def content_length(self) -> int:
        return len(self.body)

    @property
    def transport(self) -> "asyncio.Transport | None":
        return self._peer.protocol.transport

    @property
    def writer(self) -> StreamWriter:
        return self._peer.writer

    def send(self, data: bytes) -> None:
        """Puts the answer on its way."""
        transport = self.transport
        if transport is not None:
            self._peer.outbox.put(transport, data)

    @property
    def remote(self) -> str | None:
        """The address that it came from."""
        name = self._peer.protocol.peername
        return None if name is None else str(name[0] if isinstance(name, (list, tuple)) else name)


class Asked(NamedTuple):
    """A whole plain request. `path` is with its query."""

    method: str
    path: str
    fields: Fields
    body: bytes


def plain(data: bytes, last: Fields) -> Asked | None:
    """What is asked by these bytes if they are one whole plain request, else None.

    A client's fields are mostly the same for all its requests: the `last` ones are not looked at again.
    """
    if len(data) > PLAIN_BYTES_MAX:
        return None
    end = data.find(b"\r\n")
    line = _LINE.fullmatch(data, 0, end) if end > 0 else None
    if line is None:
        return None
    if data.startswith(b"GET "):
        method, block, body = "GET", data[end + 2 :], b""
    else:
        head = data.find(b"\r\n\r\n", end) + 4
        method, block, body = "POST", data[end + 2 : head], data[head:]
    fields = last if block == last.block else _fields(block)
    if fields is None or fields.length != (None if method == "GET" else len(body)):
        return None
    return Asked(method, line[1].decode(), fields, body)


def _fields(block: bytes) -> Fields | None:
    if _BLOCK.fullmatch(block) is None:
        return None
    pairs = _FIELD.findall(block.decode())
    headers = CIMultiDict(pairs)
    names = {name.lower() for name, _ in pairs}
    if len(names) < len(pairs) or "host" not in names:
        return None
    if not all(name in _KNOWN or name.startswith(_PREFIXES) for name in names):
        return None
    if headers.get("Connection", "keep-alive").lower() != "keep-alive":
        return None
    length = headers.get("Content-Length")
    if length is not None and _LENGTH.fullmatch(length) is None:
        return None
    return Fields(block, CIMultiDictProxy(headers), None if length is None else int(length), {})


def is_whole(data: bytes, request: "web.BaseRequest") -> bool:
    """Whether these bytes are this request, from its first to its last one. When in doubt they are not."""
    headers = request.headers
    end = data.find(b"\r\n\r\n") + 4
    return (
        len(data) == end + (request.content_length or 0)
        and data[:1].isalpha()  # aiohttp leaves out empty lines in front of a request
        and request.content.is_eof()
        and not (hdrs.TRANSFER_ENCODING in headers or hdrs.UPGRADE in headers or hdrs.EXPECT in headers)
    )
