"""wrk, and the servers that it loads."""

import json
import os
import re
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

from bench.processes import BenchError, Child
from bench.stack import START_SECONDS_MAX

NOT_COPIED = {"date", "content-length", "connection", "server"}
"""Headers that every server adds by itself."""


# Slow is no failure: the exit status never depends on times.
ANSWER_SECONDS_MAX = 60


class Load(NamedTuple):
    """What one run of wrk saw; times in milliseconds."""

    requests_s: float
    p50_ms: float
    p99_ms: float


def wrk_path() -> str | None:
    """Where wrk is; None when it is missing, which only continuous integration does not put up with."""
    found = shutil.which("wrk")
    if found is None and os.environ.get("CI", "").lower() == "true":
        raise BenchError("wrk is missing and CI=true: install it (apt-get install wrk)")
    return found


def run_wrk(url: str, seconds: int, script: Path, connections: int) -> Load:
    """Runs wrk once; raises BenchError when any answer was an error or a socket failed."""
    wrk = wrk_path()
    assert wrk is not None
    command = [
        wrk,
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "--timeout",
        f"{ANSWER_SECONDS_MAX}s",
        "--latency",
        "-s",
        str(script),
        url,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0 or "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise BenchError(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    assert rate is not None
    return Load(float(rate[1]), percentile(done.stdout, 50), percentile(done.stdout, 99))


def percentile(text: str, percent: int) -> float:
    """A latency in milliseconds, out of what wrk printed. It fills units of one letter up with a space."""
    found = re.search(rf"^\s+{percent}(?:\.0+)?%\s+([\d.]+)(us|ms|s|m) *$", text, re.MULTILINE)
    assert found is not None, text
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}[found[2]]


class Server(NamedTuple):
    """Whom wrk asks: the API, or the `bare` handler."""

    url: str
    bare: bool

    def answers(self, child: Child) -> bool:
        """Whether the API, run by `child`, is there."""
        child.require_running()
        try:
            with urllib.request.urlopen(self.url + "/health/live", timeout=1):
                return True
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False


def sample(url: str, token: str, body: Any = None) -> dict[str, Any]:
    """An answer of the API, for the bare handler to repeat; a `body` is sent as JSON."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=START_SECONDS_MAX) as response:
        kept = {name: value for name, value in response.headers.items() if name.lower() not in NOT_COPIED}
        return {"status": response.status, "headers": kept, "body": response.read().decode()}


def free_port() -> int:
    """A port of the loopback address that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
