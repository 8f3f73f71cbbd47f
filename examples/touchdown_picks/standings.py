"""The standings of a season, worked out by hand as it were: python examples/touchdown_picks/standings.py season.jsonl

A second opinion that shares nothing with the engine: plain dicts, `sorted`, and the rules as README.md words them.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

Line = dict[str, Any]


def standings(lines: Iterable[str], week: int | None = None) -> list[Line]:
    """The players in order, with rank, points, wins, losses, percentage, distance, streak and longest streak."""
    games, picks, results = _read(lines)
    tally: dict[str, dict[str, Any]] = defaultdict(lambda: {"points": 0, "verdicts": [], "distance": None})
    order = sorted((game for game in results if game in games), key=lambda game: (games[game]["starts_at"], game))
    for game in order:
        result = results[game]
        if result.get("status", "final") != "final" or (week is not None and games[game]["round"] != week):
            continue
        outcomes = result["outcomes"]
        for player, choice in picks[game, "touchdown"].items():
            points = 3 * (choice in outcomes["first-touchdown"]) + (choice in outcomes["touchdown"])
            tally[player]["points"] += points
            tally[player]["verdicts"].append("W" if points else "L")
        for player, choice in picks[game, "total"].items():
            tally[player]["distance"] = abs(int(choice) - int(outcomes["total"][0]))
    return _ranked(tally)


def _read(lines: Iterable[str]) -> tuple[dict[str, Line], dict[tuple[str, str], dict[str, str]], dict[str, Line]]:
    games: dict[str, Line] = {}
    picks: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    results: dict[str, Line] = {}
    for line in lines:
        event = json.loads(line)
        game = event["fixture"]
        if event["type"] == "fixture":
            games[game] = event
        elif event["type"] == "pick" and event["occurred_at"] < games[game]["starts_at"]:
            picks[game, event["market"]][event["player"]] = event["choice"]
        elif event["type"] == "result" and event.get("revision", 1) >= results.get(game, {}).get("revision", 1):
            results[game] = event
    return games, picks, results


def _ranked(tally: dict[str, dict[str, Any]]) -> list[Line]:
    lines = []
    for player, held in tally.items():
        verdicts = "".join(held["verdicts"])
        wins, losses = verdicts.count("W"), verdicts.count("L")
        lines.append(
            {
                "player": player,
                "points": held["points"],
                "wins": wins,
                "losses": losses,
                "percentage": _rounded(Fraction(wins, wins + losses)) if verdicts else None,
                "distance": held["distance"],
                "streak": len(verdicts) - len(verdicts.rstrip("W")),
                "longest": max(map(len, verdicts.split("L"))),
                "form": verdicts[-5:],
            }
        )

    def key(line: Line) -> tuple[int, int, float]:
        return -line["points"], -line["wins"], float("inf") if line["distance"] is None else line["distance"]

    lines.sort(key=lambda line: (key(line), line["player"]))
    for line in lines:
        line["rank"] = 1 + sum(key(other) < key(line) for other in lines)
    return lines


def _rounded(share: Fraction) -> str:
    """Four digits behind the point, halves up."""
    return f"{int(share * 10_000 + Fraction(1, 2)) / 10_000:.4f}"


if __name__ == "__main__":
    for line in standings(Path(sys.argv[1]).read_text("utf-8").splitlines()):
        print(*line.values(), sep="\t")
