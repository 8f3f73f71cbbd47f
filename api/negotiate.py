"""What a client already holds, and what it can unpack: If-None-Match and Accept-Encoding (RFC 9110)."""

import functools
import gzip

from aiohttp import web

GZIP_BYTES_MIN = 1_024
"""A shorter body is sent as it is: packing it gains less than it costs."""

KEPT_BYTES_MAX = 32 * 1024
_LEVEL = 1


def unchanged(request: web.BaseRequest, tag: bytes) -> bool:
    """Whether the client holds what has this entity tag. Weak comparison, with each tag of the list."""
    held = request.headers.get("If-None-Match")
    if held is None:
        return False
    opaque = tag.decode().removeprefix("W/")
    return held.strip() == "*" or any(part.strip().removeprefix("W/") == opaque for part in held.split(","))


def takes_gzip(request: web.BaseRequest) -> bool:
    """Whether the client wants gzip."""
    accepted = request.headers.get("Accept-Encoding")
    return accepted is not None and _admits(accepted)


@functools.lru_cache(maxsize=256)
def _admits(accepted: str) -> bool:
    weights = {"identity": 1.0}
    for part in accepted.lower().split(","):
        coding, _, parameter = part.partition(";")
        name, _, value = parameter.partition("=")
        try:
            weights[coding.strip()] = float(value) if name.strip() == "q" else 1.0
        except ValueError:
            return False
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def gzipped(body: bytes) -> bytes:
    """The body packed. What many ask for within a moment is packed once."""
    return _kept(body) if len(body) <= KEPT_BYTES_MAX else gzip.compress(body, _LEVEL, mtime=0)


@functools.lru_cache(maxsize=128)
def _kept(body: bytes) -> bytes:
    return gzip.compress(body, _LEVEL, mtime=0)
