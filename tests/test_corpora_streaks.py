"""The judge of record streaks on invented histories, and on the real ones where RANKFOLD_CORPORA tells where they are."""

import csv
import json
from pathlib import Path

import pytest

from tests.corpora import synthetic_streaks
from tests.corpora.__main__ import main
from tests.corpora.real import real_corpus
from tests.corpora.streak_words import Asked, UnknownWordsError, of_matches, of_races
from tests.corpora.synthetic_streaks import KNOWN


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return synthetic_streaks.write(tmp_path, seed=5)


@pytest.fixture
def real() -> Path:
    return real_corpus("streaks")


def rewrite(folder: Path, number: int, **changed: object) -> dict[str, str]:
    """Changes a line of known.csv; returns it."""
    path = folder / "known.csv"
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    lines[number] |= {name: str(value) for name, value in changed.items()}
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, KNOWN)
        writer.writeheader()
        writer.writerows(lines)
    return lines[number]


@pytest.mark.parametrize("seed", range(4))
def test_invented_streaks_are_found(tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int) -> None:
    corpus = synthetic_streaks.write(tmp_path, seed)
    assert main(["streaks", "--corpus", str(corpus)]) == 0, capsys.readouterr().out
    assert capsys.readouterr().out.splitlines()[-1].endswith("0 mismatches, 0 exceptions")


def test_a_wrong_number_is_a_mismatch(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = rewrite(corpus, 0, published=99, computed=99, first="", last="")
    assert main(["streaks", "--corpus", str(corpus)]) == 1
    out = capsys.readouterr().out
    assert f"{line['entity']}, longest: official 99, ours " in out
    assert out.splitlines()[-1].endswith("1 mismatches, 0 exceptions")


@pytest.mark.parametrize("end", ["first", "last"])
def test_a_wrong_day_is_a_mismatch(corpus: Path, capsys: pytest.CaptureFixture[str], end: str) -> None:
    rewrite(corpus, 0, **{end: "1800-01-01" if end == "first" else "1999-01-01"})
    assert main(["streaks", "--corpus", str(corpus)]) == 1
    field = "opens" if end == "first" else "closes"
    assert f"{field}: official 1, ours 0" in capsys.readouterr().out


def test_a_number_that_the_source_got_wrong_is_an_exception(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rewrite(corpus, 0, published=99)
    assert main(["streaks", "--corpus", str(corpus)]) == 0
    # Both in the whole history and between the two days.
    assert capsys.readouterr().out.splitlines()[-1].endswith("0 mismatches, 2 exceptions")


def test_what_is_not_understood_is_named_and_counted(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rewrite(corpus, 0, streak="consecutive hat-tricks")
    rewrite(corpus, 1, first="Boxing Day")
    assert main(["streaks", "--corpus", str(corpus), "--json"]) == 0
    captured = capsys.readouterr()
    assert "not compared: 'consecutive hat-tricks': nothing is known of ['hat', 'tricks']" in captured.err
    assert "'Boxing Day' names no day of this corpus" in captured.err
    assert json.loads(captured.out)["total"]["exceptions"] == 2


def test_a_missing_corpus_is_no_pass(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rewrite(corpus, 0, corpus="chess")
    assert main(["streaks", "--corpus", str(corpus)]) == 1
    assert "1 seasons failed" in capsys.readouterr().out
    (corpus / "known.csv").unlink()
    assert main(["streaks", "--corpus", str(corpus)]) == 2


@pytest.mark.parametrize(
    ("words", "scope", "adds"),
    [
        ("top flight, consecutive wins", {"division": "1"}, {"verdict": "win"}),
        ("consecutive regular-season losses", {"playoff": "0"}, {"verdict": "loss"}),
        ("Longest unbeaten run away", {"venue": "away"}, {"verdict": ["win", "draw"]}),
        ("league matches without a win", {}, {"verdict": ["loss", "draw"]}),
        ("games without a defeat", {}, {"verdict": ["win", "draw"]}),
        ("home games scored in", {"venue": "home"}, {"scored": {"min": 1}}),
        ("playoff games without scoring", {"playoff": "1"}, {"scored": 0}),
        ("draws in a row", {}, {"verdict": "draw"}),
    ],
)
def test_words_of_matches(words: str, scope: dict[str, object], adds: dict[str, object]) -> None:
    assert of_matches(words) == Asked(scope, adds)


def test_words_of_races() -> None:
    assert of_races("consecutive race wins") == Asked({}, {"position": 1})
    assert of_races("consecutive podium finishes") == Asked({}, {"position": {"max": 3}})
    assert of_races("points finishes from the first season") == Asked({}, {"scored": True}, first_season=True)
    for words in ("titles", "races", "wins and losses", "consecutive wins by a lap"):
        with pytest.raises(UnknownWordsError):
            of_races(words)


def test_published_streaks_are_found(real: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["streaks", "--corpus", str(real)]) == 0, capsys.readouterr().out


@pytest.mark.services
def test_invented_streaks_come_back_through_the_servers(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["streaks", "--corpus", str(corpus), "--through", "streams"]) == 0, capsys.readouterr().out
    assert capsys.readouterr().out.splitlines()[-1].endswith("0 mismatches, 0 exceptions")
