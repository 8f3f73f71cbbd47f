"""Child processes of the benchmark: they end with it, and what they say is kept in one file."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LAUNCHER = ROOT / "cli" / "embedded_launch.py"
STOP_SECONDS_MAX = 30.0
REPLY_SECONDS_MAX = 900.0


class BenchError(Exception):
    """The benchmark cannot go on; the message says why, and where to look."""


class Child:
    """`python -m MODULE ARGUMENT...`, with its own environment; speaks with this process in lines, if it is to."""

    def __init__(self, log: Path, module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        self.name = " ".join((module, *arguments))[:80]
        self.log = log
        launched = (os.getpid(), int(signal.SIGTERM), os.geteuid(), os.getegid())
        command = (sys.executable, "-I", "-S", str(LAUNCHER), *map(str, launched))
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                (*command, sys.executable, "-m", module, *arguments),
                cwd=ROOT,
                env=dict(environment if environment is not None else clean_environment()),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,  # Ctrl-C is for the benchmark, which stops its children
            )

    def say(self, line: str) -> None:
        """Writes one line to the child's stdin."""
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def replied(self) -> bool:
        """Whether `reply` would return at once."""
        assert self.process.stdout is not None
        return bool(select.select([self.process.stdout], [], [], 0)[0])

    def reply(self) -> Any:
        """The next line of JSON that the child prints."""
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], REPLY_SECONDS_MAX)[0]:
            raise BenchError(f"`{self.name}` does not answer; see {self.log}")
        line = self.process.stdout.readline()
        if not line:
            raise BenchError(f"`{self.name}` ended with status {self.process.wait()}; see {self.log}")
        return json.loads(line)

    def rest(self) -> Any:
        """The JSON document that the child prints until it ends; raises BenchError when it fails."""
        output, _ = self.process.communicate(timeout=REPLY_SECONDS_MAX)
        if self.process.returncode != 0:
            raise BenchError(f"`{self.name}` ended with status {self.process.returncode}; see {self.log}")
        return json.loads(output)

    def pause(self) -> None:
        """Takes the processor away from the child."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Gives it back."""
        self.process.send_signal(signal.SIGCONT)

    def require_running(self) -> None:
        """Raises BenchError when the child has ended."""
        if self.process.poll() is not None:
            raise BenchError(f"`{self.name}` ended with status {self.process.returncode}; see {self.log}")

    def memory_bytes_peak(self) -> int:
        """The most memory that the child ever had resident (VmHWM of proc(5))."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))

    def stop(self) -> None:
        """Lets the child finish what it does, and kills it when that takes too long."""
        if self.process.poll() is None:
            self.go_on()
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


def cpu_seconds(pid: int) -> float:
    """The processor time of a process and of its children, those that have ended included (proc(5), stat)."""
    total = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(path.parent.name) == pid:
            total += sum(map(int, fields[11:15]))
        elif int(fields[1]) == pid:
            total += sum(map(int, fields[11:13]))
    return total / os.sysconf("SC_CLK_TCK")


def clean_environment(added: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without any setting of Rankfold's, so that all runs measure the same."""
    services = ("REDIS_URL", "REDIS_LOG_URL", "REDIS_RANKINGS_URL", "DATABASE_URL")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RANKFOLD_", "PG")) and name not in services
    }
    return {**kept, **(added or {})}


def stop_all(children: Sequence[Child]) -> None:
    """Stops them, the last one first."""
    for child in reversed(children):
        child.stop()


def wait_for(condition: Callable[[], bool], seconds: float, what: str, *, poll_s: float = 0.02) -> None:
    """Returns when the condition holds; raises BenchError when it still does not after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise BenchError(f"not within {seconds:g} s: {what}")
        time.sleep(poll_s)
