"""Small invented league seasons in the form of the corpus, with tables that a plain reading of the rules gives.

Few clubs and few goals, so that clubs are level on everything now and then.
"""

import csv
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path

CLUBS = ("Ashby", "Barton & Hove", "Corley", "Dunmore", "Elmswell", "Fenwick")
EXPELLED = "Gorton"
GONE_IN, HEIR = "2903-04", "Fenwick"
UNEVEN = "2904-05"
"""This season was not played to its end."""

RULES = {
    "points_per_win": {"2901-02..2901-02": 2, "2902-03..": 3},
    "points_per_draw": 1,
    "tie_break": [
        {"seasons": "2901-02", "order": ["points", "goal average = goals_for / goals_against (exact ratio)"]},
        {"seasons": "2902-03..", "order": ["points", "goal difference", "goals for"]},
        {
            "seasons": "2902-03..2903-04",
            "divisions": ["2"],
            "order": ["points", "goals for", "goals against (fewer)"],
        },
        {
            "seasons": UNEVEN,
            "order": ["points per game (exact ratio, after deductions)", "goal difference", "goals for"],
        },
    ],
}


@dataclass
class Record:
    """What a club's season comes to."""

    won: int = 0
    drawn: int = 0
    lost: int = 0
    scored: int = 0
    conceded: int = 0
    points: int = 0

    @property
    def played(self) -> int:
        return self.won + self.drawn + self.lost


def _goal_average(record: Record) -> Fraction:
    return Fraction(record.scored, record.conceded) if record.conceded else Fraction(10**9)


def _by_difference(record: Record) -> tuple[int, ...]:
    return record.points, record.scored - record.conceded, record.scored


Standing = Callable[[Record], tuple[Fraction | int, ...]]
ORDERS: dict[tuple[str, str], Standing] = {
    ("2901-02", "1"): lambda r: (r.points, _goal_average(r)),
    ("2901-02", "2"): lambda r: (r.points, _goal_average(r)),
    ("2902-03", "1"): _by_difference,
    ("2902-03", "2"): lambda r: (r.points, r.scored, -r.conceded),
    (GONE_IN, "1"): _by_difference,
    (GONE_IN, "2"): lambda r: (r.points, r.scored, -r.conceded),
    (UNEVEN, "1"): lambda r: (Fraction(r.points, r.played), r.scored - r.conceded, r.scored),
    (UNEVEN, "2"): lambda r: (Fraction(r.points, r.played), r.scored - r.conceded, r.scored),
}


def write(folder: Path, seed: int) -> None:
    """Writes rules.json, matches.csv, adjustments.csv, tables.csv and published_exceptions.csv."""
    chance = random.Random(seed)
    matches: list[list[object]] = []
    decided: list[list[object]] = []
    tables: list[list[object]] = []
    reasons: list[list[object]] = []
    for (season, division), standing in ORDERS.items():
        played = _matches(chance, season, division)
        matches += [[season, division, *match] for match in played]
        deductions = [[name, "", -chance.randint(1, 9)] for name in chance.sample(CLUBS[:5], chance.randint(0, 2))]
        decided += [[season, division, name, day, points] for name, day, points in deductions]
        records = _records(played, 2 if season == "2901-02" else 3)
        for name, _, points in deductions:
            records[str(name)].points += int(str(points))
        if EXPELLED in records:
            _take_over(records)
            reason = f"{EXPELLED} expelled after 2 matches, {HEIR} took over its record (add the two lines)"
            reasons.append([season, division, EXPELLED, "plays but not in the published table", "", "2 1", reason])
        tables += [[season, division, *line] for line in _table(chance, records, standing)]
    (folder / "rules.json").write_text(json.dumps(RULES))
    _write(folder / "matches.csv", "season,division,date,round,home,away,home_goals,away_goals", matches)
    _write(folder / "adjustments.csv", "season,division,team,date,points", decided)
    columns = "position,team,played,won,drawn,lost,goals_for,goals_against,points,deduction,published_name"
    _write(folder / "tables.csv", f"season,division,{columns}", tables)
    _write(folder / "published_exceptions.csv", "season,division,team,field,published,computed,reason", reasons)


def _matches(chance: random.Random, season: str, division: str) -> list[list[object]]:
    """(date, round, home, away, goals, goals) of a season in which everyone meets everyone twice."""
    clubs = [*CLUBS]
    pairs = [(home, away) for home in clubs for away in clubs if home != away]
    if (season, division) == (GONE_IN, "2"):
        # Two of the heir's matches were played by the club that it followed.
        pairs = [(EXPELLED if home == HEIR and away in CLUBS[:2] else home, away) for home, away in pairs]
    chance.shuffle(pairs)
    if season == UNEVEN:
        pairs = pairs[:-7]
    first = date(int(season[:4]), 8, 20)
    return [
        [first + timedelta(days=at // 3 * 7), "", home, away, chance.randrange(3), chance.randrange(3)]
        for at, (home, away) in enumerate(pairs)
    ]


def _records(matches: list[list[object]], win: int) -> dict[str, Record]:
    records: dict[str, Record] = {}
    for _, _, home, away, goals, against in matches:
        for name, scored, conceded in ((home, goals, against), (away, against, goals)):
            record = records.setdefault(str(name), Record())
            mine, theirs = int(str(scored)), int(str(conceded))
            record.scored += mine
            record.conceded += theirs
            record.won += mine > theirs
            record.drawn += mine == theirs
            record.lost += mine < theirs
            record.points += win * (mine > theirs) + (mine == theirs)
    return records


def _take_over(records: dict[str, Record]) -> None:
    gone, heir = records.pop(EXPELLED), records[HEIR]
    for name in vars(heir):
        setattr(heir, name, getattr(heir, name) + getattr(gone, name))


def _table(chance: random.Random, records: dict[str, Record], standing: Standing) -> list[list[object]]:
    """The published lines; who is level on everything is listed in whatever order."""
    names = sorted(records, key=lambda _: chance.random())
    names.sort(key=lambda name: standing(records[name]), reverse=True)
    lines: list[list[object]] = []
    for position, name in enumerate(names, 1):
        r = records[name]
        lines.append([position, name, r.played, r.won, r.drawn, r.lost, r.scored, r.conceded, r.points, "", ""])
    return lines


def _write(path: Path, header: str, lines: list[list[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header.split(","))
        writer.writerows(lines)
