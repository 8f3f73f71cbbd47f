"""Boards, told aloud: ranks and ties, which marks count, conditions, reached, and what a metric is made of."""

from typing import Any

import pytest

from engine.rules import Game
from schemas.errors import Problem
from schemas.ruleset import parse
from tests.given import adjustment, decoded, given, line, result, rules, score

TIES = [score(name, points=points) for name, points in zip("abcdefg", (9, 8, 8, 7, 6, 6, 6), strict=True)]


@pytest.mark.parametrize(
    ("style", "ranks"),
    [
        ("competition", [1, 2, 2, 4, 5, 5, 5]),
        ("dense", [1, 2, 2, 3, 4, 4, 4]),
        ("ordinal", [1, 2, 3, 4, 5, 6, 7]),
        ("modified", [1, 3, 3, 4, 7, 7, 7]),
    ],
)
def test_rank_styles(style: str, ranks: list[int]) -> None:
    board = given(rules(f'ranks = "{style}"')).events(*reversed(TIES)).then.board()
    board.ranks(*zip(ranks, "abcdefg", strict=True))


def test_ascending_descending_and_several_criteria() -> None:
    text = rules(
        rank_by='["wins desc", "time asc"]',
        declared="[metrics.wins]\n[metrics.time]\nscale = 2",
        metrics='wins = { op = "sum", of = "wins" }\ntime = { op = "min", of = "time" }',
    )
    given(text).events(
        score("a", wins=1, time="9.50"),
        score("b", wins=2, time="12.00"),
        score("c", wins=2, time="11.99"),
        score("d", wins=2),
        score("e", wins=-1, time="-3.5"),
    ).then.board().is_(
        [(1, "c", 2, "11.99"), (2, "b", 2, "12.00"), (3, "d", 2, None), (4, "a", 1, "9.50"), (5, "e", -1, "-3.50")]
    )


def test_sums_are_exact_where_floats_are_not() -> None:
    text = rules(declared="[metrics.points]\nscale = 1", rank_by='["points desc"]')
    given(text).events(*[score("a", points="0.1")] * 3, score("b", points="0.3")).then.board().is_(
        [(1, "a", "0.3"), (1, "b", "0.3")]
    )


def test_integers_above_2_to_the_53_are_told_apart() -> None:
    big = 1 << 53
    given(rules(declared="[metrics.points]\nbig = true")).events(
        score("a", points=big), score("b", points=big + 1), score("c", points=9 * 10**27), score("c", points=9 * 10**27)
    ).then.board().is_([(1, "c", str(18 * 10**27)), (2, "b", str(big + 1)), (3, "a", str(big))])


@pytest.mark.parametrize("value", ["5", "5.0", "5.00"])
def test_a_whole_number_may_be_written_as_a_decimal(value: str) -> None:
    given(rules()).events(score("a", points=value), score("a", points=2)).then.board().is_([(1, "a", 7)])


def test_finer_digits_are_rounded_where_the_rules_say_so() -> None:
    text = rules(declared='[metrics.points]\nrounding = "half_up"')
    given(text).events(score("a", points="1.5"), score("b", points="1.49")).then.board().is_([(1, "a", 2), (2, "b", 1)])


RUN = "[metrics.points]\n[metrics.time]\n[metrics.coins]"
OF_A_RUN = (
    "points = { op = '%s', of = 'points' }\ntime = { op = '%s', of = 'time' }\ncoins = { op = '%s', of = 'coins' }"
)


@pytest.mark.parametrize("op", ["max", "min", "sum", "last", "first"])
def test_the_best_run_never_mixes_two_runs(op: str) -> None:
    text = rules('keep = { mode = "best", by = "points" }', declared=RUN, metrics=OF_A_RUN % (op, op, op))
    given(text).events(
        score("a", points=10, time=1, coins=99),
        score("a", points=30, time=5),
        score("a", points=20, time=3, coins=100),
    ).then.board().is_([(1, "a", 30, 5, 0 if op == "sum" else None)])


@pytest.mark.parametrize(
    ("keep", "shown"),
    [
        ('mode = "best", by = "points"', (30, 5)),
        ('mode = "best", by = "points asc"', (10, 1)),
        ('mode = "best", by = "time desc"', (30, 5)),
        ('mode = "latest"', (20, 3)),
        ('mode = "first"', (10, 1)),
        ('mode = "best", by = "points", n = 2', (50, 8)),
        ('mode = "latest", n = 2', (50, 8)),
        ('mode = "first", n = 2', (40, 6)),
        ('mode = "first", n = 9', (60, 9)),
        ('mode = "all"', (60, 9)),
    ],
)
def test_which_marks_count(keep: str, shown: tuple[int, int]) -> None:
    runs = [
        score("a", at=1, points=10, time=1),
        score("a", at=2, points=30, time=5),
        score("a", at=3, points=20, time=3),
    ]
    metrics = "points = { op = 'sum', of = 'points' }\ntime = { op = 'sum', of = 'time' }"
    specification = rules(f"keep = {{ {keep} }}", declared=RUN, metrics=metrics)
    for order in (runs, runs[::-1], [runs[1], runs[2], runs[0]]):
        given(specification).events(*order).then.board().is_([(1, "a", *shown)])


def test_of_equal_runs_the_earlier_one_counts() -> None:
    metrics = "points = { op = 'max', of = 'points' }\ntime = { op = 'max', of = 'time' }"
    early, late = score("a", at=1, points=10, time=1), score("a", at=2, points=10, time=2)
    for keep in ('mode = "best", by = "points"', 'mode = "best", by = "points", n = 1, per = "mark"'):
        text = rules(f"keep = {{ {keep} }}", declared=RUN, metrics=metrics)
        for order in ([early, late], [late, early]):
            given(text).events(*order).then.board().is_([(1, "a", 10, 1)])


@pytest.mark.parametrize("n", [1, 2])
def test_who_has_no_mark_that_counts_is_not_ranked(n: int) -> None:
    text = rules(f'keep = {{ mode = "best", by = "time", n = {n} }}', declared=RUN)
    given(text).events(score("a", points=5), score("b", points=3, time=1)).then.board().ranks((1, "b"))


ROUNDS = 'keep = { mode = "best", by = "points", per = "round", %s }'


@pytest.mark.parametrize(
    ("keep", "points"),
    [
        ("n = 1", 9),
        ("n = 2", 16),
        ("n = 9", 28),
        ("n = 2, marks = 1", 15),
        ("spans = [{ first = 1, last = 2, n = 1 }, { first = 3, n = 1 }]", 16),
        ("spans = [{ first = 1, last = 2 }]", 12),
        ("spans = [{ first = 3, last = 3, n = 1 }, { first = 1, last = 1 }]", 14),
        ("spans = [{ first = 9 }]", None),
    ],
)
def test_the_best_rounds_within_spans(keep: str, points: int | None) -> None:
    # Round 1: 3 + 2 = 5; round 2: 4 + 3 = 7; round 3: 8 + 1 = 9; round 4: 7.
    by_round = {1: (3, 2), 2: (4, 3), 3: (8, 1), 4: (7,)}
    marks = [score("a", round=number, points=value) for number, values in by_round.items() for value in values]
    board = given(rules(ROUNDS % keep)).events(*marks).then.board()
    board.is_([] if points is None else [(1, "a", points)])


@pytest.mark.parametrize(("mode", "points"), [("latest", 16), ("first", 12)])
def test_the_first_or_the_latest_rounds(mode: str, points: int) -> None:
    by_round = {1: (3, 2), 2: (4, 3), 3: (8, 1), 4: (7,)}
    marks = [score("a", round=number, points=value) for number, values in by_round.items() for value in values]
    text = rules(f'keep = {{ mode = "{mode}", n = 2, per = "round" }}')
    given(text).events(*marks).then.board().is_([(1, "a", points)])


def test_an_adjustment_of_a_round_stands_or_falls_with_it() -> None:
    given(rules(ROUNDS % "n = 1")).events(
        score("a", round=1, points=5),
        score("a", round=2, points=4),
        adjustment("a", round=1, points=-2),
        adjustment("a", points=-1),
    ).then.board().is_([(1, "a", 3)])


@pytest.mark.parametrize(
    ("op", "expected"), [("sum", 6), ("max", 5), ("min", -1), ("last", -1), ("first", 2), ("count", 3)]
)
def test_operations(op: str, expected: int) -> None:
    of = "" if op == "count" else ', of = "points"'
    text = rules(metrics=f'points = {{ op = "{op}"{of} }}')
    runs = [score("a", at=1, points=2), score("a", at=2, points=5), score("a", at=3, points=-1)]
    for order in (runs, runs[::-1]):
        given(text).events(*order).then.board().is_([(1, "a", expected)])


def test_metrics_over_all_marks_beside_those_of_the_kept_ones() -> None:
    metrics = 'points = { op = "sum", of = "points" }\nruns = { op = "count", over = "all" }\nkept = { op = "count" }'
    text = rules('keep = { mode = "best", by = "points" }', metrics=metrics)
    given(text).events(*[score("a", points=value) for value in (1, 7, 3)]).then.board().is_([(1, "a", 7, 3, 1)])


@pytest.mark.parametrize(
    ("where", "counted"),
    [
        ('kind = "sprint"', {2}),
        ('kind = ["sprint", "race"]', {1, 2}),
        ("kind = { exists = false }", {3, 4}),
        ("kind = { exists = true }", {1, 2}),
        ("wet = true", {1}),
        ("laps = 1", {2}),
        ("round = 7", {1}),
        ("round = { min = 2, max = 7 }", {1, 2}),
        ("points = { above = 1, below = 8 }", {2, 4}),
        ("points = [1, 8]", {1, 8}),
        ("points = 1.0", {1}),
        ("points = [8.0]", {8}),
        ("laps = { min = 1.5 }", set()),
        ('kind = "race", wet = true', {1}),
        ('kind = "sprint", wet = true', set()),
        ("nobody = 1", set()),
    ],
)
def test_conditions(where: str, counted: set[int]) -> None:
    events = [
        score("a", points=1, round=7, attributes={"kind": "race", "wet": True}),
        score("a", points=2, round=2, attributes={"kind": "sprint", "wet": False, "laps": 1}),
        score("a", points=4, round="final", attributes={"laps": True}),
        score("a", points=8),
    ]
    worth = {1: 1, 2: 2, 3: 4, 4: 8, 8: 8}
    if where.startswith("points"):
        expected = sum({1: 1, 2: 2, 4: 4, 8: 8}[value] for value in counted)
    else:
        expected = sum(worth[value] for value in counted)
    board = given(rules(f"where = {{ {where} }}")).events(*events).then.board()
    board.is_([(1, "a", expected)] if counted else [])
    if counted:
        filtered = f'points = {{ op = "sum", of = "points", where = {{ {where} }} }}'
        given(rules(metrics=filtered)).events(*events).then.board().is_([(1, "a", expected)])


def test_conditions_compare_metrics_at_their_scale() -> None:
    text = rules("where = { points = [5e-1, 2, 3E+1] }", declared="[metrics.points]\nscale = 2")
    given(text).events(
        *[score(name, points=name) for name in ("0.5", "0.50", "2", "2.00", "0.05", "30")]
    ).then.board().ranks((1, "30"), (2, "2"), (2, "2.00"), (4, "0.5"), (4, "0.50"))


def test_who_does_not_qualify_is_not_ranked() -> None:
    text = rules(
        "qualify = { runs = { min = 2 }, points = { above = 0.5 } }",
        declared="[metrics.points]\nscale = 1",
        metrics='points = { op = "sum", of = "points" }\nruns = { op = "count" }',
    )
    given(text).events(
        score("a", points=9),
        score("b", points="0.2"),
        score("b", points="0.4"),
        score("c", points="0.1"),
        score("c", points="0.4"),
    ).then.board().is_([(1, "b", "0.6", 2)])


@pytest.mark.parametrize(
    "keep", ["", 'keep = { mode = "best", by = "points" }', 'keep = { mode = "best", by = "points", n = 3 }']
)
def test_who_reached_it_first_is_ahead(keep: str) -> None:
    text = rules(keep, rank_by='["points desc", "reached"]', metrics="points = { op = 'max', of = 'points' }")
    events = [
        score("late", at=30, points=5),
        score("early", at=20, points=5),
        score("early", at=40, points=5),
        score("low", at=10, points=4),
        score("low", at=50, points=3),
    ]
    for order in (events, events[::-1]):
        given(text).events(*order).then.board().order("early", "late", "low")


@pytest.mark.parametrize("keep", ["", 'keep = { mode = "all", n = 2 }'])
def test_a_sum_is_reached_with_the_last_mark_that_changed_it(keep: str) -> None:
    text = rules(keep, rank_by='["points desc", "reached"]')
    events = [
        score("a", at=10, points=2), score("a", at=40, points=3), score("a", at=60, points=0),
        score("b", at=20, points=4), score("b", at=30, points=1),
        score("c", at=50, points=5), score("none", at=5, points=0), score("nil", at=70, points=0),
    ]  # fmt: skip
    for order in (events, events[::-1]):
        given(text).events(*order).then.board().is_(
            [(1, "b", 5), (2, "a", 5), (3, "c", 5), (4, "nil", 0), (4, "none", 0)]
        )


@pytest.mark.parametrize(
    "keep", ["", 'keep = { mode = "best", by = "points" }', 'keep = { mode = "best", by = "points", n = 2 }']
)
def test_an_adjustment_that_changes_a_metric_moves_when_it_was_reached(keep: str) -> None:
    text = rules(keep, rank_by='["points desc", "reached"]')
    given(text).events(
        score("a", at=10, points=3), adjustment("a", at=90, points=2), score("b", at=80, points=5)
    ).then.board().order("b", "a")


@pytest.mark.parametrize(
    "keep", ["", 'keep = { mode = "best", by = "points" }', 'keep = { mode = "best", by = "points", n = 2 }']
)
@pytest.mark.parametrize("least", ["", "\nmin = 0"])
def test_a_run_worth_nothing_after_an_adjustment_changes_nothing(keep: str, least: str) -> None:
    text = rules(
        keep,
        rank_by='["points desc", "reached"]',
        declared=f"[metrics.points]{least}",
        metrics="points = { op = 'max', of = 'points' }",
    )
    given(text).events(
        adjustment("a", at=10, points=2), score("a", at=30, points=0), score("b", at=20, points=2)
    ).then.board().order("a", "b")
    if not least:
        given(text).events(
            adjustment("a", at=10, points=2),
            score("a", at=30, points=0),
            score("a", at=15, points=-1),
            score("b", at=20, points=2),
        ).then.board().order("b", "a")


def test_reached_looks_at_the_criteria_before_it_only() -> None:
    text = rules(
        rank_by='["points desc", "reached", "runs asc"]',
        metrics="points = { op = 'max', of = 'points' }\nruns = { op = 'count' }",
    )
    given(text).events(
        score("a", at=10, points=5), score("b", at=20, points=5), score("a", at=30, points=1)
    ).then.board().is_([(1, "a", 5, 2), (2, "b", 5, 1)])


@pytest.mark.parametrize("keep", ["", 'keep = { mode = "latest" }'])
def test_the_last_value_is_reached_when_it_last_became_another(keep: str) -> None:
    text = rules(keep, rank_by='["points desc", "reached"]', metrics="points = { op = 'last', of = 'points' }")
    events = [
        score("a", at=10, points=5), score("a", at=40, points=5),
        score("b", at=20, points=5),
        score("c", at=5, points=5), score("c", at=30, points=4), score("c", at=35, points=5),
    ]  # fmt: skip
    for order in (events, events[::-1]):
        given(text).events(*order).then.board().order("a", "b", "c")


COUNTBACK = rules('sources = ["race"]', rank_by='["points desc", { countback = "position", places = 3 }]', head="")
RACE = '\n[sources.race]\norigin = "placements"\npoints = [3, 2, 2, 1]\n'


def test_countback_more_firsts_then_more_seconds() -> None:
    # a: 1st and 4th, b: 2nd and 3rd, c: 3rd and 2nd, d: 4th and 1st; all have 4 points.
    given(COUNTBACK + RACE).events(
        result("r1", "a", "b", "c", "d"), result("r2", "d", "c", "b", "a")
    ).then.board().ranks((1, "a"), (1, "d"), (3, "b"), (3, "c"))
    third = result("r3", line("a", 3), line("d", 2))
    given(COUNTBACK + RACE).events(
        result("r1", "a", "b", "c", "d"), result("r2", "d", "c", "b", "a"), third
    ).then.board().ranks((1, "d"), (2, "a"), (3, "b"), (3, "c"))


def test_countback_over_scores_that_carry_a_position() -> None:
    text = rules(rank_by='["points desc", { countback = "position" }]')
    given(text).events(
        score("a", points=5, attributes={"position": 2}),
        score("b", points=5, attributes={"position": 1}),
        score("c", points=5),
    ).then.board().order("b", "a", "c")


def test_countback_counts_dropped_marks_too_and_only_those_that_meet_its_condition() -> None:
    text = rules(
        'sources = ["race"]\nkeep = { mode = "best", by = "points", per = "round", n = 1 }',
        rank_by='["points desc", { countback = "position", where = { kind = "race" } }]',
    )
    sprint = result("s1", line("a", 1), round=3, attributes={"kind": "sprint"})
    given(text + RACE).events(
        result("r1", "a", "b", round=1, attributes={"kind": "race"}),
        result("r2", "b", "a", round=2, attributes={"kind": "race"}),
        sprint,
        result("r4", line("b", 2), round=4, attributes={"kind": "race"}),
    ).then.board().order("b", "a")


def problems(text: str, fields: dict[str, Any]) -> list[Problem]:
    """What a ruleset forbids about an event."""
    loaded = parse(text)
    return Game(loaded).check(decoded(loaded.game, [fields])[0])


def test_what_a_ruleset_forbids_about_an_event() -> None:
    text = rules(declared="[metrics.points]\nscale = 1\nmin = 0\nmax = 10") + RACE
    assert problems(text, score("a", points="1.5")) == []
    assert problems(text, score("a", points="1.55")) == [Problem("values.points", "at most 1 digits behind the point")]
    assert problems(text, score("a", points=-1)) == [Problem("values.points", "at least 0")]
    assert problems(text, score("a", points="10.1")) == [Problem("values.points", "at most 10")]
    assert problems(text, score("a", goals=1)) == [Problem("values.goals", "unknown metric; this game declares points")]
    assert problems(text, adjustment("a", points=-1)) == []
    assert problems(text, adjustment("a", points=1, board="c")) == [Problem("board", "unknown board; this game has b")]
    assert problems(text, result("r", line("a", 1, values={"points": 1}), line("b", 2, values={"goals": 1}))) == [
        Problem("placements[1].values.goals", "unknown metric; this game declares points")
    ]


def test_a_number_that_grows_too_large_by_its_scale_is_refused() -> None:
    text = rules(declared="[metrics.points]\nscale = 12")
    assert problems(text, score("a", points=10**16)) == []
    assert problems(text, score("a", points=10**17)) == [Problem("values.points", "a number needs at most 95 bits")]
