"""Reads request bodies: no longer than the application allows, and no slower than a client that means it."""

import asyncio

from aiohttp import web

from api.problems import TOO_SLOW, RefusedError

BODY_S_MAX = 30.0


async def read_body(request: web.Request) -> bytes:
    """The whole body; refuses one that takes too long to arrive. aiohttp refuses what is too large."""
    try:
        async with asyncio.timeout(BODY_S_MAX):
            return await request.read()
    except TimeoutError:
        raise RefusedError(TOO_SLOW, f"a body has {BODY_S_MAX:g} s to arrive") from None
