"""Seasons decided head-to-head: final tables, and the small tables of those with equal points where they were printed."""

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path

from examples.f1.corpus import Line
from examples.football_league.laliga import Season, events, read_seasons, ruleset
from tests.corpora.contest import Cell, Contest, Corpus, Official, Recipe, Step

FINAL = "final"
COLUMNS = ("played", "won", "drawn", "lost", "goals_for", "goals_against", "points")
MINI = {"h2h_played": "played", "h2h_points": "points", "h2h_goal_difference": "goal_difference"}
SHOWN = {column: f"head_to_head.{metric}" for column, metric in MINI.items()}
BETWEEN = """
# Shows the matches between those with equal points; the order of this board is not judged.
[boards.between]
rank_by = ["points desc", { head_to_head = ["played desc", "points desc", "goal_difference desc"] }]
[boards.between.metrics]
played = { op = "count" }
goals_for = { op = "sum", of = "scored" }
goals_against = { op = "sum", of = "conceded" }
goal_difference = { op = "difference", of = "goals_for", by = "goals_against" }
points = { op = "sum", of = "points" }
"""


def seasons(folder: Path) -> list[str]:
    """The seasons that the folder has matches of."""
    return list(read_seasons(folder))


def contests(folder: Path, chosen: list[str]) -> Iterator[tuple[str, Recipe]]:
    """The chosen seasons of the folder, in order."""
    for name, season in read_seasons(folder).items():
        if name in chosen:
            yield name, partial(_contest, season)


def _contest(season: Season) -> Contest:
    if not season.lines:
        raise ValueError("the corpus has no published table of this season")
    rules = ruleset(season)
    # Teams whose lines are alike in all that decides share a place: they are printed in whatever order.
    decides = ("points", "goals_for", "goals_against", *(MINI if "head_to_head" in rules else ()))
    return Contest(
        season=season.name,
        game=season.game,
        ruleset=rules + BETWEEN,
        steps=[Step(FINAL, list(events(season)))],
        official={
            (FINAL, "table"): list(_table(season.lines, decides)),
            (FINAL, "between"): [_between(line, len(season.lines)) for line in season.lines],
        },
        excused=dict(_excused(season)),
    )


def _table(lines: list[Line], decides: tuple[str, ...]) -> Iterator[Official]:
    blocks: dict[tuple[str, ...], list[int]] = {}
    for line in lines:
        blocks.setdefault(_alike(line, decides), []).append(int(line["position"]))
    for line in lines:
        values = {column: Decimal(line[column]) for column in COLUMNS if line.get(column)}
        block = blocks[_alike(line, decides)]
        yield Official(line["team"], min(block), values, max(block))


def _alike(line: Line, decides: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(line.get(column, "") for column in decides)


def _between(line: Line, teams: int) -> Official:
    return Official(
        line["team"], 1, {name: Decimal(line[column]) for column, name in SHOWN.items() if line.get(column)}, teams
    )


def _excused(season: Season) -> Iterator[tuple[Cell, Decimal | None]]:
    """The cells of which the folder itself says something else: in its exceptions, or by the matches that it lists.

    Only the small tables are counted again here; what they decided, the places, has no such excuse.
    """
    for row in season.exceptions:
        computed = re.match(r"-?\d+(\.\d+)?$", row["computed"])
        board, name = ("between", SHOWN[row["field"]]) if row["field"] in SHOWN else ("table", row["field"])
        yield Cell(board, FINAL, row["team"], name), Decimal(row["computed"]) if computed else None
    for line in season.lines:
        level = {other["team"] for other in season.lines if other["points"] == line["points"]}
        for column, count in _count(season, line["team"], level).items():
            if line.get(column) and int(line[column]) != count:
                yield Cell("between", FINAL, line["team"], SHOWN[column]), Decimal(count)


def _count(season: Season, team: str, level: set[str]) -> dict[str, int]:
    """A team's line in the small table of those who are level with it, counted match by match."""
    played = points = difference = 0
    for match in season.matches:
        goals = {match["home"]: int(match["home_goals"]), match["away"]: int(match["away_goals"])}
        if team in goals and goals.keys() <= level:
            lead = goals[team] - sum(number for side, number in goals.items() if side != team)
            played, difference = played + 1, difference + lead
            points += 3 if lead > 0 else int(lead == 0)
    return {"h2h_played": played, "h2h_points": points, "h2h_goal_difference": difference}


CORPUS = Corpus(seasons, contests)
