"""Everything at once, for `up` and `demo`: services (embedded unless named), migrations, a consumer and the API."""

import asyncio
import errno
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

from cli.client import Api
from cli.embedded import Embedded
from cli.settings import Settings, child_environment
from cli.supervisor import Child, stop_all, supervise
from projections.migrate import migrate
from projections.tasks import end
from schemas.errors import InvalidInput, Problem, Unavailable

READY_SECONDS_MAX = 60.0
POLL_S = 0.05


@asynccontextmanager
async def running(found: Settings, folder: Path, *, keep: bool, log: IO[bytes] | None) -> AsyncIterator[Settings]:
    """Everything runs and is ready inside the block; yields the settings with the services' URLs filled in.

    A part that cannot be kept running cancels the block, and Unavailable is raised. `log` takes the output of consumer
    and API instead of this process's.
    """
    async with AsyncExitStack() as stack:
        if not found.external():
            found = _embedded(stack, found, folder, keep)
        found.require_log(), found.require_rankings()
        await migrate(found.require_database())
        found = replace(found, url=f"http://{_host_in_url(found.host)}:{found.port}", url_is_set=True)
        children = [Child(name, child_environment(found), log) for name in ("consume", "serve")]
        stack.push_async_callback(stop_all, children)
        for child in children:
            await child.start()
        await stack.enter_async_context(_supervised(children))
        await _until_ready(found.url)
        yield found


def _embedded(stack: AsyncExitStack, found: Settings, folder: Path, keep: bool) -> Settings:
    services = stack.enter_context(Embedded(folder, keep=keep)).services
    return replace(
        found,
        redis_log_url=services.log_url,
        redis_rankings_url=services.rankings_url,
        database_url=services.database_url,
    )


@asynccontextmanager
async def _supervised(children: Sequence[Child]) -> AsyncIterator[None]:
    """Supervises while the block runs; what the supervision raises cancels the block and takes its place."""
    block = asyncio.current_task()
    assert block is not None
    watching = asyncio.create_task(supervise(children))
    watching.add_done_callback(lambda task: None if task.cancelled() else block.cancel())
    try:
        yield
    except asyncio.CancelledError:
        if watching.done() and not watching.cancelled():
            block.uncancel()
            watching.result()
        raise
    finally:
        await end([watching])


async def _until_ready(url: str) -> None:
    deadline = time.monotonic() + READY_SECONDS_MAX
    async with Api(url, attempts=1) as api:
        while True:
            try:
                if (await api.health())["shards"]:
                    return
            except Unavailable as error:
                if time.monotonic() > deadline:
                    raise Unavailable(f"not ready after {READY_SECONDS_MAX:g} s: {error}") from error
            if time.monotonic() > deadline:
                raise Unavailable(f"no consumer was ready after {READY_SECONDS_MAX:g} s")
            await asyncio.sleep(POLL_S)


def require_free(host: str, port: int) -> None:
    """Raises InvalidInput when something listens there already."""
    if not is_free(host, port):
        raise InvalidInput(Problem("--port", f"{port} of {host} is taken: choose another one, or RANKFOLD_PORT"))


def is_free(host: str, port: int) -> bool:
    """Whether one could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise InvalidInput(Problem("--host", f"{host}: {error.strerror or error}")) from None
        return True


def free_port() -> int:
    """A port of the loopback address that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _host_in_url(host: str) -> str:
    """Where this machine reaches what listens on `host`."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - compared with, not bound to
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
