"""Which marks count, where some of them lack the metric that `keep` compares."""

from typing import Any

import pytest

from tests.given import Fields, adjustment, given, score

RULES = """
game = "g"
[metrics.points]
[metrics.time]
[boards.b]
rank_by = ["points desc"]
keep = {{ mode = "best", by = "{by}", per = "round", {keep} }}
metrics = {{ points = {{ op = "sum", of = "points" }} }}
"""
TIMED: list[Fields] = [score("a", round=1, points=5, time=90), score("a", round=2, points=3, time=80)]
UNTIMED = score("a", round=3, points=1)


@pytest.mark.parametrize(
    ("by", "keep", "more", "points"),
    [
        ("time asc", "n = 1", [UNTIMED], 3),
        ("time asc", "n = 2", [UNTIMED], 8),
        ("time asc", "n = 3", [UNTIMED], 9),
        ("time asc", "spans = [{ first = 1, n = 1 }]", [UNTIMED], 3),
        ("time asc", "n = 9, marks = 1", [score("a", round=1, points=20)], 8),
        ("time asc", "n = 1", [UNTIMED, adjustment("a", round=3, time=70)], 1),
        ("time", "n = 2", [UNTIMED, score("a", round=4, points=40, time=-7)], 8),
        ("time", "n = 3", [UNTIMED, score("a", round=4, points=40, time=-7)], 48),
    ],
)
def test_what_lacks_the_metric_is_behind_what_has_it(by: str, keep: str, more: list[Any], points: int) -> None:
    text = RULES.format(by=by, keep=keep)
    given(text).events(*TIMED, *more).then.board().is_([(1, "a", points)])


def test_of_the_marks_of_one_event_the_last_one_has_the_last_value_on_boards_of_every_shape() -> None:
    text = """
    game = "g"
    [metrics.points]
    [sources.plain]
    origin = "score"
    [sources.doubled]
    origin = "score"
    per = { points = 1 }
    [boards.running]
    rank_by = ["points desc"]
    metrics = { points = { op = "last", of = "points" } }
    [boards.kept]
    rank_by = ["points desc"]
    metrics = { points = { op = "last", of = "points" }, streak = { op = "streak" } }
    """
    then = given(text).events(score("a", points=5)).then
    then.board("kept").is_([(1, "a", 10, 2)])
    then.board("running").is_([(1, "a", 10)])


def test_a_score_that_two_sources_make_marks_of_has_two_that_count_or_do_not() -> None:
    text = """
    game = "g"
    [metrics.points]
    [sources.once]
    origin = "score"
    [sources.again]
    origin = "score"
    [boards.b]
    rank_by = ["points desc"]
    keep = { mode = "best", by = "points", n = 3 }
    metrics = { points = { op = "sum", of = "points" } }
    """
    given(text).events(score("a", points=5), score("a", points=3)).then.board().is_([(1, "a", 13)])
