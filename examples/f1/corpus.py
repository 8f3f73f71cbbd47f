"""Reads a folder of Formula 1 seasons: results, rules, what officials decided. Knows no events and no rulesets."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

FINAL = "final"
Line = dict[str, str]
"""A row of one of the CSV files, by column name."""


@dataclass(frozen=True)
class Session:
    """One race or sprint: its rows in the order of the source."""

    round: int
    race: str
    kind: str
    date: date
    lines: list[Line]


@dataclass(frozen=True)
class Decision:
    """A line of adjustments.csv. `kind` is points or begins with excluded; `effective` is a round's number or final."""

    scope: str
    effective: str
    entity: str
    kind: str
    value: Decimal
    reason: str


@dataclass(frozen=True)
class Season:
    """Everything that one season's events and ruleset are made of."""

    year: int
    rules: dict[str, Any]
    sessions: list[Session] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    awarded: dict[tuple[str, ...], Decimal] = field(default_factory=dict)

    @property
    def game(self) -> str:
        """The game's name: one game a season."""
        return f"f1-{self.year}"

    @cached_property
    def rounds(self) -> list[int]:
        """The numbers of the rounds that were held, in order."""
        return sorted({session.round for session in self.sessions})

    def awarded_for(self, session: Session, line: Line) -> Decimal | None:
        """The points that officials wrote for a line in place of what the rules give."""
        return self.awarded.get(_key_of(session.round, session.race, session.kind, line))


def rows(path: Path) -> Iterator[Line]:
    """The rows of a CSV file with a header line; none when the folder has no such file."""
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)


def read_seasons(folder: Path) -> dict[int, Season]:
    """The seasons of a corpus folder that have both rules and results, by year."""
    rules = json.loads((folder / "rules.json").read_text(encoding="utf-8"))
    seasons = {int(year): Season(int(year), entry) for year, entry in rules.items()}
    grouped: dict[tuple[int, int, str], list[Line]] = {}
    for line in rows(folder / "races.csv"):
        grouped.setdefault((int(line["season"]), int(line["round"]), line["kind"]), []).append(line)
    # A sprint is held before the race of its round; where the source has no date for it, the race's is taken.
    for (year, number, kind), lines in sorted(grouped.items(), key=lambda item: (*item[0][:2], item[0][2] != "sprint")):
        if year in seasons:
            day = lines[0]["date"] or grouped[(year, number, "race")][0]["date"]
            session = Session(number, lines[0]["race"], kind, date.fromisoformat(day), lines)
            seasons[year].sessions.append(session)
    _read_decisions(folder, seasons)
    return {year: season for year, season in sorted(seasons.items()) if season.sessions}


def _read_decisions(folder: Path, seasons: dict[int, Season]) -> None:
    for line in rows(folder / "adjustments.csv"):
        season = seasons.get(int(line["season"]))
        if season is not None:
            value = Decimal(line["value"] or 0)
            season.decisions.append(
                Decision(line["scope"], line["effective_round"], line["entity"], line["kind"], value, line["reason"])
            )
    for line in rows(folder / "point_exceptions.csv"):
        season = seasons.get(int(line["season"]))
        if season is not None:
            key = _key_of(int(line["round"]), line["race"], line["kind"], line)
            season.awarded[key] = Decimal(line["points_awarded"] or 0)


def _key_of(number: int, race: str, kind: str, line: Line) -> tuple[str, ...]:
    return str(number), race, kind, line["position_text"], line["car_number"], line["driver_id"]
