"""The arcade's standings, worked out by hand as it were: python examples/arcade/standings.py runs.jsonl BOARD [PERIOD]

A second opinion that shares nothing with the engine: plain dicts, `sorted`, and the rules as README.md words them.
"""

import json
import sys
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Berlin")
Line = tuple[int, str, int, int]
"""(rank, player, points, level of the best run or number of runs)."""


def standings(lines: Iterable[str], board: str, period: str = "all") -> list[Line]:
    """The players in order; `board` is high-scores or total."""
    runs = [run for run in map(json.loads, lines) if period in ("all", *_periods(run))]
    return _best(runs) if board == "high-scores" else _total(runs)


def _periods(run: dict[str, Any]) -> tuple[str, str]:
    day = datetime.fromisoformat(run["occurred_at"]).astimezone(ZONE).date()
    monday = day - timedelta(days=day.weekday())
    return f"daily:{day}", f"weekly:{monday}"


def _best(runs: list[dict[str, Any]]) -> list[Line]:
    """The best run of each player; of equal runs, his own or others', the earlier one is first. No two share a rank."""
    best: dict[str, tuple[int, str, int, int]] = {}
    for at, run in enumerate(runs):
        key = (-run["values"]["points"], run["occurred_at"], at, run["values"]["level"])
        best[run["player"]] = min(key, best.get(run["player"], key))
    order = sorted(best.items(), key=lambda item: item[1])
    return [(rank, player, -points, level) for rank, (player, (points, _, _, level)) in enumerate(order, 1)]


def _total(runs: list[dict[str, Any]]) -> list[Line]:
    """All points of each player; who has as many shares the rank, listed by id."""
    points: dict[str, int] = {}
    count: dict[str, int] = {}
    for run in runs:
        player = run["player"]
        points[player] = points.get(player, 0) + run["values"]["points"]
        count[player] = count.get(player, 0) + 1
    order = sorted(points, key=lambda player: (-points[player], player.encode()))
    better = sorted(points.values(), reverse=True)
    return [(better.index(points[player]) + 1, player, points[player], count[player]) for player in order]


if __name__ == "__main__":
    for line in standings(Path(sys.argv[1]).read_text("utf-8").splitlines(), *sys.argv[2:]):
        print(*line, sep="\t")
