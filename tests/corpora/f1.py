"""The Formula 1 corpus: drivers' and constructors' tables after every round, and at the season's end."""

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path

from examples.f1.converter import BOARDS, constructor_of, steps
from examples.f1.corpus import Line, Season, read_seasons, rows
from examples.f1.rulesets import ruleset
from tests.corpora.contest import Cell, Contest, Corpus, Official, Recipe, Step

FILES = {"driver": "driver_standings.csv", "constructor": "constructor_standings.csv"}
KEEPS_POINTS = "excluded_keeps_points"


Tables = dict[tuple[str, str], list[Official]]
Excused = dict[Cell, Decimal | None]


def seasons(folder: Path) -> list[str]:
    """The seasons that the folder has results and rules of."""
    return [str(year) for year in read_seasons(folder)]


def contests(folder: Path, chosen: list[str]) -> Iterator[tuple[str, Recipe]]:
    """The chosen seasons of the folder, in order."""
    read = read_seasons(folder)
    official = _official(folder, read)
    excused = _excused(folder)
    for year, season in read.items():
        if str(year) in chosen:
            yield str(year), partial(_contest, season, official.get(year, {}), excused.get(year, {}))


def _contest(season: Season, official: Tables, excused: Excused) -> Contest:
    return Contest(
        season=str(season.year),
        game=season.game,
        ruleset=ruleset(season),
        steps=[Step(step.label, step.events) for step in steps(season)],
        official=official,
        excused=excused,
    )


def _official(folder: Path, read: dict[int, Season]) -> dict[int, Tables]:
    found: dict[int, Tables] = {}
    for scope, name in FILES.items():
        for row in rows(folder / name):
            year = int(row["season"])
            if year in read:
                tables = found.setdefault(year, {})
                tables.setdefault((row["round"], BOARDS[scope]), []).append(_line(scope, row, read[year]))
    return found


def _line(scope: str, row: Line, season: Season) -> Official:
    entrant = row["driver_id"] if scope == "driver" else constructor_of(row)
    if row["position"]:
        return Official(entrant, int(row["position"]), {"points": Decimal(row["points"])})
    # Who is excluded is shown with 0 points, unless the decision left him his own.
    kept = any(decision.entity == entrant and decision.kind == KEEPS_POINTS for decision in season.decisions)
    return Official(entrant, None, {"points": Decimal(row["points"])} if kept else {})


def _excused(folder: Path) -> dict[int, Excused]:
    found: dict[int, Excused] = {}
    for row in rows(folder / "published_exceptions.csv"):
        cell = Cell(BOARDS[row["board"]], row["round"], row["entity"], row["field"])
        computed = re.match(r"-?\d+(\.\d+)?", row["computed"])
        found.setdefault(int(row["season"]), {})[cell] = Decimal(computed[0]) if computed else None
    return found


CORPUS = Corpus(seasons, contests)
