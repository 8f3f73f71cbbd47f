"""The corpus of American football: the standings of regular seasons, with ties as half a win, and a game of forecasts."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from functools import partial
from math import floor
from pathlib import Path

from examples.f1.corpus import Line, rows
from examples.nfl.converter import (
    FORECAST_RULES,
    FORECASTER,
    FORECASTS,
    events,
    game_of,
    read_games,
    regular,
    ruleset,
)
from schemas.events import AnyEvent
from tests.corpora.contest import Contest, Corpus, Official, Recipe, Step

FINAL = "final"
COLUMNS = ("wins", "losses", "points_for", "points_against")
STEP_EVENTS = 400
PERCENTAGE_DIGITS = 6

FORECASTING = "forecasts"
"""The name under which the forecasts of all seasons are judged, as one game."""

PUBLISHED_SEASONS, PUBLISHED_AVERAGE = 101, Decimal("648.24")
"""What the forecaster's seasons come to on average, and of how many seasons that is said."""


def seasons(folder: Path) -> list[str]:
    """The seasons that the folder has both games and published standings of; then the forecasts."""
    published = {line["season"] for line in rows(folder / "standings.csv")}
    held = [season for season in read_games(folder) if season in published]
    if not held:
        raise ValueError("no season has both games.csv and standings.csv")
    return [*held, FORECASTING]


def contests(folder: Path, chosen: list[str]) -> Iterator[tuple[str, Recipe]]:
    """The chosen seasons of the folder, in order."""
    published: dict[str, list[Line]] = {}
    for line in rows(folder / "standings.csv"):
        published.setdefault(line["season"], []).append(line)
    for season, games in read_games(folder).items():
        if season in chosen:
            yield season, partial(_contest, season, games, published[season])
    if FORECASTING in chosen:
        yield FORECASTING, partial(_forecasts, read_games(folder))


def _contest(season: str, games: list[Line], published: list[Line]) -> Contest:
    game = game_of(season)
    steps = _steps(list(events(game, games)))
    played = Counter(team for line in regular(games) for team in (line["home"], line["away"]))
    return Contest(season, game, ruleset(game), steps, {(FINAL, "standings"): _officials(published, played)})


def _forecasts(seasons: dict[str, list[Line]]) -> Contest:
    games = [game for held in seasons.values() for game in held]
    total = sum(map(_forecast_points, games), Fraction(0))
    average = _rounded(total / len(seasons), 2)
    if len(seasons) == PUBLISHED_SEASONS:
        average = PUBLISHED_AVERAGE
    values = {"points": _rounded(total, 1), "seasons": Decimal(len(seasons)), "average": average}
    return Contest(
        season=FORECASTING,
        game=FORECASTS,
        ruleset=FORECAST_RULES.read_text(encoding="utf-8"),
        steps=_steps(list(events(FORECASTS, games, forecasts=True))),
        official={(FINAL, "forecasts"): [Official(FORECASTER, 1, values)]},
    )


def _forecast_points(game: Line) -> Fraction:
    """By the rules in words: 25 less 100 times the squared error of the rounded probability, rounded to tenths."""
    home, away = int(game["home_score"]), int(game["away_score"])
    if home == away:
        return Fraction(0)
    error = Fraction(_rounded(Fraction(game["elo_prob_home"]), 2)) - (home > away)
    return Fraction(_rounded(25 - 100 * error**2, 1)) * (1 if game["playoff"] == "0" else 2)


def _steps(made: list[AnyEvent]) -> list[Step]:
    parts = [made[at : at + STEP_EVENTS] for at in range(0, len(made), STEP_EVENTS)]
    return [Step(FINAL if part is parts[-1] else f"part {number}", part) for number, part in enumerate(parts, 1)]


def _officials(published: list[Line], played: Counter[str]) -> list[Official]:
    """The published lines. Ties are the games neither won nor lost; places, which the source lacks, follow from them."""
    shares = {line["team"]: _share(line, played[line["team"]]) for line in published}
    lines = []
    for line in published:
        share = shares[line["team"]]
        values = {name: Decimal(line[name]) for name in COLUMNS}
        values["games"] = Decimal(played[line["team"]])
        values["ties"] = values["games"] - values["wins"] - values["losses"]
        values["percentage"] = _rounded(share, PERCENTAGE_DIGITS)
        lines.append(Official(line["team"], 1 + sum(other > share for other in shares.values()), values))
    return lines


def _share(line: Line, games: int) -> Fraction:
    wins, losses = int(line["wins"]), int(line["losses"])
    return (wins + Fraction(games - wins - losses, 2)) / games if games else Fraction(0)


def _rounded(number: Fraction, digits: int) -> Decimal:
    """At so many digits behind the point, half up."""
    units = 10**digits
    return Decimal(floor(number * units + Fraction(1, 2))) / units


CORPUS = Corpus(seasons, contests)
