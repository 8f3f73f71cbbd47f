"""Leagues that are decided head-to-head: invented seasons everywhere, the real ones where RANKFOLD_CORPORA tells."""

import csv
from pathlib import Path
from typing import Any

import pytest

from examples.football_league.laliga import events, read_seasons, ruleset
from schemas.codec import decode, encode
from schemas.ruleset import parse
from tests.corpora import synthetic_laliga
from tests.corpora.__main__ import main
from tests.corpora.real import real_corpus
from tests.corpora.synthetic_laliga import BY_GOALS, ORDER


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "laliga"
    folder.mkdir()
    synthetic_laliga.write(folder, seed=5)
    return folder


@pytest.fixture
def real() -> Path:
    return real_corpus("laliga")


def tables(folder: Path) -> list[dict[str, Any]]:
    with (folder / "tables.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def rewrite(folder: Path, lines: list[dict[str, Any]]) -> None:
    with (folder / "tables.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("order", [None, ORDER, BY_GOALS], ids=["usual", "in words", "another"])
def test_invented_seasons_are_reproduced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int, order: list[str] | None
) -> None:
    synthetic_laliga.write(tmp_path, seed, order=order)
    assert main(["laliga", "--corpus", str(tmp_path)]) == 0, capsys.readouterr().out
    assert capsys.readouterr().out.splitlines()[-1].endswith("0 mismatches, 0 exceptions")


def test_invented_seasons_hold_what_is_to_be_judged(corpus: Path) -> None:
    groups: dict[tuple[str, str], int] = {}
    for line in tables(corpus):
        groups[line["season"], line["points"]] = groups.get((line["season"], line["points"]), 0) + 1
    assert {2, 3} <= set(groups.values())
    assert any(line["deduction"] for line in tables(corpus))


def test_the_order_of_another_rule_is_not_the_usual_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    synthetic_laliga.write(tmp_path, 5, order=BY_GOALS)
    (tmp_path / "rules.json").unlink()
    assert main(["laliga", "--corpus", str(tmp_path)]) == 1
    assert "position: official" in capsys.readouterr().out


def test_the_rules_may_stand_in_the_folder_beside_it(corpus: Path) -> None:
    beside = corpus.parent / "football"
    beside.mkdir()
    synthetic_laliga.write(beside, 5, order=["points", "goals for"])
    season = next(iter(read_seasons(corpus).values()))
    assert parse(ruleset(season)).boards["table"].rank_by == ["points desc", "goals_for desc"]


def test_a_wrong_place_and_a_wrong_number_are_named(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = tables(corpus)
    lines[0]["position"], lines[1]["position"] = "2", "1"
    lines[3]["goals_for"] = "99"
    rewrite(corpus, lines)
    assert main(["laliga", "--corpus", str(corpus)]) == 1
    out = capsys.readouterr().out
    assert f"{lines[0]['team']}, position: official 2, ours 1" in out
    assert f"{lines[3]['team']}, goals_for: official 99" in out
    assert out.splitlines()[-1].endswith("3 mismatches, 0 exceptions")


def test_a_small_table_that_its_own_matches_contradict_is_an_exception(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = tables(corpus)
    printed = next(line for line in lines if line["h2h_points"])
    printed["h2h_points"] = str(int(printed["h2h_points"]) + 1)
    rewrite(corpus, lines)
    assert main(["laliga", "--corpus", str(corpus)]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[-1].endswith("0 mismatches, 1 exceptions")


def test_a_criterion_in_unknown_words_fails_the_season(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    synthetic_laliga.write(tmp_path, 5, order=["points", "a draw of lots"], seasons=1)
    assert main(["laliga", "--corpus", str(tmp_path)]) == 1
    assert "a criterion in unknown words: 'a draw of lots'" in capsys.readouterr().out


def test_a_folder_without_matches_is_an_error(tmp_path: Path) -> None:
    assert main(["laliga", "--corpus", str(tmp_path)]) == 2


def test_events_are_well_formed_and_repeatable(corpus: Path) -> None:
    for season in read_seasons(corpus).values():
        made = [encode(event) for event in events(season)]
        assert made == [encode(event) for event in events(season)]
        assert [encode(decode(body)) for body in made] == made
        assert len({decode(body).id for body in made}) == len(made)


def test_published_tables_are_reproduced(real: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["laliga", "--corpus", str(real)]) == 0, capsys.readouterr().out


@pytest.mark.services
def test_invented_seasons_come_back_through_the_servers(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["laliga", "--corpus", str(corpus), "--through", "streams"]) == 0, capsys.readouterr().out
    assert capsys.readouterr().out.splitlines()[-1].endswith("0 mismatches, 0 exceptions")
