"""The judge itself on invented seasons, and the engine on the real ones where RANKFOLD_CORPORA tells where they are."""

import csv
import json
from pathlib import Path

import pytest

from examples.f1.__main__ import main as write_files
from examples.f1.converter import events
from examples.f1.corpus import read_seasons
from examples.f1.rulesets import ruleset
from schemas.codec import decode, encode
from schemas.ruleset import parse
from tests.corpora import synthetic_f1
from tests.corpora.__main__ import main, select
from tests.corpora.real import real_corpus


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    synthetic_f1.write(tmp_path, seed=7)
    return tmp_path


@pytest.fixture
def real() -> Path:
    return real_corpus("f1")


@pytest.mark.parametrize("seed", range(10))
def test_invented_seasons_are_reproduced(tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int) -> None:
    synthetic_f1.write(tmp_path, seed)
    assert main(["f1", "--corpus", str(tmp_path)]) == 0, capsys.readouterr().out
    assert capsys.readouterr().out.splitlines()[-1].endswith("0 mismatches, 0 exceptions")


def test_a_wrong_cell_is_named_and_an_exception_excuses_it(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = corpus / "driver_standings.csv"
    lines = path.read_text().splitlines()
    season, number, position, _, driver, *rest = lines[1].split(",")
    lines[1] = ",".join((season, number, "9", "9", driver, *rest))
    path.write_text("\n".join(lines) + "\n")

    assert main(["f1", "--corpus", str(corpus)]) == 1
    out = capsys.readouterr().out
    assert f"{driver}, position: official 9, ours {position}" in out
    assert out.splitlines()[-1].endswith("1 mismatches, 0 exceptions")

    excuse = "board,season,round,entity,field,published,computed,second_source,class\n"
    (corpus / "published_exceptions.csv").write_text(
        f"{excuse}driver,{season},1,{driver},position,9,{position},,slip\n"
    )
    assert main(["f1", "--corpus", str(corpus)]) == 0
    # What the corpus says that the rules give must be what we show.
    (corpus / "published_exceptions.csv").write_text(f"{excuse}driver,{season},1,{driver},position,9,8,,slip\n")
    assert main(["f1", "--corpus", str(corpus)]) == 1


def test_missing_and_surplus_lines_are_mismatches(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = corpus / "constructor_standings.csv"
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    dropped = lines.pop(0)
    lines[0]["engine_id"] = "another"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    assert main(["f1", "--corpus", str(corpus), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    found = {(cell["entrant"], cell["field"], cell["ours"]) for cell in document["seasons"][0]["mismatches"]}
    assert (f"{lines[0]['constructor_id']}+another", "listed", "not listed") in found
    assert any(entrant == f"{dropped['constructor_id']}+{dropped['engine_id']}" for entrant, _, _ in found)
    assert document["total"]["mismatches"] == len(document["seasons"][0]["mismatches"]) == 3


def test_events_and_rulesets_are_well_formed_and_repeatable(corpus: Path) -> None:
    for season in read_seasons(corpus).values():
        made = [encode(event) for event in events(season)]
        assert made == [encode(event) for event in events(season)]
        assert [encode(decode(body)) for body in made] == made
        assert len({decode(body).id for body in made}) == len(made)
        assert set(parse(ruleset(season), game=season.game).boards) == {"drivers", "constructors"}


def test_unknown_words_in_the_rules_end_that_season_only(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rules = json.loads((corpus / "rules.json").read_text())
    rules["2902"]["listed"] = "whoever the stewards like"
    (corpus / "rules.json").write_text(json.dumps(rules))
    assert main(["f1", "--corpus", str(corpus)]) == 1
    out = capsys.readouterr().out
    assert "listed in unknown words" in out
    assert out.splitlines()[-1].endswith("0 mismatches, 0 exceptions, 1 seasons failed")


def test_seasons_are_chosen_by_year_and_range() -> None:
    held = ["1970", "1972", "1988", "1989"]
    assert select(held, None) == held
    assert select(held, "1970,1985-1988") == ["1970", "1988"]
    with pytest.raises(ValueError, match="none of the seasons"):
        select(held, "1999")
    with pytest.raises(ValueError, match="written like"):
        select(held, "last")


def test_a_folder_without_a_corpus_is_an_error_not_a_pass(tmp_path: Path) -> None:
    assert main(["f1", "--corpus", str(tmp_path)]) == 2


def test_a_season_without_published_tables_is_no_pass(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("driver_standings.csv", "constructor_standings.csv"):
        (corpus / name).unlink()
    assert main(["f1", "--corpus", str(corpus), "--seasons", "2901"]) == 1
    assert "no published table" in capsys.readouterr().out


def test_seasons_are_written_as_files_for_the_command_line(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert write_files(corpus, out, ["2901", "2904"]) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "f1-2901.jsonl",
        "f1-2901.toml",
        "f1-2904.jsonl",
        "f1-2904.toml",
    ]
    lines = (out / "f1-2904.jsonl").read_bytes().splitlines()
    assert [decode(line).game for line in lines] == ["f1-2904"] * len(lines)


def test_published_tables_are_reproduced(real: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["f1", "--corpus", str(real)]) == 0, capsys.readouterr().out


@pytest.mark.services
def test_invented_seasons_come_back_through_the_servers(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["f1", "--corpus", str(corpus), "--through", "streams"]) == 0, capsys.readouterr().out
    assert capsys.readouterr().out.splitlines()[-1].endswith("0 mismatches, 0 exceptions")


@pytest.mark.services
@pytest.mark.slow
def test_published_tables_come_back_through_the_servers(real: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["f1", "--corpus", str(real), "--through", "streams"]) == 0, capsys.readouterr().out
