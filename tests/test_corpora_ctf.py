"""Capture the flag: the judge on invented events, and on a real one where RANKFOLD_CORPORA tells where it is."""

from pathlib import Path

import pytest

from examples.ctf.converter import events
from schemas.codec import decode, encode
from tests.corpora import synthetic_ctf
from tests.corpora.__main__ import main
from tests.corpora.real import real_corpus


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    synthetic_ctf.write(tmp_path, seed=5)
    return tmp_path


def change(path: Path, row: int, column: int, text: str) -> None:
    """Writes one cell of a file (whose texts hold no commas)."""
    lines = [line.split(",") for line in path.read_text().splitlines()]
    lines[row][column] = text
    path.write_text("".join(",".join(line) + "\n" for line in lines))


@pytest.mark.parametrize("seed", range(10))
def test_invented_events_are_reproduced(tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int) -> None:
    synthetic_ctf.write(tmp_path, seed)
    assert main(["ctf", "--corpus", str(tmp_path)]) == 0, capsys.readouterr().out
    assert capsys.readouterr().out.splitlines()[-1].endswith("60 rows compared, 0 mismatches, 0 exceptions")


@pytest.mark.parametrize(
    ("column", "cell", "board"),
    [
        (2, "score", "scoreboard"),
        (3, "solved", "scoreboard"),
        (4, "last", "scoreboard"),
        (5, "position", "scoreboard"),
        (6, "position", "divisions/division:"),
    ],
)
def test_a_wrong_cell_is_named(
    corpus: Path, capsys: pytest.CaptureFixture[str], column: int, cell: str, board: str
) -> None:
    change(corpus / "standings.csv", 1, column, "77")
    assert main(["ctf", "--corpus", str(corpus)]) == 1
    out = capsys.readouterr().out
    assert any(board in line and f", {cell}: official 77" in line for line in out.splitlines()), out


def test_who_reached_the_score_first_is_ahead_and_solves_worth_nothing_do_not_count(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "solves.csv").write_text(
        "time_ms,team_id,challenge_id,type,score\n"
        "1800000000000,b,1,Normal,10\n1800000000900,b,2,Normal,20\n1800000000500,a,1,Normal,30\n"
        "1800000002000,a,2,Normal,0\n1800000003000,s,1,Normal,50\n"
    )
    header = "team_id,division,score,solved,last_submission_ms,rank,division_rank\n"
    rows = (
        "a,1,30,2,1800000000500,1,1\nb,1,30,2,1800000000900,2,2\nz,1,0,0,,3,3\ny,,0,0,,4,\ns,2,50,1,1800000003000,0,1\n"
    )
    (tmp_path / "standings.csv").write_text(header + rows)
    assert main(["ctf", "--corpus", str(tmp_path)]) == 0, capsys.readouterr().out
    (tmp_path / "standings.csv").write_text(
        header + rows.replace("0500,1,1", "0500,2,2").replace("0900,2,2", "0900,1,1")
    )
    assert main(["ctf", "--corpus", str(tmp_path)]) == 1


def test_a_folder_without_an_event_is_an_error_not_a_pass(tmp_path: Path, corpus: Path) -> None:
    assert main(["ctf", "--corpus", str(tmp_path / "nowhere")]) == 2
    (corpus / "solves.csv").unlink()
    assert main(["ctf", "--corpus", str(corpus)]) == 1


def test_events_are_well_formed_and_repeatable(corpus: Path) -> None:
    made = [encode(event) for event in events(corpus)]
    assert made == [encode(event) for event in events(corpus)]
    assert [encode(decode(body)) for body in made] == made
    assert len({decode(body).id for body in made}) == len(made)


def test_the_published_scoreboard_is_reproduced(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ctf", "--corpus", str(real_corpus("ctf"))]) == 0, capsys.readouterr().out


@pytest.mark.services
def test_invented_events_come_back_through_the_servers(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ctf", "--corpus", str(corpus), "--through", "streams"]) == 0, capsys.readouterr().out
