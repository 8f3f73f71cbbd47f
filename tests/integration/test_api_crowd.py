"""Thousands of idle listeners on one process: each costs little memory, and all of them are told."""

import asyncio
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.api_stack import Stack, ruleset, running, score
from tests.integration.test_api_live import BOARD, metric
from tests.services import eventually

pytestmark = [pytest.mark.services, pytest.mark.slow]
WANTED = 5_000
OTHERS = 500
"""So many descriptors are left for everything else."""

LISTENER_BYTES_MAX = 32 * 1024
AT_ONCE = 200


@contextmanager
def many_files() -> Iterator[int]:
    """As many open files as this process may have; yields how many listeners that is enough for. Both ends are in here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * WANTED + OTHERS
    limit = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, limit), hard))
    try:
        yield min(WANTED, (limit - OTHERS) // 2)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    async with running(database_url, redis_log_url, redis_rankings_url) as stack:
        await stack.publish(ruleset(), score("a", "ann", 1))
        yield stack


def resident_bytes() -> int:
    """The memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


async def listen(stack: Stack) -> socket.socket:
    """One who listens, and reads what he is told when he is asked."""
    loop = asyncio.get_running_loop()
    listener = socket.socket()
    listener.setblocking(False)
    await loop.sock_connect(listener, (stack.client.host, stack.client.port))
    await loop.sock_sendall(listener, f"GET {BOARD}/live HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return listener


async def hears(listener: socket.socket, text: bytes) -> None:
    """Reads on until this was said."""
    received = b""
    while text not in received:
        part = await asyncio.get_running_loop().sock_recv(listener, 65_536)
        assert part, "it was dropped"
        received += part


async def test_thousands_listen_and_are_told(stack: Stack) -> None:
    with many_files() as count:
        before = resident_bytes()
        listeners: list[socket.socket] = []
        try:
            while len(listeners) < count:
                listeners += await asyncio.gather(*(listen(stack) for _ in range(min(AT_ONCE, count - len(listeners)))))
            await eventually(lambda: _is(stack, "rankfold_listeners", count), 60)
            assert await metric(stack, "rankfold_feeds") == 1
            await asyncio.gather(*(hears(each, b'"player":"ann"') for each in listeners))
            assert resident_bytes() - before < count * LISTENER_BYTES_MAX
            # While all are told, everybody else is answered.
            telling = asyncio.gather(*(hears(each, b'"player":"bob"') for each in listeners))
            await stack.publish(score("b", "bob", 2))
            assert (await stack.get(f"{BOARD}/players/bob")).json["rank"] == 1
            async with asyncio.timeout(60):
                await telling
            assert await metric(stack, "rankfold_listeners_dropped_total") == 0
        finally:
            for each in listeners:
                each.close()
        await eventually(lambda: _is(stack, "rankfold_listeners", 0), 60)


async def _is(stack: Stack, name: str, value: float) -> bool:
    return await metric(stack, name) == value
