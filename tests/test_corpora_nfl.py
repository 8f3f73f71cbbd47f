"""Seasons of American football: the judge on an invented one, and on real ones where RANKFOLD_CORPORA has them."""

import random
from datetime import date, timedelta
from pathlib import Path

import pytest

from engine.fold import fold, number
from examples.nfl.converter import FORECAST_RULES, events, read_games, ruleset
from schemas.codec import decode, encode
from schemas.events import Pick
from schemas.ruleset import parse
from tests.corpora.__main__ import main
from tests.corpora.real import real_corpus
from tests.given import Board

TEAMS = ("AAA", "BBB", "CCC", "DDD")
GAMES = "season,week,date,neutral,playoff,home,away,home_score,away_score,elo_prob_home"


def write(folder: Path, seed: int) -> None:
    """Two seasons with standings, in which ties are frequent, and one without."""
    chance = random.Random(seed)
    games, standings = [GAMES], ["season,team,wins,losses,points_for,points_against,made_playoffs,superbowl_winner"]
    for season in (2901, 2902, 2903):
        table = {team: [0, 0, 0, 0] for team in TEAMS}
        first = date(season, 9, 5)
        for week in range(1, 8):
            one, two, three, four = chance.sample(TEAMS, 4)
            for home, away in ((one, two), (three, four)):
                scores = chance.choice([3, 10]), chance.choice([3, 10, 17])
                day, neutral = first + timedelta(weeks=week), int(chance.random() < 0.2)
                playoff = int(week == 7)
                where = f"{'' if playoff else week},{day},{neutral},{playoff},{home},{away}"
                games.append(f"{season},{where},{scores[0]},{scores[1]},{chance.random()}")
                for team, mine, theirs in ((home, *scores), (away, *scores[::-1])) if not playoff else ():
                    gained = (mine > theirs, mine < theirs, mine, theirs)
                    table[team] = [number + more for number, more in zip(table[team], gained, strict=True)]
        if season != 2903:
            standings += [f"{season},{team},{','.join(map(str, numbers))},," for team, numbers in table.items()]
    (folder / "games.csv").write_text("\n".join(games) + "\n")
    (folder / "standings.csv").write_text("\n".join(standings) + "\n")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    write(tmp_path, seed=2)
    return tmp_path


@pytest.fixture
def real() -> Path:
    return real_corpus("nfl")


@pytest.mark.parametrize("seed", range(8))
def test_invented_seasons_are_reproduced(tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int) -> None:
    write(tmp_path, seed)
    assert main(["nfl", "--corpus", str(tmp_path)]) == 0, capsys.readouterr().out
    assert capsys.readouterr().out.splitlines()[-1] == "nfl: 3 seasons, 9 rows compared, 0 mismatches, 0 exceptions"


def test_a_win_that_was_none_changes_percentage_and_ties(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = corpus / "standings.csv"
    lines = path.read_text().splitlines()
    season, team, wins, *rest = lines[1].split(",")
    lines[1] = ",".join([season, team, str(int(wins) + 1), *rest])
    path.write_text("\n".join(lines) + "\n")
    assert main(["nfl", "--corpus", str(corpus)]) == 1
    out = capsys.readouterr().out
    for field in ("wins", "ties", "percentage"):
        assert f"{team}, {field}: official " in out


def test_a_folder_without_standings_is_an_error_not_a_pass(corpus: Path) -> None:
    (corpus / "standings.csv").unlink()
    assert main(["nfl", "--corpus", str(corpus)]) == 2


def test_events_and_rulesets_are_well_formed_and_repeatable(corpus: Path) -> None:
    for season, games in read_games(corpus).items():
        made = [encode(event) for event in events(f"nfl-{season}", games)]
        assert [encode(decode(body)) for body in made] == made
        assert len({decode(body).id for body in made}) == len(made) == 28
        assert parse(ruleset(f"nfl-{season}"), game=f"nfl-{season}").boards.keys() == {"standings"}


def test_forecasts_cost_the_square_of_their_error_in_tenths_and_playoffs_count_double() -> None:
    games = [
        {
            "date": f"2901-09-0{at}",
            "season": "2901",
            "playoff": playoff,
            "week": "",
            "neutral": "0",
            "home": "A",
            "away": "B",
        }
        | {"home_score": home, "away_score": "7", "elo_prob_home": probability}
        for at, (playoff, home, probability) in enumerate(
            [("0", "10", "0.645"), ("1", "10", "0.6499"), ("0", "7", "0.9"), ("0", "3", "1"), ("1", "0", "0.5")], 1
        )
    ]
    made = list(events("nfl-forecasts", games, forecasts=True))
    assert [event.choice for event in made if isinstance(event, Pick)] == ["0.65", "0.65", "0.90", "1.00", "0.50"]
    state = fold(parse(FORECAST_RULES.read_text()), number(made))
    assert state.rejections == []
    # 12.75 is rounded to 12.8, then doubled for the playoff game; the tie is skipped; -75; nothing for a half.
    assert Board(state, "forecasts", "all").lines == [(1, "elo", "-36.6", 1, "-36.60")]


def test_published_standings_are_reproduced(real: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nfl", "--corpus", str(real)]) == 0, capsys.readouterr().out


@pytest.mark.services
def test_invented_seasons_come_back_through_the_servers(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nfl", "--corpus", str(corpus), "--through", "streams"]) == 0, capsys.readouterr().out
    assert capsys.readouterr().out.splitlines()[-1].endswith("0 mismatches, 0 exceptions")
