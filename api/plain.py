"""Plain requests: a GET that came whole, in one piece, with nothing in it that HTTP leaves room to argue about.

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
_LINE = re.compile(rb"GET (/[!$&'()*+,\-./0-9:;=?@A-Z_a-z~%]*) HTTP/1\.1")
_BLOCK = re.compile(rb"(?:[0-9A-Za-z-]+: [!-~](?:[ -~]*[!-~])?\r\n)+\r\n")
_FIELD = re.compile(r"([0-9A-Za-z-]+): ([ -~]+)\r\n")
_KNOWN = frozenset(
    """
    accept accept-encoding accept-language authorization cache-control connection content-type cookie dnt forwarded host
    if-none-match origin pragma priority referer traceparent tracestate user-agent via
    """.split()
)
"""None of these, and none that begins with one of `_PREFIXES`, says where a request ends or how the connection goes on, but
for `connection`, which is looked at."""

_PREFIXES = ("x-", "sec-", "cf-")


class Fields(NamedTuple):
    """The header fields of a request, as bytes and as handlers read them."""

    block: bytes
    headers: CIMultiDictProxy[str]


NO_FIELDS = Fields(b"", CIMultiDictProxy(CIMultiDict()))


class Peer(NamedTuple):
    """The connection that a request came on."""

    protocol: "RequestHandler"
    writer: StreamWriter


class Plain(dict[Any, Any]):
    """What handlers use of aiohttp's request: what they leave in it is in the dictionary."""

    __slots__ = ("_peer", "headers", "raw_path")
    method = "GET"
    version = HttpVersion11
    keep_alive = True

    def __init__(self, peer: Peer, raw_path: str, headers: CIMultiDictProxy[str]) -> None:
        self._peer = peer
        self.raw_path = raw_path
        self.headers = headers

    @property
    def transport(self) -> "asyncio.Transport | None":
        return self._peer.protocol.transport

    @property
    def writer(self) -> StreamWriter:
        return self._peer.writer

    @property
    def remote(self) -> str | None:
        """The address that it came from."""
        name = self._peer.protocol.peername
        return None if name is None else str(name[0] if isinstance(name, (list, tuple)) else name)


def plain(data: bytes, last: Fields) -> tuple[str, Fields] | None:
    """(path and query, fields) of these bytes if they are one whole plain request, else None.

    A client's fields are mostly the same for all its requests: the `last` ones are not looked at again.
    """
    if not data.startswith(b"GET ") or len(data) > PLAIN_BYTES_MAX:
        return None
    end = data.find(b"\r\n")
    line = _LINE.fullmatch(data, 0, end) if end > 0 else None
    if line is None:
        return None
    block = data[end + 2 :]
    fields = last if block == last.block else _fields(block)
    return None if fields is None else (line[1].decode(), fields)


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
    return Fields(block, CIMultiDictProxy(headers))


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
