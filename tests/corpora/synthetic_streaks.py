"""Invented histories and their record streaks, worked out here without the engine: plain loops over lists of results."""

import csv
import random
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

Row = dict[str, Any]
Played = tuple[date, Row, int, int]
"""(day, row, own score, the other's)."""

TEAMS = ["Ayton", "Beeford United", 'Ceston "Rovers"', "Deeham", "Éfield", "Foxley"]
DRIVERS = ["ann-arrow", "bob-bolt", "cas-comet", "dan-dash"]
KNOWN = ("corpus", "entity", "streak", "published", "computed", "first", "last")
KINDS: dict[str, Callable[[int, int], bool]] = {
    "consecutive wins": lambda own, other: own > other,
    "matches unbeaten": lambda own, other: own >= other,
    "losing streak": lambda own, other: own < other,
    "winless games": lambda own, other: own <= other,
    "clean sheets in a row": lambda own, other: other == 0,
}


def write(folder: Path, seed: int) -> Path:
    """Writes three corpora and the records of their entrants side by side; returns the folder of the records."""
    chance = random.Random(seed)
    known = [
        *_football(folder / "football", chance),
        *_gridiron(folder / "nfl", chance),
        *_racing(folder / "f1", chance),
    ]
    _write(folder / "streaks" / "known.csv", known)
    return folder / "streaks"


def record(corpus: str, entity: str, streak: str, length: int, first: str, last: str) -> Row:
    """A line of known.csv."""
    return dict(zip(KNOWN, (corpus, entity, streak, length, length, first, last), strict=True))


def _football(folder: Path, chance: random.Random) -> list[Row]:
    matches = []
    day = date(1890, 9, 1)
    for year in (1890, 1891, 1893):
        day = max(day, date(year, 9, 1))
        for _ in range(60):
            home, away = chance.sample(TEAMS, 2)
            day += timedelta(days=chance.randint(1, 4))
            # The better ones win more often, so that there are streaks.
            strength = TEAMS.index(away) - TEAMS.index(home)
            goals = [max(0, chance.randint(0, 3) + side * strength // 2) for side in (1, -1)]
            row = {"season": f"{year}-{(year + 1) % 100}", "division": chance.choice("112"), "date": day, "round": ""}
            matches.append(row | {"home": home, "away": away, "home_goals": goals[0], "away_goals": goals[1]})
    known = []
    for kind, adds in KINDS.items():
        for team in chance.sample(TEAMS, 3):
            played = _played(matches, team, "goals")
            known += _known("football", team, kind, played, adds)
            known += _known(
                "football", team, f"top flight, {kind}", [p for p in played if p[1]["division"] == "1"], adds
            )
            at_home = [match for match in played if match[1]["home"] == team]
            known += _known("football", team, f"home {kind}", at_home, adds)
            first = [match for match in played if match[1]["season"] == played[0][1]["season"]]
            known += _known("football", team, f"{kind} from the first season", first, adds)
    chance.shuffle(matches)
    _write(folder / "matches.csv", matches)
    return known


def _gridiron(folder: Path, chance: random.Random) -> list[Row]:
    games = []
    for season in (1921, 1922):
        for week in range(30):
            home, away = chance.sample(["AAA", "BBB", "CCC"], 2)
            row = {"season": season, "week": "", "date": date(season, 9, 1) + timedelta(days=week), "neutral": week % 2}
            scores = [chance.choice([0, 7, 7, 14]), chance.choice([0, 7])]
            row |= {"playoff": int(week > 25), "home": home, "away": away, "elo_prob_home": "0.5"}
            games.append(row | {"home_score": scores[0], "away_score": scores[1]})
    _write(folder / "games.csv", games)
    known = []
    for team in ("AAA", "BBB", "CCC"):
        played = _played(games, team, "score")
        regular = [match for match in played if not match[1]["playoff"]]
        known += _known("nfl", team, "consecutive wins", played, KINDS["consecutive wins"])
        known += _known("nfl", team, "consecutive regular-season wins", regular, KINDS["consecutive wins"])
    return known


def _racing(folder: Path, chance: random.Random) -> list[Row]:
    lines, won = [], {driver: [] for driver in DRIVERS}  # type: dict[str, list[tuple[str, bool, bool]]]
    for season in (1951, 1952, 1954):
        for number in range(1, 16):
            race = f"{season} place-{number}"
            entered = [driver for driver in DRIVERS if chance.random() < 0.8] or DRIVERS
            order = sorted(entered, key=lambda driver: chance.random() * (1 + 2 * DRIVERS.index(driver)))
            for position, driver in enumerate(order, 1):
                started = position == 1 or chance.random() < 0.9
                place = position if started else ""
                line = {"season": season, "round": number, "date": date(season, 3, number), "race": f"place-{number}"}
                line |= {"kind": "race", "result_order": position, "position": place, "grid": "", "laps": ""}
                line |= {"position_text": position if started else "DNS", "car_number": "", "shared_car": "false"}
                line |= {"driver_id": driver, "constructor_id": "works", "engine_id": "works", "fastest_lap": "false"}
                lines.append(line | {"reason_retired": "", "points": 9 if place == 1 else 0})
                if started:
                    won[driver].append((race, position == 1, position <= 3))
            # A sprint is no race.
            lines.append(lines[-1] | {"kind": "sprint", "position": 1, "position_text": 1})
    _write(folder / "races.csv", lines)
    known = []
    for driver, races in won.items():
        for streak, at in (("consecutive race wins", 1), ("podiums in a row", 2)):
            length, first, last = _longest([(race[0], race[at]) for race in races])
            known += [record("f1", driver, streak, length, first, last)] if length else []
    return known


def _played(matches: list[Row], team: str, score: str) -> list[Played]:
    found = []
    for row in matches:
        home, away = row[f"home_{score}"], row[f"away_{score}"]
        if row["home"] == team:
            found.append((row["date"], row, home, away))
        elif row["away"] == team:
            found.append((row["date"], row, away, home))
    return found


def _known(corpus: str, team: str, streak: str, played: list[Played], adds: Callable[[int, int], bool]) -> list[Row]:
    length, first, last = _longest([(day.isoformat(), adds(own, other)) for day, _, own, other in played])
    return [record(corpus, team, streak, length, first, last)] if length else []


def _longest(results: list[tuple[str, bool]]) -> tuple[int, str, str]:
    """The longest row of True, and where it begins and ends: every stretch is looked at."""
    best = (0, "", "")
    for start in range(len(results)):
        for end in range(start, len(results)):
            if not results[end][1]:
                break
            if end - start + 1 > best[0]:
                best = (end - start + 1, results[start][0], results[end][0])
    return best


def _write(path: Path, lines: list[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
