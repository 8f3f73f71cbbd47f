"""What tests of real services share: waiting for a condition, and talking to the servers from plain functions.

Tests never sleep for a while and hope: they wait until something holds, with a deadline that says what did not happen.
"""

import asyncio
import inspect
import threading
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast
from urllib.parse import urlsplit, urlunsplit

import asyncpg

POLL_SECONDS = 0.01
PATIENCE_S = 60.0
"""Far above what a slow machine needs; costs time only where something does not happen."""

T = TypeVar("T")


async def eventually(
    condition: Callable[[], T | Awaitable[T]], seconds: float = PATIENCE_S, what: str | Callable[[], str] = ""
) -> T:
    """Polls `condition` (a plain or an async function) and returns its first true value; fails at the deadline.

    `what` did not happen then; a function of it is asked at that time.
    """
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return cast(T, value)
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {(what() if callable(what) else what) or condition}")
        await asyncio.sleep(POLL_SECONDS)


def eventually_sync(condition: Callable[[], T], seconds: float = PATIENCE_S, what: str = "") -> T:
    """The same for tests that have no event loop."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what or condition}")
        time.sleep(POLL_SECONDS)
    return value


def database(url: str, name: str) -> str:
    """The same server's URL for another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def sql(url: str, *statements: str) -> object:
    """Runs the statements one by one, each in a transaction of its own, and returns the last one's first value."""
    return _in_thread(lambda: asyncio.run(_sql(url, statements)))


async def _sql(url: str, statements: tuple[str, ...]) -> object:
    connection = await asyncpg.connect(url)
    try:
        value = None
        for statement in statements:
            value = await connection.fetchval(statement)
        return value
    finally:
        await connection.close()


def _in_thread(call: Callable[[], T]) -> T:
    # A thread of its own, because the caller may be inside a running event loop.
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
