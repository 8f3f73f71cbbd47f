"""Reads a folder of seasons (games.csv, standings.csv) and turns them into events: a fixture and a result for every game,
and where asked a forecast."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from examples.f1.corpus import Line, rows
from schemas.events import AnyEvent, Attributes, Fixture, Pick, Result

RULES = Path(__file__).with_name("nfl.toml")
FORECAST_RULES = Path(__file__).with_name("forecasts.toml")
FORECASTS = "nfl-forecasts"
FORECASTER = "elo"
KICK_OFF_HOUR = 18
LENGTH = timedelta(hours=3)


def game_of(season: str) -> str:
    """The game's name: one game a season."""
    return f"nfl-{season}"


def ruleset(game: str) -> str:
    """The rules, the same for every season."""
    return RULES.read_text(encoding="utf-8").replace('game = "nfl"', f'game = "{game}"', 1)


def read_games(folder: Path) -> dict[str, list[Line]]:
    """The games of each season, in the order of the days."""
    seasons: dict[str, list[Line]] = {}
    for line in rows(folder / "games.csv"):
        seasons.setdefault(line["season"], []).append(line)
    return {season: sorted(seasons[season], key=lambda line: line["date"]) for season in sorted(seasons)}


def regular(games: Iterable[Line]) -> Iterator[Line]:
    """The games that count for the standings."""
    return (line for line in games if line["playoff"] == "0")


def events(game: str, games: Iterable[Line], *, forecasts: bool = False) -> Iterator[AnyEvent]:
    """The games as events of the game `game`, in their order; with `forecasts` also what was forecast of each."""
    for line in games:
        day = datetime.fromisoformat(line["date"]).replace(hour=KICK_OFF_HOUR, tzinfo=UTC)
        fixture = f"{line['date']}/{line['home']}-{line['away']}"
        yield _fixture(game, line, fixture, day)
        if forecasts:
            pick_id = f"{game}:{fixture}:{FORECASTER}"
            yield Pick(
                id=pick_id, game=game, occurred_at=day, player=FORECASTER, fixture=fixture, choice=probability(line)
            )
        home, away = int(line["home_score"]), int(line["away_score"])
        yield Result(
            id=f"{game}:{fixture}:result",
            game=game,
            occurred_at=day + LENGTH,
            fixture=fixture,
            status="push" if forecasts and home == away else "final",
            score=[home, away],
            outcomes={"winner": ["home" if home > away else "away"]} if home != away else None,
        )


def probability(line: Line) -> str:
    """How probable it was said to be that the home team wins, rounded to hundredths."""
    return str(Decimal(line["elo_prob_home"]).quantize(Decimal("0.01"), ROUND_HALF_UP))


def _fixture(game: str, line: Line, fixture: str, day: datetime) -> Fixture:
    attributes: Attributes = {"season": int(line["season"]), "playoff": line["playoff"] != "0"}
    if line["neutral"] != "0":
        attributes["neutral"] = True
    return Fixture(
        id=f"{game}:{fixture}",
        game=game,
        occurred_at=day,
        fixture=fixture,
        round=int(line["week"]) if line["week"] else line["date"],
        starts_at=day,
        sides=[line["home"], line["away"]],
        attributes=attributes,
    )
