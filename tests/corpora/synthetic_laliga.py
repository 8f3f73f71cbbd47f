"""Small invented seasons in the form of the laliga corpus, with the tables that counting and sorting give.

Written without the engine. Scores are low and teams are few, so that many end level, two, three or more of them.
"""

import csv
import itertools
import json
import random
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

TEAMS = ["Áncora", "Bruma CF", "Cierzo", "Duero", "Encina", "Faro 1902"]
ORDER = [
    "points",
    "points in the matches between the tied teams",
    "goal difference in those matches",
    "goal difference",
    "goals for",
]
BY_GOALS = ["points", "goal difference", "goals for"]

Match = dict[str, Any]
Numbers = dict[str, int]


def write(folder: Path, seed: int, *, order: list[str] | None = None, seasons: int = 4) -> None:
    """Writes matches.csv, tables.csv and, with an order of criteria, rules.json."""
    chance = random.Random(seed)
    matches: list[Match] = []
    lines: list[dict[str, Any]] = []
    for year in range(2101, 2101 + seasons):
        season = f"{year}-{(year + 1) % 100:02d}"
        played = [{"season": season, **match} for match in _season(chance, date(year, 8, 20))]
        fined = {chance.choice(TEAMS): 3} if chance.random() < 0.5 else {}
        matches += played
        lines += [{"season": season, **line} for line in _table(played, fined, order or ORDER)]
    _write(folder / "matches.csv", matches)
    _write(folder / "tables.csv", lines)
    if order is not None:
        (folder / "rules.json").write_text(json.dumps({"laliga": {"order": order, "note": "invented"}}))


def _season(chance: random.Random, first: date) -> list[Match]:
    pairs = list(itertools.permutations(TEAMS, 2))
    chance.shuffle(pairs)
    goals = [0, 0, 0, 1, 2]
    return [
        {
            "round": at // 3 + 1,
            "date": (first + timedelta(days=7 * (at // 3))).isoformat(),
            "home": home,
            "away": away,
            "home_goals": chance.choice(goals),
            "away_goals": chance.choice(goals),
        }
        for at, (home, away) in enumerate(pairs)
    ]


def _table(matches: list[Match], fined: dict[str, int], order: list[str]) -> list[dict[str, Any]]:
    totals = {team: _totals(team, matches) for team in TEAMS}
    for team, points in fined.items():
        totals[team]["points"] -= points
    between = {}
    for team, own in totals.items():
        level = [other for other in TEAMS if totals[other]["points"] == own["points"]]
        inside = [match for match in matches if match["home"] in level and match["away"] in level]
        between[team] = _totals(team, inside) if len(level) > 1 else Counter()

    def key(team: str) -> list[int]:
        return [-_criterion(words, totals[team], between[team]) for words in order]

    ordered = sorted(TEAMS, key=lambda team: (key(team), team))
    return [_line(at, team, totals[team], between[team], fined.get(team, 0)) for at, team in enumerate(ordered, 1)]


def _criterion(words: str, own: Numbers, inside: Numbers) -> int:
    numbers = inside if "matches" in words else own
    return numbers["points"] if words.startswith("points") else numbers["gd" if "difference" in words else "gf"]


def _totals(team: str, matches: list[Match]) -> Counter[str]:
    found: Counter[str] = Counter()
    for match in matches:
        if team in (match["home"], match["away"]):
            ours, theirs = match["home_goals"], match["away_goals"]
            if team == match["away"]:
                ours, theirs = theirs, ours
            result = "won" if ours > theirs else "drawn" if ours == theirs else "lost"
            points = {"won": 3, "drawn": 1, "lost": 0}[result]
            found.update({"played": 1, result: 1, "points": points, "gf": ours, "ga": theirs, "gd": ours - theirs})
    return found


def _line(position: int, team: str, own: Numbers, inside: Numbers, fine: int) -> dict[str, Any]:
    printed = bool(inside)
    return {
        "position": position,
        "team": team,
        **{name: own[name] for name in ("played", "won", "drawn", "lost")},
        "goals_for": own["gf"],
        "goals_against": own["ga"],
        "points": own["points"],
        "deduction": -fine if fine else "",
        "h2h_played": inside["played"] if printed else "",
        "h2h_points": inside["points"] if printed else "",
        "h2h_goal_difference": inside["gd"] if printed else "",
    }


def _write(path: Path, lines: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
