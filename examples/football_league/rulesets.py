"""A season's rules in rules.json as a ruleset (TOML). No season is named here: every difference stands in that file."""

from typing import Any

from examples.football_league.converter import board_of
from examples.football_league.corpus import Season

HEAD = """\
# Made of rules.json by examples/football_league/rulesets.py.
game = "{game}"
title = "Football League, {name}"
time_zone = "Europe/London"

[metrics.points]
[metrics.scored]
[metrics.conceded]

[sources.officials]
origin = "adjustment"
"""

DIVISION = """
[sources.{board}]
origin = "table"
where = {{ division = "{division}" }}
win = {win}
draw = {draw}
scored = "scored"
conceded = "conceded"

[boards.{board}]
title = "Division {division}"
sources = ["{board}", "officials"]
rank_by = [{rank_by}]
qualify = {{ played = {{ min = 1 }} }}

[boards.{board}.metrics]
played = {{ op = "count" }}
won = {{ op = "count", where = {{ verdict = "win" }} }}
drawn = {{ op = "count", where = {{ verdict = "draw" }} }}
lost = {{ op = "count", where = {{ verdict = "loss" }} }}
goals_for = {{ op = "sum", of = "scored" }}
goals_against = {{ op = "sum", of = "conceded" }}
goal_difference = {{ op = "difference", of = "goals_for", by = "goals_against" }}
goal_average = {{ op = "ratio", of = "goals_for", by = "goals_against", scale = 9 }}
points = {{ op = "sum", of = "points" }}
points_per_game = {{ op = "ratio", of = "points", by = "played", scale = 9 }}
form = {{ op = "form" }}
"""

CRITERIA = {
    "points": "points desc",
    "points per game": "points_per_game desc",
    "goal average": "goal_average desc",
    "goal difference": "goal_difference desc",
    "goals for": "goals_for desc",
    "goals against": "goals_against asc",
    "wins": "won desc",
}
"""What rules.json may order by, and the criterion of the board. Goals against: the fewer, the better."""


def ruleset(season: Season) -> str:
    """The ruleset of a season's game as TOML; raises ValueError for a rule in words that are not known here."""
    parts = [HEAD.format(game=season.game, name=season.name)]
    win, draw = _points(season, "points_per_win"), _points(season, "points_per_draw")
    for division in season.divisions:
        rank_by = ", ".join(f'"{criterion}"' for criterion in criteria(season, division))
        parts.append(DIVISION.format(board=board_of(division), division=division, win=win, draw=draw, rank_by=rank_by))
    return "".join(parts)


def criteria(season: Season, division: str) -> list[str]:
    """The criteria that a division's table is ordered by. Of the entries that hold, the last one goes first."""
    found: list[str] = []
    for entry in season.rules["tie_break"]:
        if within(season, entry["seasons"]) and division in entry.get("divisions", [division]):
            found = entry["order"]
    if not found:
        raise ValueError(f"{season.name}: no tie_break holds for division {division}")
    return [_criterion(words) for words in found]


def _criterion(words: str) -> str:
    name = words.partition("=")[0].partition("(")[0].strip().lower()
    if name not in CRITERIA:
        raise ValueError(f"tie_break in unknown words: {words!r}; known: {', '.join(CRITERIA)}")
    return CRITERIA[name]


def _points(season: Season, key: str) -> int:
    """A number that holds for all seasons, or one for each range of them."""
    value: Any = season.rules[key]
    if isinstance(value, int):
        return value
    for span, points in value.items():
        if within(season, span):
            return int(points)
    raise ValueError(f"{season.name}: no {key} holds")


def within(season: Season, span: str) -> bool:
    """Whether a span such as 1888-89..1980-81, 1981-82.. or 2019-20 holds the season."""
    first, dots, last = span.partition("..")
    if not dots:
        return season.name == first
    return (not first or int(first[:4]) <= season.year) and (not last or season.year <= int(last[:4]))
