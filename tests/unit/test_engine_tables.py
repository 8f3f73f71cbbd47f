"""Tables of matches, told aloud: verdicts, venues, goals, bonuses, factors, corrections; then what is refused."""

from typing import Any

import pytest

from engine.contests import Contest
from engine.matches import TableMarks
from engine.rules import Game
from schemas.language import MetricType, TableSource
from schemas.ruleset import parse
from tests.given import Fields, adjustment, decoded, fixture, given, result, rules

COLUMNS = """
played = { op = "count" }
won = { op = "count", where = { verdict = "win" } }
drawn = { op = "count", where = { verdict = "draw" } }
lost = { op = "count", where = { verdict = "loss" } }
goals_for = { op = "sum", of = "scored" }
goals_against = { op = "sum", of = "conceded" }
points = { op = "sum", of = "points" }
"""


def league(source: str = "", *, metrics: str = COLUMNS, scale: int = 0, board: str = "", more: str = "") -> str:
    """Rules of a league."""
    declared = f"[metrics.points]\nscale = {scale}\n[metrics.scored]\n[metrics.conceded]\n{more}"
    table = f'[sources.league]\norigin = "table"\nscored = "scored"\nconceded = "conceded"\n{source}'
    officials = '[sources.officials]\norigin = "adjustment"'
    return rules(board, metrics=metrics, declared=f"{declared}\n{table}\n{officials}")


def match(home: str, away: str, score: str | None, **fields: Any) -> list[Fields]:
    """A fixture and its result, as 2-1."""
    name = f"{home}-{away}"
    planned = fixture(name, 1, fields.pop("at", 0), sides=[home, away], attributes=fields.pop("facts", None))
    goals = None if score is None else [int(number) for number in score.split("-")]
    return [planned, result(name, score=goals, **fields)]


def test_a_match_is_a_mark_for_either_side() -> None:
    given(league()).events(*match("a", "b", "3-1"), *match("b", "c", "0-0"), *match("c", "a", "2-1")).then.board().is_(
        [(1, "c", 2, 1, 1, 0, 2, 1, 4), (2, "a", 2, 1, 0, 1, 4, 3, 3), (3, "b", 2, 0, 1, 1, 1, 3, 1)]
    )


def test_what_verdicts_are_worth_is_a_rule() -> None:
    text = league("win = 2\ndraw = 0.5\nloss = 0.1", metrics='points = { op = "sum", of = "points" }', scale=1)
    given(text).events(*match("a", "b", "1-0"), *match("b", "a", "1-1")).then.board().is_(
        [(1, "a", "2.5"), (2, "b", "0.6")]
    )


@pytest.mark.parametrize("status", ["void", "push", "abandoned"])
def test_only_a_final_result_counts(status: str) -> None:
    given(league()).events(*match("a", "b", "3-0", status=status)).then.board().is_([])


def test_nothing_comes_of_a_result_without_score_or_without_two_sides() -> None:
    given(league()).events(
        *match("a", "b", None),
        result("never-planned", score=[1, 0]),
        fixture("race", 1, 0, sides=["a", "b", "c"]),
        result("race", score=[1, 0]),
        fixture("bare", 1, 0),
        result("bare", score=[1, 0]),
    ).then.board().is_([])


def test_a_fixture_that_is_planned_after_its_result_counts_all_the_same() -> None:
    events = match("a", "b", "2-0")
    late = given(league()).events(*reversed(events)).then
    assert late.board().lines == given(league()).events(*events).then.board().lines != []


def test_who_takes_over_a_fixture_takes_over_its_result() -> None:
    taken_over = fixture("a-b", 1, 0, sides=["heir", "b"])
    given(league()).events(*match("a", "b", "2-0"), taken_over).then.board().is_(
        [(1, "heir", 1, 1, 0, 0, 2, 0, 3), (2, "b", 1, 0, 0, 1, 0, 2, 0)]
    )


def test_a_higher_revision_replaces_both_sides() -> None:
    corrected = result("a-b", score=[0, 1], revision=2)
    given(league()).events(*match("a", "b", "2-0"), corrected).then.board().is_(
        [(1, "b", 1, 1, 0, 0, 1, 0, 3), (2, "a", 1, 0, 0, 1, 0, 1, 0)]
    )
    given(league()).events(*match("a", "b", "2-0"), result("a-b", status="void", revision=2)).then.board().is_([])


def test_deductions_count_in_the_points_alone() -> None:
    given(league()).events(*match("a", "b", "1-0"), adjustment("a", points=-4)).then.board().is_(
        [(1, "b", 1, 0, 0, 1, 0, 1, 0), (2, "a", 1, 1, 0, 0, 1, 0, -1)]
    )


def test_home_and_away_are_told_apart_except_on_neutral_ground() -> None:
    metrics = "\n".join(
        f'{venue} = {{ op = "sum", of = "points", where = {{ venue = "{venue}" }} }}'
        for venue in ("home", "away", "neutral")
    )
    text = league(metrics=metrics + '\npoints = { op = "sum", of = "points" }')
    given(text).events(
        *match("a", "b", "1-0"), *match("b", "a", "1-1"), *match("c", "a", "0-2", facts={"neutral": True})
    ).then.board().is_([(1, "a", 3, 1, 3, 7), (2, "b", 1, 0, 0, 1), (3, "c", 0, 0, 0, 0)])


def test_bonuses_ask_for_what_the_match_was_and_are_not_multiplied() -> None:
    source = """
bonuses = [{ points = 1, where = { scored = { min = 4 } } }, { points = 2, where = { cup = true }, split = true }]
factors = [{ times = 2, where = { derby = true } }]
"""
    text = league(source, metrics='points = { op = "sum", of = "points" }')
    given(text).events(
        *match("a", "b", "4-1", facts={"derby": True}),
        *match("c", "d", "4-4"),
        *match("e", "f", "0-0", facts={"cup": True}),
    ).then.board().is_([(1, "a", 7), (2, "c", 2), (2, "d", 2), (2, "e", 2), (2, "f", 2), (6, "b", 0)])


def test_a_source_chooses_the_sides_that_it_looks_at() -> None:
    only = league('where = { venue = "away", league = "x" }', metrics='points = { op = "sum", of = "points" }')
    given(only).events(
        *match("a", "b", "0-1", facts={"league": "x"}), *match("b", "a", "0-1", facts={"league": "y"})
    ).then.board().is_([(1, "b", 3)])


def test_an_attribute_may_be_ranked_instead_of_the_side() -> None:
    text = league('entrant = "venue"')
    given(text).events(*match("a", "b", "2-0"), *match("b", "a", "3-1"), *match("c", "a", "0-1")).then.board().is_(
        [(1, "home", 3, 2, 0, 1, 5, 2, 6), (2, "away", 3, 1, 0, 2, 2, 5, 3)]
    )
    given(league('entrant = "group"')).events(*match("a", "b", "2-0")).then.board().is_([])


def test_scores_are_kept_at_the_scale_of_their_metrics() -> None:
    source = TableSource(scored="goals")
    contest = Contest("f", sides=["a", "b"], starts_ms=5, round=2, result=_final([3, 2]))
    metrics = {"points": MetricType(), "goals": MetricType(scale=2)}
    (home, mark), (away, other) = TableMarks(source, metrics).marks(contest)
    assert (home, away) == ("a", "b")
    assert mark.values == {"points": 3, "goals": 300}
    assert other.values == {"points": 0, "goals": 200}
    assert mark.attributes == {"verdict": "win", "venue": "home", "opponent": "b"}
    assert other.attributes == {"verdict": "loss", "venue": "away", "opponent": "a"}
    assert (mark.occurred_ms, mark.round, mark.origin) == (5, 2, "f")


def _final(score: list[int]) -> Any:
    return decoded("g", [result("f", score=score)])[0]


def test_what_a_table_cannot_take_is_refused() -> None:
    text = league(metrics='points = { op = "sum", of = "points" }').replace(
        "[metrics.scored]", "[metrics.scored]\nmax = 9"
    )
    game = Game(parse(text))
    twice, high = decoded("g", [fixture("f", 1, 0, sides=["a", "a"]), result("f", score=[1, 10])])
    assert [(problem.field, problem.rule) for problem in game.check(twice)] == [
        ("sides", "nobody plays against himself")
    ]
    assert [(problem.field, problem.rule) for problem in game.check(high)] == [("score[1]", "at most 9")]
    assert game.check(decoded("g", [fixture("f", 1, 0, sides=["a", "b", "c"])])[0]) == []
