"""The standings of a season, counted and sorted: python examples/football_league/standings.py season.jsonl

A second opinion that shares nothing with the engine: plain dicts, `sorted`, and the rules as README.md words them.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")
Line = dict[str, Any]
Key = tuple[int, ...]


class Log:
    """What the log says in the end: fixtures as they were last planned, results as they were last corrected."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.fixtures: dict[str, Line] = {}
        self.results: dict[str, Line] = {}
        self.picks: dict[str, dict[str, str]] = defaultdict(dict)
        self.visits: dict[str, list[date]] = defaultdict(list)
        self.added: dict[str, int] = defaultdict(int)
        self.banned: set[str] = set()
        self.today = date.min
        for line in lines:
            self.take(json.loads(line))

    def take(self, event: Line) -> None:
        """One event, in the order of the log."""
        kind = event["type"]
        self.today = datetime.fromisoformat(event["occurred_at"]).astimezone(LONDON).date()
        if kind == "fixture":
            self.fixtures[event["fixture"]] = event
        elif kind == "result" and event.get("revision", 1) >= self.results.get(event["fixture"], {}).get("revision", 1):
            self.results[event["fixture"]] = event
        elif kind == "pick":
            in_time = event["occurred_at"] < self.fixtures[event["fixture"]]["starts_at"]
            if in_time and event["player"] not in self.banned:
                self.picks[event["fixture"]][event["player"]] = event["choice"]
        elif kind == "score":
            self.visits[event["player"]].append(self.today)
        elif kind == "adjustment":
            self.added[event["player"]] += event["values"]["points"]
        elif kind == "player":
            self.banned.add(event["player"])

    def played(self) -> list[tuple[Line, int, int]]:
        """(fixture, goals of the home side, goals of the away side) in the order of the kick-offs."""
        final = [game for game, result in self.results.items() if result.get("status", "final") == "final"]
        final.sort(key=lambda game: (self.fixtures[game]["starts_at"], game))
        return [(self.fixtures[game], *self.results[game]["score"]) for game in final]


def table(log: Log) -> list[Line]:
    """The table: points, then the matches among those level on points, then all matches."""
    sides = [side for match in log.played() for side in _sides(*match)]
    clubs = {side["club"] for side in sides}
    own = {club: _club([side for side in sides if side["club"] == club]) for club in clubs}
    for club, points in log.added.items():
        own[club]["points"] += points
    keys: dict[str, Key] = {}
    for club, line in own.items():
        level = {other for other in clubs if own[other]["points"] == line["points"]}
        among = _club([side for side in sides if side["club"] == club and side["opponent"] in level])
        small = (among["points"], among["difference"]) if len(level) > 1 else (None, None)
        line["head_to_head.points"], line["head_to_head.difference"] = small
        keys[club] = (line["points"], small[0] or 0, small[1] or 0, line["difference"], line["scored"])
    return _ranked(own, keys.__getitem__)


def half(log: Log, venue: str) -> list[Line]:
    """The table of the home or of the away matches."""
    sides = [side for match in log.played() for side in _sides(*match) if side["venue"] == venue]
    own = {club: _club([side for side in sides if side["club"] == club]) for club in {side["club"] for side in sides}}
    shown = ("played", "scored", "conceded", "difference", "points")
    lines = {club: {name: line[name] for name in shown} for club, line in own.items()}
    return _ranked(lines, lambda club: (own[club]["points"], own[club]["difference"], own[club]["scored"]))


def _sides(fixture: Line, home: int, away: int) -> list[Line]:
    one, other = fixture["sides"]
    return [
        {"club": one, "opponent": other, "venue": "home", "scored": home, "conceded": away},
        {"club": other, "opponent": one, "venue": "away", "scored": away, "conceded": home},
    ]


def _club(sides: list[Line]) -> Line:
    letters = "".join("LDW"[1 + (s["scored"] > s["conceded"]) - (s["scored"] < s["conceded"])] for s in sides)
    scored, conceded = sum(side["scored"] for side in sides), sum(side["conceded"] for side in sides)
    return {
        "played": len(letters),
        "won": letters.count("W"),
        "drawn": letters.count("D"),
        "lost": letters.count("L"),
        "scored": scored,
        "conceded": conceded,
        "difference": scored - conceded,
        "points": 3 * letters.count("W") + letters.count("D"),
        "unbeaten": len(letters) - 1 - letters.rfind("L"),
        "form": letters[-5:],
    }


def predictions(log: Log, number: int | None = None) -> list[Line]:
    """The predictions of the season or of one round: 4 for the score, 3 for the difference, 2 for the tendency."""
    worth: dict[str, list[int]] = defaultdict(list)
    for fixture, home, away in log.played():
        if number is None or fixture["round"] == number:
            for fan, choice in log.picks[fixture["fixture"]].items():
                worth[fan].append(_worth(choice, home, away))
    lines = {}
    for fan, points in worth.items():
        runs = "".join("W" if number else "L" for number in points).split("L")
        lines[fan] = {
            "points": sum(points),
            "exact": points.count(4),
            "right": len(points) - points.count(0),
            "made": len(points),
            "streak": len(runs[-1]),
            "longest": max(map(len, runs)),
        }
    shown = {fan: line for fan, line in lines.items() if fan not in log.banned}
    return _ranked(shown, lambda fan: (lines[fan]["points"], lines[fan]["exact"]))


def _worth(choice: str, home: int, away: int) -> int:
    ours, theirs = map(int, choice.split("-"))
    if (ours, theirs) == (home, away):
        return 4
    if ours - theirs == home - away:
        return 3
    return 2 * ((ours > theirs) - (ours < theirs) == (home > away) - (home < away))


def regulars(log: Log) -> list[Line]:
    """Who came how many days in a row; a run that did not reach yesterday is over."""
    lines = {}
    for fan, visits in log.visits.items():
        days = sorted(set(visits))
        run = longest = 0
        for at, day in enumerate(days):
            run = run + 1 if at and day == days[at - 1] + timedelta(days=1) else 1
            longest = max(longest, run)
        over = days[-1] < log.today - timedelta(days=1)
        lines[fan] = {"streak": 0 if over else run, "longest": longest, "visits": len(visits)}
    shown = {fan: line for fan, line in lines.items() if fan not in log.banned}
    return _ranked(shown, lambda fan: tuple(shown[fan].values()))


def badges(lines: Iterable[str]) -> set[tuple[str, str]]:
    """(fan, badge) of all that were earned at any time, whatever was corrected later."""
    log, earned = Log([]), set()
    for text in lines:
        event = json.loads(text)
        log.take(event)
        if event["type"] == "result":
            earned |= {(line["player"], "oracle") for line in predictions(log) if line["exact"] >= 5}
            earned |= {(line["player"], "on-fire") for line in predictions(log) if line["longest"] >= 5}
        elif event["type"] == "score":
            earned |= {(line["player"], "week") for line in regulars(log) if line["longest"] >= 7}
    return earned


def _ranked(lines: dict[str, Line], key: Callable[[str], Key]) -> list[Line]:
    """The lines in order, the highest key first; who is level shares a rank."""
    ordered = sorted(lines, key=lambda name: ([-number for number in key(name)], name))
    return [
        {"rank": 1 + sum(key(other) > key(name) for other in lines), "player": name, **lines[name]} for name in ordered
    ]


if __name__ == "__main__":
    log = Log(Path(sys.argv[1]).read_text("utf-8").splitlines())
    for board in (table(log), half(log, "home"), half(log, "away"), predictions(log), regulars(log)):
        print(*board[0], sep="\t")
        for line in board:
            print(*line.values(), sep="\t")
        print()
