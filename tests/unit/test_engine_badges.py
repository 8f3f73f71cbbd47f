"""Badges: when they are awarded, that they stay, and that nothing else moves because of them."""

from typing import Any

import pytest

from engine.badges import Award, Badged
from engine.digest import digest_of
from engine.fold import Fold
from schemas.errors import InvalidRuleset
from schemas.ruleset import parse
from tests.given import adjustment, given, result, rules, score

TEN = "[boards.b.badges.ten]\nwhere = { points = { min = 10 } }"


def badged(badges: str = TEN, **more: Any) -> str:
    return rules(**more) + badges


def awards(state: Fold) -> list[tuple[str, str, int]]:
    """(player, badge, the millisecond of the event's position)."""
    return [(award.player, award.badge, award.moment.ms) for award in state.awards]


def test_a_badge_is_awarded_once_with_the_position_of_the_event() -> None:
    events = [score("ann", points=4), score("ann", points=6, at=99), score("ann", points=6), score("bob", points=12)]
    then = given(badged()).events(*events).then
    assert awards(then.state) == [("ann", "ten", 99), ("bob", "ten", 101)]
    assert then.state.awards[0] == Award("b", "all", "ann", "ten", (1, 0, 99, 0, 99))
    then.board().is_([(1, "ann", 16), (2, "bob", 12)])


def test_a_badge_stays_when_a_correction_takes_the_points_back() -> None:
    events = [score("ann", points=12), adjustment("ann", points=-5), adjustment("ann", points=5)]
    then = given(badged()).events(*events).then
    assert awards(then.state) == [("ann", "ten", 1)]
    then.board().is_([(1, "ann", 12)])


KEEPS = ["", 'keep = { mode = "best", by = "points", n = 9 }', 'keep = { mode = "best", by = "points" }']


@pytest.mark.parametrize("keep", KEEPS)
def test_what_a_void_takes_away_can_earn_a_badge(keep: str) -> None:
    """At once, and not when the player's next event comes."""
    text = badged(
        "[boards.b.badges.clean]\nwhere = { points = { min = 3, max = 5 } }",
        board=keep,
        metrics='points = { op = "max", of = "points" }',
    )
    said = [{**score("ann", points=4), "id": "a"}, {**score("ann", points=9), "id": "b"}]
    for events in (said, said[::-1]):
        state = given(text).events(*events, {"type": "void", "event": "b", "reason": "a mistake"}).then.state
        when = 1 if events is said else 3
        assert awards(state) == [("ann", "clean", when)]


def test_every_period_awards_its_own() -> None:
    text = badged(board='periods = ["all", "daily"]')
    events = [
        score("ann", points=6, at="2026-02-08T10:00:00Z"),
        score("ann", points=12, at="2026-02-09T10:00:00Z"),
    ]
    found = given(text).events(*events).then.state.awards
    assert [(award.board, award.period) for award in found] == [("b", "all"), ("b", "daily:2026-02-09")]


def test_segments_award_none() -> None:
    text = badged(board='segments = { team = "mark" }')
    state = given(text).events(score("ann", points=12, attributes={"team": "red"})).then.state
    assert ("b", "all", "team:red") in state.tables
    assert len(state.awards) == 1


RACES = """
game = "g"
[metrics.points]
[sources.race]
origin = "placements"
points = [5, 3, 1]
[boards.b]
rank_by = ["points desc"]
qualify = { races = { min = 3 } }
metrics = { points = { op = "sum", of = "points" }, races = { op = "count" }, worst = { op = "min", of = "points" } }
badges.never-last = { where = { worst = { min = 3 }, races = { min = 2 } } }
badges.winner = { where = { points = { min = 5 } } }
"""


def test_a_revision_is_judged_when_it_is_whole() -> None:
    """Between withdrawing the old result and adding the new one ann's worst place would be better than it ever was."""
    events = [
        result("f3", "cid", "bob", "ann", occurred_at=3_000),
        result("f1", "ann", "bob", "cid", occurred_at=1_000),
        result("f2", "bob", "ann", "cid", occurred_at=2_000),
        result("f3", "cid", "bob", "dan", "ann", revision=2, occurred_at=3_000),
    ]
    state = given(RACES).events(*events).then.state
    assert {(award.player, award.badge) for award in state.awards} == {
        ("ann", "winner"),
        ("bob", "winner"),
        ("bob", "never-last"),
        ("cid", "winner"),
    }
    assert [row.state.badges.keys() for _, row in sorted(state.tables["b", "all", ""].rows.items())] == [
        {"winner"},
        {"winner", "never-last"},
        {"winner"},
        set(),
    ]


def test_who_does_not_qualify_to_be_ranked_still_earns_badges() -> None:
    then = given(RACES).events(result("f1", "ann")).then
    then.board().is_([])
    assert [(award.player, award.badge) for award in then.state.awards] == [("ann", "winner")]


@pytest.mark.parametrize(
    "board",
    [
        "",
        'keep = { mode = "best", by = "points" }',
        'keep = { mode = "best", by = "points", n = 2 }',
        'keep = { mode = "latest", n = 3 }',
    ],
)
def test_every_shape_remembers_its_badges(board: str) -> None:
    state = given(badged(board=board)).events(score("ann", points=11), adjustment("ann", points=-9)).then.state
    [table] = state.tables.values()
    assert isinstance(table.shape, Badged)
    row = table.rows["ann"]
    dumped = table.shape.dump(row.state)
    assert b'"ten"' in dumped
    read = table.shape.load(dumped)
    assert table.shape.dump(read) == dumped
    assert read.fresh == []
    assert table.shape.result(read) == (row.prefix, row.extra)


def test_places_are_those_of_the_board_without_badges() -> None:
    events = [score("ann", points=12), score("bob", points=3), adjustment("ann", points=-4), score("bob", points=8)]
    with_badges, without = given(badged()).events(*events).then, given(rules()).events(*events).then
    assert with_badges.board().lines == without.board().lines
    assert str(digest_of(with_badges.state)) != str(digest_of(without.state))


def test_the_language_refuses_badges_without_a_condition_or_of_unknown_metrics() -> None:
    with pytest.raises(InvalidRuleset, match="at least one condition"):
        parse(badged("[boards.b.badges.x]\nwhere = {}"))
    with pytest.raises(InvalidRuleset, match="unknown metric"):
        parse(badged("[boards.b.badges.x]\nwhere = { goals = { min = 1 } }"))
