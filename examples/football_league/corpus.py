"""Reads a folder of league seasons: matches, rules, deductions. Knows no events and no rulesets."""

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

Line = dict[str, str]
"""A row of one of the CSV files, by column name."""


@dataclass(frozen=True)
class Match:
    """One match as it was played. `round` is empty where the source has none."""

    division: str
    date: date
    round: str
    home: str
    away: str
    home_goals: int
    away_goals: int


@dataclass(frozen=True)
class Deduction:
    """Points that officials added, or took off when negative. Without a date at the season's end."""

    division: str
    team: str
    date: date | None
    points: int


@dataclass(frozen=True)
class Succession:
    """The club `heir` took over the record of `club`, which was expelled."""

    division: str
    club: str
    heir: str


@dataclass(frozen=True)
class Season:
    """Everything that one season's events and ruleset are made of. `name` is as 1888-89."""

    name: str
    rules: dict[str, Any]
    matches: list[Match] = field(default_factory=list)
    deductions: list[Deduction] = field(default_factory=list)
    successions: list[Succession] = field(default_factory=list)

    @property
    def game(self) -> str:
        """The game's name: one game a season."""
        return f"football-{self.name}"

    @property
    def year(self) -> int:
        """The year in which it began."""
        return int(self.name[:4])

    @cached_property
    def divisions(self) -> list[str]:
        """The divisions that played, the first one first."""
        return sorted({match.division for match in self.matches}, key=lambda name: (len(name), name))


def rows(path: Path) -> Iterator[Line]:
    """The rows of a CSV file with a header line; none when the folder has no such file."""
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)


def read_seasons(folder: Path) -> dict[str, Season]:
    """The seasons of a corpus folder that have matches, by name and in their order."""
    rules = json.loads((folder / "rules.json").read_text(encoding="utf-8"))
    seasons: dict[str, Season] = {}
    for line in rows(folder / "matches.csv"):
        season = seasons.setdefault(line["season"], Season(line["season"], rules))
        season.matches.append(_match(line))
    for line in rows(folder / "adjustments.csv"):
        if line["season"] in seasons:
            day = date.fromisoformat(line["date"]) if line["date"] else None
            deduction = Deduction(line["division"], line["team"], day, int(line["points"]))
            seasons[line["season"]].deductions.append(deduction)
    for name, succession in _successions(folder):
        if name in seasons and succession not in seasons[name].successions:
            seasons[name].successions.append(succession)
    return dict(sorted(seasons.items()))


def _match(line: Line) -> Match:
    goals = int(line["home_goals"]), int(line["away_goals"])
    day = date.fromisoformat(line["date"])
    return Match(line["division"], day, line["round"], line["home"], line["away"], *goals)


def _successions(folder: Path) -> Iterator[tuple[str, Succession]]:
    """Who took over whose record. The folder says so only in the reasons of the exceptions that follow from it."""
    for line in rows(folder / "published_exceptions.csv"):
        found = re.match(r"(?P<club>.+?) expelled after .*?, (?P<heir>.+?) took over its record", line["reason"])
        if found:
            yield line["season"], Succession(line["division"], found["club"], found["heir"])
