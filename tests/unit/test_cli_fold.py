"""`rankfold fold` folds a file without servers, and says what is wrong with it by line, field and rule."""

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from cli.replay import _moment
from schemas.errors import InvalidInput

RULES = """
game = "arcade"
[metrics.points]
min = -100
[boards.total]
rank_by = ["points desc"]
periods = ["all", "daily", "round"]
[boards.total.metrics]
points = { op = "sum", of = "points" }
[boards.today]
rank_by = ["points desc"]
periods = ["daily"]
[boards.today.metrics]
points = { op = "max", of = "points" }
"""


class Files:
    """A ruleset and an events file, and the command run on them."""

    def __init__(self, folder: Path) -> None:
        self.rules = folder / "rules.toml"
        self.events = folder / "events.jsonl"
        self.rules.write_text(RULES)

    def write(self, events: Iterable[dict[str, Any] | str]) -> None:
        lines = (event if isinstance(event, str) else json.dumps(event) for event in events)
        self.events.write_text("".join(line + "\n" for line in lines))

    def fold(self, *options: str, stdin: str | None = None) -> Result:
        source = "-" if stdin is not None else str(self.events)
        return CliRunner().invoke(app, ["fold", str(self.rules), source, *options], input=stdin)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def score(number: int, player: str, points: object, **more: object) -> dict[str, Any]:
    return {
        "id": f"e{number}",
        "type": "score",
        "game": "arcade",
        "player": player,
        "values": {"points": points},
        **more,
    }


def ranks(result: Result) -> list[tuple[int, str, int]]:
    assert result.exit_code == 0, result.stderr
    return [(line["rank"], line["player"], line["metrics"]["points"]) for line in json.loads(result.stdout)["entries"]]


def test_the_first_board_of_all_time_is_printed(files: Files) -> None:
    files.write([score(1, "ann", 5), score(2, "bob", 7), score(3, "ann", 2)])
    assert ranks(files.fold("--format", "json")) == [(1, "ann", 7), (1, "bob", 7)]
    shown = files.fold().stdout
    assert "Total · arcade · all" in shown
    assert "=1" in shown
    assert "2 of 2 ranked" in shown


def test_events_come_from_stdin_too(files: Files) -> None:
    assert ranks(files.fold("--format", "json", stdin=json.dumps(score(1, "ann", 5)))) == [(1, "ann", 5)]


def test_without_all_the_latest_period_is_printed(files: Files) -> None:
    days = ["2026-02-07T10:00:00Z", "2026-02-09T10:00:00Z", "2026-02-08T10:00:00Z"]
    files.write([score(number, day[:10], 1, occurred_at=day) for number, day in enumerate(days)])
    assert ranks(files.fold("--board", "today", "--format", "json")) == [(1, "2026-02-09", 1)]
    chosen = files.fold("--board", "today", "--period", "daily:2026-02-07", "--format", "json")
    assert ranks(chosen) == [(1, "2026-02-07", 1)]


def test_a_kind_stands_for_its_latest_period(files: Files) -> None:
    files.write([score(1, "nine", 1, round=9), score(2, "ten", 1, round=10)])
    assert ranks(files.fold("--period", "round", "--format", "json")) == [(1, "ten", 1)]


@pytest.mark.parametrize(
    "until", ["2", "1.0.1770544800001-0", "2026-02-08T10:00:00.001Z", "2026-02-08T11:00:00.001+01:00"]
)
def test_until_takes_a_number_a_position_or_a_time(files: Files, until: str) -> None:
    files.write([score(number, "ann", 1, occurred_at=1_770_544_800_000 + number) for number in range(5)])
    assert ranks(files.fold("--until", until, "--format", "json")) == [(1, "ann", 2)]


def test_until_of_many_digits_is_none_of_these(files: Files) -> None:
    files.write([])
    result = files.fold("--until", "9" * 5_000)
    assert (result.exit_code, result.stderr.startswith("error: --until: ")) == (2, True)


@pytest.mark.parametrize("until", ["9" * 5_000, "9" * 19, "\u0661"])
def test_what_replay_takes_as_a_time_is_bounded(until: str) -> None:
    with pytest.raises(InvalidInput, match="--until"):
        _moment(until)


def test_until_that_is_none_of_these_is_refused(files: Files) -> None:
    files.write([])
    result = files.fold("--until", "2026-02-08")
    assert result.exit_code == 2
    assert "--until: a number of events, a position" in result.stderr


def test_every_bad_line_is_named_with_field_and_rule(files: Files) -> None:
    files.write(
        [
            score(1, "ann", 5),
            score(2, "ann", -101),
            "not json",
            "",
            {**score(3, "ann", 1), "game": "other"},
            {**score(4, "ann", 1), "colour": "red"},
            score(5, "", 1),
        ]
    )
    result = files.fold()
    assert result.exit_code == 2
    assert result.stdout == ""
    named = [line.removeprefix(f"error: {files.events}:") for line in result.stderr.splitlines()]
    assert named[0] == "2: values.points: at least -100"
    assert named[1] == "3: each line holds one JSON object"
    assert named[2] == "5: game: the ruleset is for 'arcade', not for 'other'"
    assert named[3].startswith("6: colour:")
    assert named[4].startswith("7: player: an id is 1 to 128")
    assert len(named) == 5


def test_the_same_event_twice_counts_once_and_another_body_is_an_error(files: Files) -> None:
    files.write([score(1, "ann", 5), score(1, "ann", 5)])
    result = files.fold("--format", "json")
    assert ranks(result) == [(1, "ann", 5)]
    assert "1 event ignored" in result.stderr
    files.write([score(1, "ann", 5), score(1, "ann", 6)])
    result = files.fold()
    assert result.exit_code == 2
    assert "2: id: 'e1' stands for another event in line 1" in result.stderr


def test_csv_holds_no_formula(files: Files) -> None:
    names = ["=cmd()", "+1", "-2", "@sum", 'quo"te,comma']
    files.write([score(number, name, -number) for number, name in enumerate(names)])
    result = files.fold("--format", "csv")
    rows = list(csv.reader(io.StringIO(result.stdout)))
    assert rows[0] == ["rank", "player", "points"]
    assert [row[1] for row in rows[1:]] == ["'=cmd()", "'+1", "'-2", "'@sum", 'quo"te,comma']
    assert [row[2] for row in rows[1:]] == ["0", "-1", "-2", "-3", "-4"]


def test_a_table_shows_no_control_or_direction_signs(files: Files) -> None:
    files.write([score(1, "[red]ann\u202e[/red]", 5)])
    shown = files.fold().stdout
    assert "[red]ann\\u202e[/red]" in shown
    assert "\u202e" not in shown


def test_a_table_is_cut_and_the_rest_is_counted(files: Files) -> None:
    files.write([score(number, f"p{number:02d}", number) for number in range(30)])
    assert "20 of 30 ranked" in files.fold().stdout
    assert "3 of 30 ranked" in files.fold("--limit", "3").stdout
    assert len(ranks(files.fold("--format", "json"))) == 30


def test_the_digest_depends_on_what_was_folded(files: Files) -> None:
    files.write([score(1, "ann", 5), score(2, "bob", 5)])
    first = files.fold("--digest", "--format", "json")
    assert json.loads(first.stdout)["rows"] == 6
    assert files.fold("--digest", "--format", "json").stdout == first.stdout
    assert files.fold("--digest", "--until", "1", "--format", "json").stdout != first.stdout


def test_what_the_fold_rejects_is_a_warning(files: Files) -> None:
    result = {"id": "r1", "type": "result", "game": "arcade", "fixture": "f", "outcomes": {"winner": ["a"]}}
    files.write([result, {**result, "id": "r2", "outcomes": {"winner": ["b"]}}, score(1, "ann", 5)])
    done = files.fold("--format", "json")
    assert ranks(done) == [(1, "ann", 5)]
    assert f"warning: {files.events}:2: revision:" in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--board", "nope"), "no such board; this game has total, today"),
        (("--period", "weekly:2026-02-02"), "this board's periods: all, daily, round"),
        (("--period", "daily:1999-01-01"), "no such period"),
        (("--limit", "0"), "--limit"),
    ],
)
def test_what_is_not_there_is_bad_input(files: Files, options: tuple[str, ...], message: str) -> None:
    files.write([score(1, "ann", 5)])
    result = files.fold(*options)
    assert result.exit_code == 2
    assert message in result.stderr.replace("\n", " ")


def test_files_that_are_not_there_are_bad_input(files: Files) -> None:
    assert files.fold().exit_code == 2
    files.rules.write_text("game = [")
    files.write([])
    result = files.fold()
    assert result.exit_code == 2
    assert "not valid TOML" in result.stderr


def test_a_segment_is_printed(files: Files) -> None:
    files.rules.write_text(RULES.replace("[boards.total]", '[boards.total]\nsegments = { repo = "mark" }'))
    files.write(score(n, f"p{n}", n, attributes={"repo": "even" if n % 2 == 0 else "odd"}) for n in range(1, 5))
    page = json.loads(files.fold("--segment", "repo:even", "--format", "json").stdout)
    assert [line["player"] for line in page["entries"]] == ["p4", "p2"]
    assert (page["period"], page["segment"]) == ("all", "repo:even")
    assert "Total · arcade · all · repo:odd" in files.fold("--segment", "repo:odd").stdout
    assert "repo:VALUE" in files.fold("--segment", "repo:").stderr
    assert "there are repo:even, repo:odd" in files.fold("--segment", "repo:none").stderr
    assert "no segments" in files.fold("--board", "today", "--segment", "repo:odd").stderr


def test_movement_tiers_and_badges_are_columns(files: Files) -> None:
    tables = (
        '\nmovement = "round"\ntiers = [{ name = "gold", top = 1 }]\nbadges.ten = { where = { points = { min = 10 } } }'
    )
    files.rules.write_text(RULES.replace("[boards.total]", f"[boards.total]{tables}"))
    files.write(
        [
            score(1, "ann", 6, round=1),
            score(2, "bob", 5, round=1),
            score(3, "bob", 5, round=2),
            score(4, "cid", 1, round=2),
        ]
    )
    entries = json.loads(files.fold("--format", "json").stdout)["entries"]
    assert [(line["player"], line["movement"], line["tier"], line["badges"]) for line in entries] == [
        ("bob", 1, "gold", ["ten"]),
        ("ann", -1, None, []),
        ("cid", None, None, []),
    ]
    header, *rows = csv.reader(io.StringIO(files.fold("--format", "csv").stdout))
    assert header == ["rank", "player", "points", "movement", "tier", "badges"]
    assert rows == [
        ["1", "bob", "10", "1", "gold", "ten"],
        ["2", "ann", "6", "-1", "", ""],
        ["3", "cid", "1", "", "", ""],
    ]
    shown = files.fold().stdout
    assert [sign for sign in ("▲1", "▼1", "new", "gold", "ten") if sign in shown] == ["▲1", "▼1", "new", "gold", "ten"]
