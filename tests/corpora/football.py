"""The corpus of English league seasons: the final tables of every division."""

import re
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import Path

from examples.football_league.converter import FINAL, board_of, steps
from examples.football_league.corpus import Line, Season, read_seasons, rows
from examples.football_league.rulesets import criteria, ruleset
from tests.corpora.contest import Cell, Contest, Corpus, Official, Recipe, Step

RECORD = ("played", "won", "drawn", "lost", "goals_for", "goals_against")
"""The six numbers in which an exception says what was published and what the matches give."""

COLUMNS = (*RECORD, "points")
Excused = dict[Cell, Decimal | None]


def seasons(folder: Path) -> list[str]:
    """The seasons that the folder has matches of."""
    return list(read_seasons(folder))


def contests(folder: Path, chosen: list[str]) -> Iterator[tuple[str, Recipe]]:
    """The chosen seasons of the folder, in order."""
    published: dict[str, list[Line]] = {}
    for row in rows(folder / "tables.csv"):
        published.setdefault(row["season"], []).append(row)
    excused = _excused(folder)
    for name, season in read_seasons(folder).items():
        if name in chosen:
            yield name, partial(_contest, season, published.get(name, []), excused.get(name, {}))


def _contest(season: Season, published: list[Line], excused: Excused) -> Contest:
    by_division: dict[str, list[Line]] = {}
    for row in published:
        by_division.setdefault(row["division"], []).append(row)
    official = {
        (FINAL, board_of(division)): _officials(table, criteria(season, division))
        for division, table in by_division.items()
    }
    return Contest(
        season=season.name,
        game=season.game,
        ruleset=ruleset(season),
        steps=[Step(step.label, step.events) for step in steps(season)],
        official=official,
        excused=excused,
    )


def _officials(table: list[Line], order: list[str]) -> list[Official]:
    """The published lines. Any place among those who are level on all criteria is right: their order says nothing."""
    lines = []
    for row in table:
        level = [int(other["position"]) for other in table if _standing(other, order) == _standing(row, order)]
        values = {name: Decimal(row[name]) for name in COLUMNS}
        lines.append(Official(row["team"], min(level), values, last=max(level)))
    return lines


def _standing(row: Line, order: list[str]) -> list[Fraction | None]:
    """The criteria of a published line, from its published numbers."""
    goals, against = int(row["goals_for"]), int(row["goals_against"])
    numbers = {
        "points": Fraction(row["points"]),
        "points_per_game": _ratio(int(row["points"]), int(row["played"])),
        "goal_average": _ratio(goals, against),
        "goal_difference": Fraction(goals - against),
        "goals_for": Fraction(goals),
        "goals_against": Fraction(against),
        "won": Fraction(row["won"]),
    }
    return [numbers[criterion.partition(" ")[0]] for criterion in order]


def _ratio(number: int, divisor: int) -> Fraction | None:
    return Fraction(number, divisor) if divisor else None


def _excused(folder: Path) -> dict[str, Excused]:
    """The exceptions by season: a whole record, number by number, or one column."""
    found: dict[str, Excused] = {}
    for row in rows(folder / "published_exceptions.csv"):
        cells = found.setdefault(row["season"], {})
        computed = re.findall(r"-?\d+", row["computed"])
        if len(computed) == len(RECORD):
            fields = [*zip(RECORD, map(Decimal, computed), strict=True)]
        else:
            fields = [(row["field"], Decimal(computed[0]) if computed else None)]
        for name, value in fields:
            cells[Cell(board_of(row["division"]), FINAL, row["team"], name)] = value
    return found


CORPUS = Corpus(seasons, contests)
