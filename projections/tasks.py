"""Ending tasks for certain."""

import asyncio
from collections.abc import Iterable

AGAIN_S = 0.5


async def end(tasks: Iterable["asyncio.Task[None]"]) -> None:
    """Cancels tasks until they are done. Once is not enough: up to Python 3.11 `wait_for` can swallow a cancellation."""
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=AGAIN_S)
