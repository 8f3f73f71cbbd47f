"""Reads request bodies: no longer than the application allows, and no slower than a client that means it."""

import asyncio

from aiohttp import web
from aiohttp.http_exceptions import PayloadEncodingError

from api.plain import Plain
from api.problems import INVALID_REQUEST, TOO_SLOW, RefusedError

BODY_S_MAX = 30.0


async def read_body(request: web.Request) -> bytes:
    """The whole body, unpacked; refuses one that takes too long to arrive, or is not packed as it says. aiohttp refuses what is
    too large, packed or not.
    """
    if isinstance(request, Plain):
        return request.body
    try:
        if request.content.is_eof():
            # Most are there as soon as their heads are, and a timeout costs more than to read them.
            return await request.read()
        async with asyncio.timeout(BODY_S_MAX):
            return await request.read()
    except TimeoutError:
        raise RefusedError(TOO_SLOW, f"a body has {BODY_S_MAX:g} s to arrive") from None
    except (web.RequestPayloadError, PayloadEncodingError):
        raise RefusedError(INVALID_REQUEST, "the body is not encoded as its headers say") from None
    except ConnectionError:
        # Nobody gets this answer. Left as it is, it would be taken for a service that is away.
        raise RefusedError(INVALID_REQUEST, "the body broke off") from None
