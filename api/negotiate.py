"""What a client already holds, and what it can unpack: If-None-Match and Accept-Encoding (RFC 9110)."""

import functools
import gzip
import zlib
from typing import Literal, Protocol

import brotli
from aiohttp import web

PACKED_BYTES_MIN = 1_024
"""A shorter body is sent as it is: packing it gains less than it costs."""

KEPT_BYTES_MAX = 32 * 1024
_LEVEL = 1
_QUALITY = 4
"""Of brotli, for what is packed as it is asked for: a compromise between time and length."""

Coding = Literal["br", "gzip"]


WHOLE = web.RequestKey("whole", bool)
"""Set on a request whose answer is kept for later: it is given in full, whatever the client holds."""


class Packer(Protocol):
    """Packs a body piece by piece. `flush` ends it."""

    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


def unchanged(request: web.BaseRequest, tag: bytes) -> bool:
    """Whether the client holds what has this entity tag. Weak comparison, with each tag of the list."""
    held = request.headers.get("If-None-Match")
    if held is None or WHOLE in request:
        return False
    opaque = tag.decode().removeprefix("W/")
    return held.strip() == "*" or any(part.strip().removeprefix("W/") == opaque for part in held.split(","))


def coding_of(request: web.BaseRequest) -> Coding | None:
    """What a body for this client is packed with: brotli for who names it and likes gzip no better, else gzip."""
    accepted = request.headers.get("Accept-Encoding")
    return None if accepted is None else _preferred(accepted)


@functools.lru_cache(maxsize=256)
def _preferred(accepted: str) -> Coding | None:
    weights: dict[str, float] = {}
    for part in accepted.lower().split(","):
        coding, _, parameter = part.partition(";")
        name, _, value = parameter.partition("=")
        try:
            weights[coding.strip()] = float(value) if name.strip() == "q" else 1.0
        except ValueError:
            return None
    gzip_weight, br_weight = weights.get("gzip", weights.get("*", 0.0)), weights.get("br", 0.0)
    if br_weight > 0 and br_weight >= gzip_weight:
        return "br"
    return "gzip" if gzip_weight > 0 else None


def encoding_line(coding: Coding) -> bytes:
    """The header line that names it."""
    return b"Content-Encoding: " + coding.encode() + b"\r\n"


def packed(body: bytes, coding: Coding) -> bytes:
    """The body packed. What many ask for within a moment is packed once."""
    return _kept(body, coding) if len(body) <= KEPT_BYTES_MAX else _packed(body, coding)


def best(body: bytes, coding: Coding) -> bytes:
    """The body as short as it gets, which takes a while."""
    return _packed(body, coding, best=True)


@functools.lru_cache(maxsize=128)
def _kept(body: bytes, coding: Coding) -> bytes:
    return _packed(body, coding)


def _packed(body: bytes, coding: Coding, *, best: bool = False) -> bytes:
    if coding == "gzip":
        return gzip.compress(body, 9 if best else _LEVEL, mtime=0)
    made: bytes = brotli.compress(body, quality=9 if best else _QUALITY)
    return made


class _Brotli:
    def __init__(self) -> None:
        self._packer = brotli.Compressor(quality=_QUALITY)

    def compress(self, data: bytes, /) -> bytes:
        made: bytes = self._packer.process(data)
        return made

    def flush(self) -> bytes:
        made: bytes = self._packer.finish()
        return made


def packer_of(coding: Coding) -> Packer:
    """What packs a body whose length nobody knows yet."""
    return zlib.compressobj(3, zlib.DEFLATED, 16 + zlib.MAX_WBITS) if coding == "gzip" else _Brotli()
