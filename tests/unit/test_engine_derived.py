"""Averages, differences, ratios and form: how they are computed, ranked, qualified and shown."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app
from engine.boards import BoardPlan
from engine.kept import Kept
from engine.numbers import INFINITE
from engine.shapes import Running, Single
from schemas.errors import InvalidRuleset
from schemas.ruleset import parse
from tests.given import Fields, Line, adjustment, given, rules, score

DECLARED = "[metrics.points]\n[metrics.shots]\n[metrics.half]\nscale = 1"
RATIO = """
ratio = { op = "ratio", of = "points", by = "shots" }
points = { op = "sum", of = "points" }
shots = { op = "sum", of = "shots" }
"""


def board(metrics: str, rank_by: str, more: str = "") -> str:
    """A board over these metrics."""
    return rules(more, declared=DECLARED, metrics=metrics, rank_by=f'["{rank_by}"]')


def shown(text: str, *events: Fields) -> list[Line]:
    """The lines of the board."""
    return given(text).events(*events).then.board().lines


@pytest.mark.parametrize("keep", ["", 'keep = { mode = "latest", n = 9 }'])
def test_an_average_is_exact_at_its_scale_and_rounded_half_up(keep: str) -> None:
    metrics = 'mean = { op = "average", of = "points" }\nwhole = { op = "average", of = "points", scale = 0 }'
    events = [
        score("a", points=1),
        score("a", points=2),
        score("a", points=2),
        score("a", shots=9),
        score("b", points=-1),
        score("b", points=-2),
    ]
    assert shown(board(metrics, "mean desc", keep), *events) == [(1, "a", "1.666667", 2), (2, "b", "-1.500000", -1)]


@pytest.mark.parametrize("keep", ["", 'keep = { mode = "latest", n = 9 }', 'keep = { mode = "first" }'])
def test_adjustments_belong_to_what_is_averaged(keep: str) -> None:
    metrics = 'mean = { op = "average", of = "points", scale = 2, where = { kind = "x" } }'
    events = [
        score("a", points=4, attributes={"kind": "x"}),
        score("a", points=9, attributes={"kind": "y"}),
        adjustment("a", points=-3),
    ]
    assert shown(board(metrics, "mean desc", keep), *events) == [(1, "a", "1.00")]


def test_the_average_of_nothing_is_nothing() -> None:
    metrics = 'mean = { op = "average", of = "points" }'
    assert shown(
        board(metrics, "mean desc"), score("a", shots=1), adjustment("b", points=5), score("c", points=-9)
    ) == [
        (1, "c", "-9.000000"),
        (2, "a", None),
        (2, "b", None),
    ]


def test_averages_of_decimals_take_their_scale_into_account() -> None:
    metrics = 'mean = { op = "average", of = "half", scale = 3 }'
    assert shown(board(metrics, "mean asc"), score("a", half="0.5"), score("a", half=1), score("a", half=1)) == [
        (1, "a", "0.833")
    ]


@pytest.mark.parametrize(("direction", "order"), [("desc", "fabcdeg"), ("asc", "edcbafg")])
def test_a_ratio_by_zero_is_more_than_every_number_unless_zero_is_divided(direction: str, order: str) -> None:
    events = [
        score("a", points=10**20, shots=1),
        score("b", points=2, shots=3),
        score("c", points=1, shots=3),
        score("d", points=0, shots=7),
        score("e", points=-1, shots=3),
        score("f", points=1, shots=0),
        score("g", points=0, shots=0),
    ]
    lines = shown(board(RATIO, f"ratio {direction}"), *events)
    assert "".join(line[1] for line in lines) == order
    ratios = {line[1]: line[2] for line in lines}
    assert ratios["f"] is ratios["g"] is None
    assert [ratios[name] for name in "bcde"] == ["0.666667", "0.333333", "0.000000", "-0.333333"]


def test_who_is_below_zero_with_nothing_to_divide_by_has_no_ratio() -> None:
    assert shown(board(RATIO, "ratio desc"), score("a", points=-1), score("b", points=-5, shots=1)) == [
        (1, "b", "-5.000000", -5, 1),
        (2, "a", None, -1, 0),
    ]


def test_equal_ratios_share_a_rank() -> None:
    lines = shown(
        board(RATIO, "ratio desc"),
        score("a", points=1, shots=3),
        score("b", points=2, shots=6),
        score("c", points=1, shots=4),
    )
    assert [line[:2] for line in lines] == [(1, "a"), (1, "b"), (3, "c")]


def test_a_difference_has_the_digits_of_its_parts() -> None:
    metrics = """
difference = { op = "difference", of = "half", by = "points" }
half = { op = "sum", of = "half" }
points = { op = "max", of = "points" }
"""
    events = [
        score("a", half="2.5", points=1),
        score("b", half=1, points=3),
        adjustment("b", half="-0.5"),
        score("c", half=1),
    ]
    assert shown(board(metrics, "difference desc"), *events) == [
        (1, "a", "1.5", "2.5", 1),
        (2, "b", "-2.5", "0.5", 3),
        (3, "c", None, "1.0", None),
    ]


def test_whole_differences_are_numbers_and_big_ones_text() -> None:
    text = """
difference = { op = "difference", of = "one", by = "other" }
one = { op = "sum", of = "points" }
other = { op = "sum", of = "shots" }
"""
    assert shown(board(text, "difference desc"), score("a", points=1, shots=3)) == [(1, "a", -2, 1, 3)]
    big = board(text, "difference desc").replace("[metrics.shots]", "[metrics.shots]\nbig = true")
    assert shown(big, score("a", points=1, shots=3)) == [(1, "a", "-2", 1, "3")]


@pytest.mark.parametrize(
    ("condition", "names"),
    [("min = 0.5", "ab"), ("above = 0.5", "b"), ("below = 1", "a"), ("exists = true", "ab"), ("exists = false", "c")],
)
def test_who_qualifies_is_asked_in_the_unit_of_the_ratio(condition: str, names: str) -> None:
    events = [score("a", points=1, shots=2), score("b", points=1), score("c", points=0)]
    lines = shown(board(RATIO, "points desc", f"qualify = {{ ratio = {{ {condition} }} }}"), *events)
    assert {line[1] for line in lines} == set(names)


def test_form_is_the_last_verdicts_in_letters_the_latest_last() -> None:
    def played(at: int, verdict: str | None, **more: Any) -> Fields:
        return score("a", at=at, points=1, attributes={**({"verdict": verdict} if verdict else {}), **more})

    metrics = """
form = { op = "form", n = 3 }
all = { op = "form", n = 20 }
home = { op = "form", where = { home = true } }
none = { op = "form", where = { home = false } }
points = { op = "sum", of = "points" }
"""
    events = [
        played(3, "draw"),
        played(1, "win", home=True),
        played(2, "loss"),
        played(5, "void"),
        played(4, "push", home=True),
        played(6, None),
        played(7, "odd"),
    ]
    assert shown(board(metrics, "points desc"), *events, adjustment("a", points=1)) == [
        (1, "a", "DPV", "WLDPV", "WP", "", 8)
    ]


def test_when_a_ratio_was_reached_is_when_it_last_changed() -> None:
    text = rules(declared=DECLARED, metrics=RATIO, rank_by='["ratio desc", "reached"]')
    events = [
        score("late", at=1, points=1, shots=2),
        score("early", at=2, points=2, shots=2),
        score("early", at=3, points=2, shots=2),
        score("late", at=4, points=1),
    ]
    given(text).events(*events).then.board().order("early", "late")


@pytest.mark.parametrize(
    ("keep", "metrics", "shape"),
    [
        ("", 'm = { op = "average", of = "points" }', Running),
        ("", RATIO, Running),
        ('keep = { mode = "best", by = "points" }', RATIO, Single),
        ("", 'm = { op = "sum", of = "points" }\nf = { op = "form" }', Kept),
    ],
)
def test_constant_size_where_it_can_be(keep: str, metrics: str, shape: type) -> None:
    parsed = parse(board(metrics, "ratio desc" if "ratio" in metrics else "m desc", keep))
    assert type(BoardPlan("b", parsed.boards["b"], parsed).shape) is shape


def test_metrics_come_back_out_of_the_key() -> None:
    parsed = parse(board(RATIO, "ratio asc"))
    plan = BoardPlan("b", parsed.boards["b"], parsed)
    for values in ([INFINITE, 4, 0], [None, 0, 0], [-3, -9, 3]):
        assert plan.values(plan.key(values, None, []) or b"", plan.extra(values)) == values


def test_the_command_line_shows_them_in_every_format(tmp_path: Path) -> None:
    metrics = RATIO + '\nform = { op = "form" }'
    (tmp_path / "rules.toml").write_text(board(metrics, "ratio desc"))
    events = [score("a", points=3, attributes={"verdict": "win"}), score("b", points=1, shots=3)]
    lines = [json.dumps({"id": f"e{at}", "game": "g", **event}) for at, event in enumerate(events)]
    (tmp_path / "events.jsonl").write_text("\n".join(lines))

    def fold(form: str) -> str:
        command = ["fold", str(tmp_path / "rules.toml"), str(tmp_path / "events.jsonl"), "--format", form]
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 0, result.stderr
        return result.stdout

    first, second = json.loads(fold("json"))["entries"]
    assert first["metrics"] == {"ratio": None, "points": 3, "shots": 0, "form": "W"}
    assert second["metrics"] == {"ratio": "0.333333", "points": 1, "shots": 3, "form": ""}
    assert fold("csv").splitlines()[1:] == ["1,a,,3,0,W", "2,b,0.333333,1,3,"]
    assert "0.333333" in fold("table")


@pytest.mark.parametrize(
    ("metrics", "more", "field"),
    [
        ('m = { op = "difference", of = "m", by = "m" }', "", "boards.b.metrics.m.of"),
        (
            'm = { op = "ratio", of = "n", by = "n", where = { x = 1 } }\nn = { op = "count" }',
            "",
            "boards.b.metrics.m.where",
        ),
        ('m = { op = "ratio", of = "n", by = "n", over = "all" }\nn = { op = "count" }', "", "boards.b.metrics.m.over"),
        (
            'm = { op = "form" }\np = { op = "sum", of = "points" }',
            "qualify = { m = { min = 1 } }",
            "boards.b.qualify.m",
        ),
        (
            'm = { op = "form" }\np = { op = "sum", of = "points" }',
            "badges.x.where = { m = { min = 1 } }",
            "boards.b.badges.x.where.m",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(metrics: str, more: str, field: str) -> None:
    with pytest.raises(InvalidRuleset) as error:
        parse(board(metrics, "p desc" if "p =" in metrics else "m desc", more))
    assert field in {problem.field for problem in error.value.problems}
