"""Reads a folder of seasons (games.csv, standings.csv) and turns each into events: a fixture and a result for every game."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from examples.f1.corpus import Line, rows
from schemas.events import AnyEvent, Attributes, Fixture, Result

RULES = Path(__file__).with_name("nfl.toml")
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


def events(game: str, games: Iterable[Line]) -> Iterator[AnyEvent]:
    """The games as events of the game `game`, in their order."""
    for line in games:
        day = datetime.fromisoformat(line["date"]).replace(hour=KICK_OFF_HOUR, tzinfo=UTC)
        fixture = f"{line['date']}/{line['home']}-{line['away']}"
        attributes: Attributes = {"season": int(line["season"]), "playoff": line["playoff"] != "0"}
        if line["neutral"] != "0":
            attributes["neutral"] = True
        yield Fixture(
            id=f"{game}:{fixture}",
            game=game,
            occurred_at=day,
            fixture=fixture,
            round=int(line["week"]) if line["week"] else line["date"],
            starts_at=day,
            sides=[line["home"], line["away"]],
            attributes=attributes,
        )
        yield Result(
            id=f"{game}:{fixture}:result",
            game=game,
            occurred_at=day + LENGTH,
            fixture=fixture,
            score=[int(line["home_score"]), int(line["away_score"])],
        )
