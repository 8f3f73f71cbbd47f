"""Metrics over groups: problems solved, penalty minutes and the last accepted run, as programming contests count them."""

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from schemas.errors import InvalidRuleset
from schemas.ruleset import parse
from tests.given import Fields, adjustment, given, score

RULES = """
game = "g"
[metrics.minute]
[metrics.bonus]
scale = 1
[boards.b]
rank_by = ["solved desc", "penalty asc", "last asc"]
[boards.b.metrics]
solved = { op = "distinct", group = "problem", where = { result = "ok" } }
penalty = { op = "attempts", of = "minute", group = "problem", where = { result = "ok" }, tries = { result = "no" }, each = 20 }
last = { op = "attempts", of = "minute", group = "problem", where = { result = "ok" }, across = "max" }
"""


def run(team: str, minute: int, problem: str, result: str) -> Fields:
    return score(team, at=minute * 60_000, minute=minute, attributes={"problem": problem, "result": result})


def test_a_solved_problem_costs_its_minutes_and_those_of_the_rejected_runs_before() -> None:
    given(RULES).events(
        run("ann", 10, "A", "no"),
        run("ann", 12, "A", "compile"),
        run("ann", 30, "A", "ok"),
        run("ann", 40, "A", "no"),
        run("ann", 90, "A", "ok"),
        run("ann", 50, "B", "no"),
        run("bob", 50, "B", "ok"),
        run("eve", 5, "C", "no"),
    ).then.board().is_([(1, "ann", 1, 50, 30), (2, "bob", 1, 50, 50), (3, "eve", 0, 0, None)])


def test_who_is_level_on_solved_and_penalty_is_ranked_by_the_last_accepted_run() -> None:
    given(RULES).events(
        run("ann", 10, "A", "ok"), run("ann", 90, "B", "ok"), run("bob", 40, "A", "ok"), run("bob", 60, "B", "ok"),
        run("eve", 40, "B", "ok"), run("eve", 60, "A", "ok"),
    ).then.board().is_([(1, "bob", 2, 100, 60), (1, "eve", 2, 100, 60), (3, "ann", 2, 100, 90)])  # fmt: skip


def test_runs_count_in_the_order_of_the_contest_not_of_their_arrival() -> None:
    late = [run("ann", 30, "A", "ok"), run("ann", 20, "A", "no"), run("ann", 40, "A", "no")]
    given(RULES).events(*late).then.board().is_([(1, "ann", 1, 50, 30)])


def test_adjustments_add_and_count_as_no_run() -> None:
    given(RULES).events(run("ann", 30, "A", "ok"), adjustment("ann", minute=20), adjustment("bob", minute=5)).then.board().is_(
        [(1, "ann", 1, 50, 50), (2, "bob", 0, 5, 5)]
    )  # fmt: skip


def test_groups_of_unlike_types_are_unlike() -> None:
    runs = [score("ann", minute=1, attributes={"problem": key, "result": "ok"}) for key in (1, "1", True, 1)]
    given(RULES).events(*runs, score("ann", minute=1, attributes={"result": "ok"})).then.board().is_(
        [(1, "ann", 3, 3, 1)]
    )


def test_an_attempt_may_cost_half_a_point() -> None:
    text = RULES.replace('of = "minute"', 'of = "bonus"').replace("each = 20", "each = 0.25")
    runs = [score("ann", at=at, bonus="1.5", attributes={"problem": "A", "result": result})
            for at, result in enumerate(("no", "no", "no", "ok"))]  # fmt: skip
    given(text).events(*runs).then.board().is_([(1, "ann", 1, "2.3", "1.5")])


@pytest.mark.parametrize(
    "metric",
    [
        '{ op = "distinct" }',
        '{ op = "distinct", of = "minute", group = "problem" }',
        '{ op = "attempts", of = "minute" }',
        '{ op = "attempts", group = "problem" }',
        '{ op = "attempts", of = "nothing", group = "problem" }',
        '{ op = "sum", of = "minute", across = "max" }',
        '{ op = "distinct", group = "problem", each = 1 }',
    ],
)
def test_what_such_metrics_need_and_do_not_have_is_said(metric: str) -> None:
    with pytest.raises(InvalidRuleset, match=r"boards\.b\.metrics\.x"):
        parse(RULES + f"x = {metric}\n")


Run = tuple[int, str, str]
runs_of_one = st.lists(st.tuples(st.integers(0, 300), st.sampled_from("ABC"), st.sampled_from(["ok", "no", "compile"])))


@examples(runs_of_one)
def test_penalty_is_its_naive_definition(runs: list[Run]) -> None:
    ordered = sorted(runs, key=lambda item: item[0])  # stable: of one minute the earlier event is the earlier run
    solved, penalty, last = 0, 0, None
    for problem in "ABC":
        own = [(minute, result) for minute, name, result in ordered if name == problem]
        accepted = next((at for at, (_, result) in enumerate(own) if result == "ok"), None)
        if accepted is not None:
            minute = own[accepted][0]
            solved += 1
            penalty += minute + 20 * sum(1 for _, result in own[:accepted] if result == "no")
            last = minute if last is None else max(last, minute)
    expected = [(1, "ann", solved, penalty, last)] if runs else []
    given(RULES).events(*(run("ann", *item) for item in runs)).then.board().is_(expected)
