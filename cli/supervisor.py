"""Keeps a few processes of our own running: starts them, restarts the one that dies, stops them in order."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from cli.failures import USAGE
from cli.terminal import say
from projections.tasks import end
from schemas.errors import Unavailable

ROOT = Path(__file__).parents[1]
LAUNCHER = Path(__file__).with_name("embedded_launch.py")
STOP_SECONDS_MAX = 20.0
RESTART_DELAY_S = 0.5
QUICK_DEATH_S = 10.0
QUICK_DEATHS_MAX = 5


class Child:
    """One command of `rankfold` as a process, with this process's environment changed by `environment`.

    Its output goes to `log`, or where this process's goes. A child dies with this process, however that ends.
    """

    def __init__(self, name: str, environment: Mapping[str, str], log: IO[bytes] | None = None) -> None:
        self.name = name
        self.restarts = 0
        self._environment = dict(environment)
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Starts the process; it need not be ready yet."""
        launched = (os.getpid(), int(signal.SIGTERM), os.geteuid(), os.getegid())
        launcher = (sys.executable, "-I", "-S", str(LAUNCHER), *map(str, launched))
        self._process = await asyncio.create_subprocess_exec(
            *(*launcher, sys.executable, "-m", "cli.main", self.name),
            cwd=ROOT,
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,  # Ctrl-C is for this process, which stops its children in order
        )

    async def wait(self) -> int:
        """Returns the exit status once the process has ended."""
        assert self._process is not None
        return await self._process.wait()

    async def stop(self) -> None:
        """Lets the process finish what it does; kills it when that takes too long."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS_MAX)
        except TimeoutError:
            process.kill()
            await process.wait()


async def supervise(children: Sequence[Child]) -> None:
    """Restarts children that end, until it is cancelled; raises Unavailable when one cannot be kept running."""
    watchers = [asyncio.create_task(_watch(child)) for child in children]
    try:
        await asyncio.gather(*watchers)
    finally:
        await end(watchers)


async def stop_all(children: Sequence[Child]) -> None:
    """Stops them one after another, the last one first."""
    for child in reversed(children):
        await child.stop()


async def _watch(child: Child) -> None:
    quick = 0
    while True:
        started = time.monotonic()
        status = await child.wait()
        quick = quick + 1 if time.monotonic() - started < QUICK_DEATH_S else 0
        if status == USAGE or quick >= QUICK_DEATHS_MAX:
            raise Unavailable(f"`rankfold {child.name}` ends with status {status} each time it is started")
        child.restarts += 1
        say(f"`rankfold {child.name}` ended with status {status}; starting it again", "yellow")
        await asyncio.sleep(RESTART_DELAY_S * (1 + quick))
        await child.start()
