"""Contributions: weights by kind, caps per day, copies by repository, windows of the last days."""

import json
from typing import Any

import pytest

from engine.rules import Game
from schemas.errors import InvalidRuleset
from schemas.ruleset import parse
from tests.given import Fields, decoded, given, score

RULES = """
game = "g"
time_zone = "Europe/Berlin"
[metrics.points]
scale = 1
[metrics.commits]
[metrics.reviews]
[metrics.pull_requests]
[metrics.issues]
scale = 1

[sources.score]
origin = "score"
per = { commits = 1, reviews = 2.5, pull_requests = 10, issues = 0.5 }
bonuses = [
    { points = 5, where = { kind = "pull_request", merged = true } },
    { points = 1, where = { reviews = { min = 2 } } },
]
[sources.adjustment]
origin = "adjustment"

[boards.b]
rank_by = ["points desc"]
segments = { repo = "mark" }
windows = [7, 30]
[boards.b.metrics]
points = { op = "sum", of = "points", caps = [
    { most = 6, where = { kind = "commit" } },
    { most = 8, per = "week", where = { kind = "review" } },
] }
commits = { op = "sum", of = "commits" }
"""
DAY_MS = 86_400_000
MONDAY = "2026-03-02T12:00:00Z"


def did(player: str, kind: str, *, at: str | int = MONDAY, repo: str = "tools", count: Any = 1, **more: Any) -> Fields:
    metric = {"pull_request": "pull_requests"}.get(kind, kind + "s")
    return score(player, at=at, attributes={"kind": kind, "repo": repo, **more}, **{metric: count})


def test_each_kind_has_its_weight() -> None:
    events = [
        did("ann", "commit"),
        did("bob", "review"),
        did("cyd", "pull_request"),
        did("dan", "issue", count="1.5"),
        did("eve", "pull_request", merged=True),
        did("fay", "review", count=2),
        score("gus", at=MONDAY, commits=1, issues=2, points="0.1"),
    ]
    given(RULES).events(*events).then.board().is_([
        (1, "eve", "15.0", 0),
        (2, "cyd", "10.0", 0),
        (3, "fay", "6.0", 0),
        (4, "bob", "2.5", 0),
        (5, "gus", "2.1", 1),
        (6, "ann", "1.0", 1),
        (7, "dan", "0.8", 0),
    ])  # fmt: skip


def test_a_day_counts_up_to_its_cap_and_all_of_it_in_other_metrics() -> None:
    monday = [did("ann", "commit") for _ in range(9)]
    # Half an hour before and after midnight in Berlin.
    tuesday = [did("ann", "commit", at="2026-03-03T22:30:00Z") for _ in range(4)]
    wednesday = [did("ann", "commit", at="2026-03-03T23:30:00Z") for _ in range(7)]
    reviews = [did("ann", "review", at=f"2026-03-0{day}T09:00:00Z") for day in (2, 3, 5, 6, 9)]
    board = given(RULES).events(*monday, *tuesday, *wednesday, *reviews).then.board()
    board.is_([(1, "ann", str(6.0 + 4 + 6 + 8 + 2.5), 20)])


def test_each_repository_has_its_own_board_and_caps() -> None:
    events = [did("ann", "commit", repo=repo, count=5) for repo in ("tools", "docs")] + [did("bob", "pull_request")]
    state = given(RULES).events(*events).then.state
    shown = {
        segment: {player: row.prefix is not None and plan.decode(row.prefix, row.extra)["points"]}
        for (board, period, segment), table in state.tables.items()
        if (plan := state.game.boards[board]) and period == "all"
        for player, row in table.rows.items()
        if player == "ann"
    }
    assert shown == {"": {"ann": "6.0"}, "repo:tools": {"ann": "5.0"}, "repo:docs": {"ann": "5.0"}}


def test_windows_end_with_the_present_day() -> None:
    first = 1_772_452_800_000  # 2026-03-02T12:00:00Z
    events = [did("ann", "pull_request", at=first), did("bob", "issue", at=first + 6 * DAY_MS)]
    then = given(RULES).events(*events).then
    then.board(period="last:7d").is_([(1, "ann", "10.0", 0), (2, "bob", "0.5", 0)])
    tick = {"type": "tick", "at": first + 7 * DAY_MS}
    then = given(RULES).events(*events, tick).then
    then.board(period="last:7d").is_([(1, "bob", "0.5", 0)])
    then.board(period="last:30d").ranks((1, "ann"), (2, "bob"))
    then.board(period="all").ranks((1, "ann"), (2, "bob"))


@pytest.mark.parametrize("value", ["", "a\nb", "x" * 129])
def test_a_value_that_names_no_segment_is_refused(value: str) -> None:
    game = Game(parse(RULES))
    (event,) = decoded("g", [did("ann", "commit", repo=value)])
    assert [problem.field for problem in game.check(event)] == ["attributes.repo"]


def test_segments_of_numbers_and_truth_values() -> None:
    rules = RULES.replace('repo = "mark"', 'n = "mark", done = "mark"')
    state = given(rules).events(score("ann", commits=1, attributes={"n": 7, "done": True})).then.state
    assert {segment for _, period, segment in state.tables if period == "all"} == {"", "n:7", "done:true"}


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("most = 6", "most = -1", "boards.b.metrics.points.caps[0].most: at least 0"),
        ("[7, 30]", "[7, 7]", "boards.b.windows: days, 1 to 3660, each once"),
        ("[7, 30]", "[0]", "boards.b.windows: days, 1 to 3660, each once"),
        ("[7, 30]", json.dumps(list(range(1, 10))), "boards.b.windows: at most 8 windows"),
        (
            'repo = "mark"',
            ", ".join(f'a{n} = "mark"' for n in range(9)),
            "boards.b.segments: at most 8 attributes: each of their values is a copy of the board",
        ),
        (
            '"points desc"]',
            '"points desc", { head_to_head = ["points"] }]',
            "boards.b.windows: head_to_head looks at all marks, so a board has windows or head_to_head",
        ),
        ('op = "sum", of = "commits"', 'op = "count", caps = [{ most = 1 }]',
         "boards.b.metrics.commits.caps: count has no `caps`; only sum does"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_caps_windows_and_segments_is_named(old: str, new: str, problem: str) -> None:
    assert old in RULES
    with pytest.raises(InvalidRuleset) as error:
        parse(RULES.replace(old, new))
    assert [str(found).partition(" (line ")[0] for found in error.value.problems] == [problem]
