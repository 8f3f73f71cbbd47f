"""Several tasks at once: their ends for certain, and what they give."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any, TypeVar

AGAIN_S = 0.5
T = TypeVar("T")


async def end(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    """Cancels tasks until they are done, however they end.

    Once is not enough: up to Python 3.11 `wait_for`, by which drivers send, can swallow a cancellation.
    """
    tasks = list(tasks)
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)


async def all_of(calls: Iterable[Awaitable[T]]) -> list[T]:
    """What all of these give; when one raises, the first of those errors, once none is under way any more."""
    found = await asyncio.gather(*calls, return_exceptions=True)
    errors = [each for each in found if isinstance(each, BaseException)]
    if errors:
        raise errors[0]
    return [each for each in found if not isinstance(each, BaseException)]
