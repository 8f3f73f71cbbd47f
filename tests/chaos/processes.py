"""The processes that are killed: two consumers, the API, two Redis servers and PostgreSQL. Only these, by their ids."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from cli.embedded import Embedded, Which
from tests.harness import ROOT

LAUNCHER = ROOT / "cli" / "embedded_launch.py"
PAUSES = 0.2
"""How often a program is stopped and goes on, instead of being killed."""

SERVERS: tuple[Which, ...] = ("log", "rankings", "postgres")


class Program:
    """`rankfold COMMAND` as a process that ends with this one. What it says goes to `log`."""

    def __init__(self, name: str, command: tuple[str, ...], environment: dict[str, str], log: Path) -> None:
        self.name = name
        self._command = command
        self._environment = environment
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, unless it runs."""
        if self.runs:
            return
        launched = map(str, (os.getpid(), int(signal.SIGTERM), os.geteuid(), os.getegid()))
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                (
                    sys.executable,
                    "-I",
                    "-S",
                    str(LAUNCHER),
                    *launched,
                    sys.executable,
                    "-m",
                    "cli.main",
                    *self._command,
                ),
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def last_words(self) -> str:
        """The end of what it has said."""
        return self._log.read_text("utf-8", "replace")[-2_000:]

    def send(self, number: signal.Signals) -> None:
        """A signal, if it runs."""
        if self.runs and self._process is not None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and waits for the end."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


class Killer:
    """Kills one thing or two at a time, or has a program stand still, and looks after what ended by itself."""

    def __init__(self, embedded: Embedded, programs: list[Program], chance: random.Random) -> None:
        self.embedded = embedded
        self.programs = {program.name: program for program in programs}
        self.chance = chance
        self.kills: Counter[str] = Counter()
        self.pauses: Counter[str] = Counter()
        self.ended_alone: Counter[str] = Counter()
        self.last_words: dict[str, str] = {}

    async def run(self, until: float) -> None:
        """Until that time of the monotonic clock; everything runs when it returns."""
        while time.monotonic() < until:
            await asyncio.sleep(self.chance.uniform(0.5, 4.0))
            if self.chance.random() < PAUSES:
                await self._pause(self.chance.choice(list(self.programs)))
                continue
            victims = self.chance.sample([*self.programs, *SERVERS], self.chance.choice((1, 1, 1, 2)))
            for victim in victims:
                self.kills[victim] += 1
                await asyncio.to_thread(self._kill, victim)
            await asyncio.sleep(self.chance.choice((0.0, 0.1, 0.5, 2.0)))
            for victim in victims:
                await asyncio.to_thread(self._start, victim)
            self.tend()

    def tend(self) -> None:
        """Starts programs again that ended without having been killed."""
        for name, program in self.programs.items():
            if not program.runs:
                self.ended_alone[name] += 1
                self.last_words[name] = program.last_words
                program.start()

    async def _pause(self, victim: str) -> None:
        """Has a program stand still for a while, which believes then that nothing has happened."""
        self.pauses[victim] += 1
        self.programs[victim].send(signal.SIGSTOP)
        # Sometimes until another one has its leases, sometimes not.
        await asyncio.sleep(self.chance.choice((0.5, 3.0, 12.0)))
        self.programs[victim].send(signal.SIGCONT)

    def _kill(self, victim: str) -> None:
        if victim in self.programs:
            self.programs[victim].kill()
        else:
            self.embedded.kill(_server(victim))

    def _start(self, victim: str) -> None:
        if victim in self.programs:
            self.programs[victim].start()
        else:
            self.embedded.restart(_server(victim))


def _server(name: str) -> Which:
    return next(which for which in SERVERS if which == name)
