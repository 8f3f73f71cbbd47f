"""Programming contests: the judge on invented ones, and on real ones where RANKFOLD_CORPORA has them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from examples.icpc.__main__ import main as write_files
from examples.icpc.converter import events, read_contests
from schemas.codec import decode, encode
from tests.corpora import synthetic_icpc
from tests.corpora.__main__ import main

Edit = Callable[[list[list[str]]], None]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    synthetic_icpc.write(tmp_path, seed=3)
    return tmp_path


def edit(path: Path, change: Edit) -> None:
    """Changes the cells of a file (whose texts hold no commas)."""
    lines = [line.split(",") for line in path.read_text().splitlines()]
    change(lines)
    path.write_text("".join(",".join(line) + "\n" for line in lines))


@pytest.mark.parametrize("seed", range(10))
def test_invented_contests_are_reproduced(tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int) -> None:
    synthetic_icpc.write(tmp_path, seed)
    assert main(["icpc", "--corpus", str(tmp_path)]) == 0, capsys.readouterr().out
    out = capsys.readouterr().out.splitlines()
    # Only the contest that lists teams by name has places that its own numbers contradict.
    assert [line.split()[-5] for line in out if "/3" in line and "by name" not in line] == ["0", "0"]
    assert out[-1].startswith("icpc: 3 seasons, 192 rows compared, 0 mismatches")


@pytest.mark.parametrize(("column", "field"), [(4, "solved"), (5, "penalty")])
def test_a_wrong_number_is_named(corpus: Path, capsys: pytest.CaptureFixture[str], column: int, field: str) -> None:
    def change(lines: list[list[str]]) -> None:
        lines[1][column] = str(int(lines[1][column]) + 1)

    edit(corpus / "standings.csv", change)
    assert main(["icpc", "--corpus", str(corpus)]) == 1
    assert f", {field}: official" in capsys.readouterr().out


def test_a_team_ahead_of_one_with_more_problems_is_a_mismatch(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def change(lines: list[list[str]]) -> None:
        last = max(at for at, line in enumerate(lines) if line[0] == "2903")
        first = min(at for at, line in enumerate(lines) if line[0] == "2903")
        lines[first][1], lines[last][1] = lines[last][1], lines[first][1]

    edit(corpus / "standings.csv", change)
    assert main(["icpc", "--corpus", str(corpus), "--seasons", "2903"]) == 1
    assert "position: official 1, ours" in capsys.readouterr().out


def test_teams_with_the_same_penalty_are_judged_by_their_last_accepted_run(tmp_path: Path) -> None:
    (tmp_path / "runs.csv").write_text(
        "contest,time_ms,team_id,problem,result,verdict\n"
        "c,599999,a,A,accepted,AC\nc,5400000,a,B,accepted,AC\n"
        "c,2400000,b,A,accepted,AC\nc,3540000,b,B,accepted,AC\nc,9000000,b,A,accepted,AC\n"
    )
    header = "contest,row,team_id,team,solved,penalty_minutes,official\n"
    (tmp_path / "standings.csv").write_text(f"{header}c,1,b,B,2,99,true\nc,2,a,A,2,99,true\nc,3,z,Z,0,0,true\n")
    assert main(["icpc", "--corpus", str(tmp_path)]) == 0
    # The minute of a run is cut off: 9:59.999 is minute 9.
    (tmp_path / "standings.csv").write_text(f"{header}c,1,b,B,2,99,true\nc,2,a,A,2,100,true\n")
    assert main(["icpc", "--corpus", str(tmp_path)]) == 1


def test_contests_without_runs_or_with_unknown_words_fail_alone(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(lines: list[list[str]]) -> None:
        for line in lines:
            if line[0] == "2903":
                line[4] = "perhaps"

    edit(corpus / "runs.csv", change)
    assert main(["icpc", "--corpus", str(corpus)]) == 1
    out = capsys.readouterr().out
    assert "result 'perhaps', known: accepted, rejected, no_penalty" in out
    assert "0 mismatches" in out.splitlines()[-1]
    (corpus / "runs.csv").unlink()
    assert main(["icpc", "--corpus", str(corpus)]) == 1
    (corpus / "standings.csv").unlink()
    assert main(["icpc", "--corpus", str(corpus)]) == 2


def test_events_are_well_formed_and_repeatable(corpus: Path) -> None:
    for contest in read_contests(corpus).values():
        made = [encode(event) for event in events(contest)]
        assert made == [encode(event) for event in events(contest)]
        assert [encode(decode(body)) for body in made] == made
        assert len({decode(body).id for body in made}) == len(made)


def test_contests_are_written_as_files_for_the_command_line(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert write_files(corpus, out, ["2903"]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["icpc-3-2903.jsonl", "icpc-3-2903.toml"]
    assert {decode(line).game for line in (out / "icpc-3-2903.jsonl").read_bytes().splitlines()} == {"icpc-3-2903"}
    assert write_files(corpus, out, ["another"]) == 1


def test_published_standings_are_reproduced(capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path(os.environ.get("RANKFOLD_CORPORA", "")) / "icpc"
    if not folder.is_dir():
        pytest.skip("RANKFOLD_CORPORA does not tell where a folder icpc is")
    assert main(["icpc", "--corpus", str(folder)]) == 0, capsys.readouterr().out


@pytest.mark.services
def test_invented_contests_come_back_through_the_servers(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["icpc", "--corpus", str(corpus), "--through", "streams"]) == 0, capsys.readouterr().out
    assert " 0 mismatches" in capsys.readouterr().out.splitlines()[-1]
