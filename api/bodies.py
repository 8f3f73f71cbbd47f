"""Reads request bodies: no longer than the application allows, and no slower than a client that means it."""

import asyncio

from aiohttp import web

from api.problems import TOO_SLOW, RefusedError

BODY_S_MAX = 30.0


async def read_body(request: web.Request, seconds: float = BODY_S_MAX) -> bytes:
    """The whole body; refuses one that takes too long to arrive. aiohttp refuses what is too large."""
    try:
        async with asyncio.timeout(seconds):
            return await request.read()
    except TimeoutError:
        raise RefusedError(TOO_SLOW, f"a body has {seconds:g} s to arrive", headers=b"Connection: close\r\n") from None
