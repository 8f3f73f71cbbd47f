"""Processes as the kernel sees them: starting them so that they end with this one, and finding out whether they live.

Knows nothing of which servers are run. Linux only: it reads /proc.
"""

import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue

POLL_SECONDS = 0.02


class Spawner:
    """Starts processes from one thread that lives as long as this process.

    The kernel's parent-death signal is sent when the *thread* that started a server ends, so a server started from a
    short-lived worker thread would die with that.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[tuple[Callable[[], subprocess.Popen[bytes]], Future[subprocess.Popen[bytes]]]]
        self._calls = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def run(self, spawn: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        """Returns what `spawn` returns, or raises what it raises."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._loop, name="embedded-spawner", daemon=True)
                self._thread.start()
        future: Future[subprocess.Popen[bytes]] = Future()
        self._calls.put((spawn, future))
        return future.result()

    def _loop(self) -> None:
        while True:
            spawn, future = self._calls.get()
            try:
                future.set_result(spawn())
            except BaseException as error:  # handed to the caller, who waits for it
                future.set_exception(error)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Polls until the condition holds; False when it still does not at the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def is_running(pid: int) -> bool:
    """Whether the process runs; one that is dead but not yet reaped by its parent does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in (b"Z", b"X")


def children_of(pid: int) -> list[int]:
    """The processes whose parent is `pid` at this moment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_bytes().rpartition(b")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == pid:
                found.append(int(entry.name))
    return found
