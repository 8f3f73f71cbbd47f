"""The corpus of American football: the standings of regular seasons, with ties as half a win."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import Path

from examples.f1.corpus import Line, rows
from examples.nfl.converter import events, game_of, read_games, regular, ruleset
from tests.corpora.contest import Contest, Corpus, Official, Recipe, Step

FINAL = "final"
COLUMNS = ("wins", "losses", "points_for", "points_against")
STEP_EVENTS = 400
PERCENTAGE_DIGITS = 6


def seasons(folder: Path) -> list[str]:
    """The seasons that the folder has both games and published standings of."""
    published = {line["season"] for line in rows(folder / "standings.csv")}
    held = [season for season in read_games(folder) if season in published]
    if not held:
        raise ValueError("no season has both games.csv and standings.csv")
    return held


def contests(folder: Path, chosen: list[str]) -> Iterator[tuple[str, Recipe]]:
    """The chosen seasons of the folder, in order."""
    published: dict[str, list[Line]] = {}
    for line in rows(folder / "standings.csv"):
        published.setdefault(line["season"], []).append(line)
    for season, games in read_games(folder).items():
        if season in chosen:
            yield season, partial(_contest, season, games, published[season])


def _contest(season: str, games: list[Line], published: list[Line]) -> Contest:
    game = game_of(season)
    made = list(events(game, games))
    parts = [made[at : at + STEP_EVENTS] for at in range(0, len(made), STEP_EVENTS)]
    steps = [Step(FINAL if part is parts[-1] else f"part {number}", part) for number, part in enumerate(parts, 1)]
    played = Counter(team for line in regular(games) for team in (line["home"], line["away"]))
    return Contest(season, game, ruleset(game), steps, {(FINAL, "standings"): _officials(published, played)})


def _officials(published: list[Line], played: Counter[str]) -> list[Official]:
    """The published lines. Ties are the games neither won nor lost; places, which the source lacks, follow from them."""
    shares = {line["team"]: _share(line, played[line["team"]]) for line in published}
    lines = []
    for line in published:
        share = shares[line["team"]]
        values = {name: Decimal(line[name]) for name in COLUMNS}
        values["games"] = Decimal(played[line["team"]])
        values["ties"] = values["games"] - values["wins"] - values["losses"]
        values["percentage"] = _rounded(share)
        lines.append(Official(line["team"], 1 + sum(other > share for other in shares.values()), values))
    return lines


def _share(line: Line, games: int) -> Fraction:
    wins, losses = int(line["wins"]), int(line["losses"])
    return (wins + Fraction(games - wins - losses, 2)) / games if games else Fraction(0)


def _rounded(share: Fraction) -> Decimal:
    """At as many digits as the board shows, half up."""
    units = 10**PERCENTAGE_DIGITS
    return Decimal(int(share * units + Fraction(1, 2))) / units


CORPUS = Corpus(seasons, contests)
