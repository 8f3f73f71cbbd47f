"""The results as a table with the targets beside them, and as JSON."""

import os
import platform
import time
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import msgspec
from rich.text import Text

from bench.matrix import GROWTH_MAX, TARGETS
from bench.phases import SPREAD_SHARDS
from cli.terminal import out, table

MIB = 1024 * 1024


class Line(NamedTuple):
    """One line of the table. `ratio` is compared with `target`; a line without a target only informs."""

    what: str
    result: str
    ratio: float | None = None
    target: float | None = None
    beside: str = ""

    @property
    def verdict(self) -> Text:
        """Whether the target is met."""
        if self.target is None or self.ratio is None:
            return Text("")
        return Text("met", style="green") if self.ratio >= self.target else Text("missed", style="yellow")


def machine() -> dict[str, Any]:
    """What the figures were measured on, and how busy it was with other things before."""
    models = [line for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    load = os.getloadavg()[0]
    return {
        "processor": models[0].partition(":")[2].strip() if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_average_before": load,
    }


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def summary(phases: dict[str, Any]) -> list[Line]:
    """The table's lines, for the phases that were run."""
    lines: list[Line] = []
    if "streams" in phases:
        lines += _streams(phases["streams"])
    if "replay" in phases:
        replay = phases["replay"]
        for option, target in (("verify", 3.0), ("swap", 1.5)):
            found = replay[option]
            lines.append(Line(f"replay --{option}", _rate(found), found["ratio"], target, "of backlog"))
    if "http" in phases:
        lines += _http(phases["http"])
    if "latency" in phases:
        found = phases["latency"]
        shown = f"p50 {found['p50_ms']:.0f} ms, p99 {found['p99_ms']:.0f} ms"
        lines.append(Line(f"publish to visible at {found['rate']:,.0f}/s", shown))
    if "sizes" in phases:
        found = phases["sizes"]
        lines.append(Line("Redis, rankings", f"{found['redis_bytes_per_player']:,.0f} bytes a player"))
        shown = f"{found['postgres_bytes_per_player']:,.0f} bytes a player"
        part = f"{found['standings_bytes_per_player']:,.0f} of them standings"
        lines.append(Line("PostgreSQL, archive and history included", f"{shown}, {part}"))
    if "corrections" in phases:
        found = phases["corrections"]
        size = f"{found['size']:,}"
        lines.append(
            Line(f"void the best run of a player with {size} events", f"visible after {found['void_s']:.2f} s")
        )
        lines.append(Line(f"settle a fixture with {size} picks anew", f"visible after {found['resettle_s']:.2f} s"))
    if "memory" in phases:
        found = phases["memory"]
        shown = f"{found['peak_bytes'] / MIB:,.0f} MiB"
        lines.append(Line(f"consumer's peak memory, {found['players']:,} players", shown))
    return lines


def _http(http: dict[str, Any]) -> list[Line]:
    lines = []
    for players, column in http["columns"].items():
        for connections, kinds in column.items():
            for kind, found in kinds.items():
                name = f"HTTP, {kind}, {int(players):,} players, {connections} connections"
                lines.append(Line(name, _load(found), found["ratio"], TARGETS[kind], "of a bare handler"))
    for connections, kinds in http["growth"].items() if len(http["columns"]) > 1 else ():
        shown = ", ".join(f"{kind} {times:.2f}" for kind, times in kinds.items())
        worst = max(kinds.values())
        lines.append(Line(f"HTTP, times dearer on the largest boards, {connections} connections", shown))
        lines.append(
            Line("  the worst of them", f"{worst:.2f} times", GROWTH_MAX / worst, 1.0, f"({GROWTH_MAX:g} times)")
        )
    for kind, found in http["limits"].items():
        lines.append(
            Line(f"HTTP, {kind}, requests counted for limits", _load(found), found["ratio"], None, "of uncounted")
        )
    return lines


def _load(found: dict[str, Any]) -> str:
    own = f"{found['requests_s']:,.0f} requests/s, p50 {found['p50_ms']:.1f} ms, p99 {found['p99_ms']:.1f} ms"
    return f"{own} (beside it {found['bare_p50_ms']:.1f}, {found['bare_p99_ms']:.1f})"


def _streams(streams: dict[str, Any]) -> list[Line]:
    lines = [Line("bare publishing", _rate(streams["bare"]))]
    names = {
        "backlog": "backlog to visible ranks",
        "spread": f"the same, spread over {SPREAD_SHARDS} shards",
        "beside": "beside a publisher, to visible ranks",
    }
    for key, name in names.items():
        if key in streams:
            lines.append(Line(name, _rate(streams[key]), streams[key]["ratio"], 0.5, "of bare publishing"))
    cpu_us = streams["cpu_us_per_event"]
    parts = ", ".join(f"{name.replace('_', ' ')} {used:.0f}" for name, used in cpu_us.items())
    lines.append(Line("backlog, processor time", f"{sum(cpu_us.values()):.0f} us an event ({parts})"))
    return lines


def _rate(found: dict[str, Any]) -> str:
    return f"{median(found['events_s']):,.0f} events/s"


def rates(found: list[float], beside: list[float] | None = None) -> dict[str, Any]:
    """Rates of several rounds; the ratio is the median of each round's own, because the machine drifts between them."""
    answer: dict[str, Any] = {"events_s": found}
    if beside is not None:
        answer["ratio"] = median(rate / other for rate, other in zip(found, beside, strict=True))
    return answer


def show(lines: list[Line], title: str) -> None:
    """Prints the table."""
    rows = [(line.what, line.result, _number(line.ratio), _target(line), line.verdict) for line in lines]
    out().print(table(title, ["measured", "result", "ratio", "target", ""], rows, ["ratio"]))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _target(line: Line) -> str:
    return "" if line.target is None else f"{line.target:g} {line.beside}"


def save(path: Path, document: dict[str, Any]) -> None:
    """Writes the results as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")


def now() -> str:
    """The present time, UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
