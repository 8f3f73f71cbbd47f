"""Reads over HTTP, as ratios to a bare handler: wrk with 64 connections, the API and the bare handler in turns."""

import json
import os
import re
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from bench.processes import BenchError, Child, wait_for
from bench.stack import START_SECONDS_MAX, Stack
from bench.workload import GAME, player_name

CONNECTIONS = 64
NOT_COPIED = {"date", "content-length", "connection", "server"}
"""Headers that every server adds by itself."""

# The paths are made before the clock starts: afterwards wrk only picks them, so that the same little work of its own
# stands beside both servers.
SCRIPT = """\
local requests, at = {{}}, 0
function init(args)
  math.randomseed({seed})
  for i = 1, {count} do
    requests[i] = wrk.format("GET", string.format("{pattern}", math.random(0, {highest})))
  end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
"""
REQUESTS_MADE = 20_000
PAGE_PATH = f"/v1/games/{GAME}/boards/best?period=all&limit=10"
PLACE_PATH = f"/v1/games/{GAME}/boards/best/players/"


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


def run_wrk(url: str, seconds: int, script: Path | None) -> Load:
    """Runs wrk once; raises BenchError when any answer was not 200 or a socket failed."""
    wrk = wrk_path()
    assert wrk is not None
    scripted = ["-s", str(script)] if script else []
    command = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", *scripted, url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0 or "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise BenchError(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    assert rate is not None
    return Load(float(rate[1]), _percentile(done.stdout, 50), _percentile(done.stdout, 99))


def _percentile(text: str, percent: int) -> float:
    found = re.search(rf"^\s+{percent}(?:\.0+)?%\s+([\d.]+)(us|ms|s|m)$", text, re.MULTILINE)
    assert found is not None, text
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}[found[2]]


def measure(
    stack: Stack, folder: Path, players: int, rounds: int, seconds: int, progress: Callable[[str], None]
) -> dict[str, Any]:
    """Both kinds of reads; the stack shows the boards and its consumer runs."""
    port, bare_port = free_port(), free_port()
    api = Child(stack.log, "cli.main", "serve", environment=stack.environment(RANKFOLD_PORT=str(port)))
    bare = Child(stack.log, "bench.bare", str(bare_port))
    try:
        base, bare_base = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{bare_port}"
        wait_for(lambda: _answers(base + "/health/live", api), START_SECONDS_MAX, "the API answers")
        samples = {"/place": _sample(base + PLACE_PATH + player_name(0)), "/page": _sample(base + PAGE_PATH)}
        bare.say(json.dumps({"answers": samples}))
        bare.reply()
        # The bare handler has one fixed path, the cheapest to route; the numbers behind it are a query that it ignores.
        places = _script(folder / "places.lua", PLACE_PATH + "player-%07d", players)
        bare_places = _script(folder / "bare.lua", "/place?%07d", players)
        kinds = {
            "rank": (lambda: run_wrk(base, seconds, places), lambda: run_wrk(bare_base, seconds, bare_places)),
            "page": (
                lambda: run_wrk(base + PAGE_PATH, seconds, None),
                lambda: run_wrk(bare_base + "/page", seconds, None),
            ),
        }
        return {
            kind: {"body_bytes": len(samples[path]["body"]), **_alternate(*both, rounds, kind, progress)}
            for (kind, both), path in zip(kinds.items(), samples, strict=True)
        }
    finally:
        bare.stop()
        api.stop()


def _alternate(
    own: Callable[[], Load], bare: Callable[[], Load], rounds: int, kind: str, progress: Callable[[str], None]
) -> dict[str, Any]:
    """A, B, A, B, ...: what drifts on the machine meets both alike. Each ratio is that of two runs side by side."""
    found: list[tuple[Load, Load]] = []
    for number in range(rounds):
        progress(f"{kind}, round {number + 1} of {rounds}")
        found.append((own(), bare()))
    return {
        "requests_s": [load.requests_s for load, _ in found],
        "bare_requests_s": [load.requests_s for _, load in found],
        "p50_ms": median(load.p50_ms for load, _ in found),
        "p99_ms": median(load.p99_ms for load, _ in found),
        "ratio": median(load.requests_s / beside.requests_s for load, beside in found),
    }


def _script(path: Path, pattern: str, players: int) -> Path:
    path.write_text(SCRIPT.format(pattern=pattern, seed=7, count=REQUESTS_MADE, highest=players - 1))
    return path


def _sample(url: str) -> dict[str, Any]:
    """An answer of the API, for the bare handler to repeat."""
    with urllib.request.urlopen(url, timeout=START_SECONDS_MAX) as response:
        headers = {name: value for name, value in response.headers.items() if name.lower() not in NOT_COPIED}
        return {"headers": headers, "body": response.read().decode()}


def _answers(url: str, child: Child) -> bool:
    child.require_running()
    try:
        with urllib.request.urlopen(url, timeout=1):
            return True
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def free_port() -> int:
    """A port of the loopback address that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
