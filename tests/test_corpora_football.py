"""League seasons: the judge on invented ones, and the engine on real ones where RANKFOLD_CORPORA tells where they are."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from examples.football_league.converter import events
from examples.football_league.corpus import Line, Season, read_seasons
from examples.football_league.rulesets import criteria, ruleset, within
from schemas.codec import decode, encode
from schemas.ruleset import parse
from tests.corpora import synthetic_football
from tests.corpora.__main__ import main, select
from tests.corpora.real import real_corpus


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    synthetic_football.write(tmp_path, seed=5)
    return tmp_path


@pytest.fixture
def real() -> Path:
    return real_corpus("football")


def edit(path: Path, change: Callable[[list[Line]], None]) -> None:
    """Changes the rows of a file."""
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        columns, lines = list(reader.fieldnames or ()), list(reader)
    change(lines)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


@pytest.mark.parametrize("seed", range(12))
def test_invented_seasons_are_reproduced(tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int) -> None:
    synthetic_football.write(tmp_path, seed)
    assert main(["football", "--corpus", str(tmp_path)]) == 0, capsys.readouterr().out
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "football: 4 seasons, 48 rows compared, 0 mismatches, 0 exceptions"


@pytest.mark.parametrize(
    "column", ["position", "played", "won", "drawn", "lost", "goals_for", "goals_against", "points"]
)
def test_a_wrong_number_is_named(corpus: Path, capsys: pytest.CaptureFixture[str], column: str) -> None:
    def change(lines: list[Line]) -> None:
        lines[0][column] = "99"

    edit(corpus / "tables.csv", change)
    assert main(["football", "--corpus", str(corpus)]) == 1
    assert f", {column}: official 99, ours " in capsys.readouterr().out


def test_clubs_that_are_not_level_may_not_change_places(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def change(lines: list[Line]) -> None:
        lines[0]["position"], lines[5]["position"] = "6", "1"

    edit(corpus / "tables.csv", change)
    assert main(["football", "--corpus", str(corpus)]) == 1
    assert capsys.readouterr().out.count(", position: official ") == 2


def test_a_club_that_takes_over_no_record_is_a_mismatch(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(corpus / "published_exceptions.csv", lambda lines: lines.clear())
    assert main(["football", "--corpus", str(corpus), "--seasons", synthetic_football.GONE_IN]) == 1
    out = capsys.readouterr().out
    assert f"{synthetic_football.EXPELLED}, listed: official not listed" in out
    assert f"{synthetic_football.HEIR}, played: official 10, ours 8" in out


def test_an_exception_excuses_the_numbers_that_it_names(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    published: dict[str, str] = {}

    def change(lines: list[Line]) -> None:
        published.update(lines[-1])
        lines[-1]["goals_against"] = str(int(lines[-1]["goals_against"]) + 1)

    edit(corpus / "tables.csv", change)
    assert main(["football", "--corpus", str(corpus)]) == 1
    columns = ("played", "won", "drawn", "lost", "goals_for", "goals_against")
    computed = " ".join(published[name] for name in columns)
    row = f"{published['season']},{published['division']},{published['team']},goals,,{computed},a slip\n"
    with (corpus / "published_exceptions.csv").open("a") as file:
        file.write(row)
    capsys.readouterr()
    assert main(["football", "--corpus", str(corpus)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("0 mismatches, 1 exceptions")


def test_events_and_rulesets_are_well_formed_and_repeatable(corpus: Path) -> None:
    for season in read_seasons(corpus).values():
        made = [encode(event) for event in events(season)]
        assert made == [encode(event) for event in events(season)]
        assert [encode(decode(body)) for body in made] == made
        assert len({decode(body).id for body in made}) == len(made)
        assert set(parse(ruleset(season), game=season.game).boards) == {"division-1", "division-2"}


def test_the_last_rule_that_holds_goes_first(corpus: Path) -> None:
    seasons = read_seasons(corpus)
    assert criteria(seasons["2901-02"], "2") == ["points desc", "goal_average desc"]
    assert criteria(seasons["2902-03"], "1") == ["points desc", "goal_difference desc", "goals_for desc"]
    assert criteria(seasons["2902-03"], "2") == ["points desc", "goals_for desc", "goals_against asc"]
    assert criteria(seasons["2904-05"], "1")[0] == "points_per_game desc"
    assert "win = 2" in ruleset(seasons["2901-02"])
    assert "win = 3" in ruleset(seasons["2904-05"])


def test_spans_of_seasons() -> None:
    season = Season("1999-00", {})
    assert all(within(season, span) for span in ("1999-00", "1990-91..", "..1999-00", "1998-99..2000-01"))
    assert not any(within(season, span) for span in ("1998-99", "2000-01..", "..1998-99", "1888-89..1998-99"))
    assert select(["1888-89", "1899-00", "1900-01"], "1890-1899") == ["1899-00"]
    assert select(["1888-89", "1899-00", "1900-01"], "1888-89,1900-01") == ["1888-89", "1900-01"]


def test_unknown_words_in_the_rules_end_that_season_only(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rules = json.loads((corpus / "rules.json").read_text())
    rules["tie_break"][0]["order"] = ["points", "the committee's taste"]
    (corpus / "rules.json").write_text(json.dumps(rules))
    assert main(["football", "--corpus", str(corpus)]) == 1
    out = capsys.readouterr().out
    assert "tie_break in unknown words" in out
    assert out.splitlines()[-1].endswith("0 mismatches, 0 exceptions, 1 seasons failed")


@pytest.mark.timeout(1_200)
def test_published_tables_are_reproduced(real: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["football", "--corpus", str(real)]) == 0, capsys.readouterr().out


@pytest.mark.services
def test_invented_seasons_come_back_through_the_servers(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["football", "--corpus", str(corpus), "--through", "streams"]) == 0, capsys.readouterr().out
    assert capsys.readouterr().out.splitlines()[-1].endswith("0 mismatches, 0 exceptions")


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_published_tables_come_back_through_the_servers(real: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["football", "--corpus", str(real), "--through", "streams"]) == 0, capsys.readouterr().out
