"""Head-to-head among those who are level, and the lot: what they decide, and when they are drawn up anew."""

import pytest

from engine import headtohead
from engine.fold import Fold, number
from engine.lots import LOT_BYTES, draw
from engine.rules import Game, ranked_by
from schemas.errors import InvalidRuleset
from schemas.ruleset import parse
from tests.given import Fields, Given, adjustment, decoded, given, player, rules, score

DUEL = 'points = { op = "sum", of = "points" }\ngoals = { op = "sum", of = "goals" }'
DECLARED = "[metrics.points]\n[metrics.goals]"
MINI = '["points desc", { head_to_head = ["points desc", "goals desc"] }, "goals desc"]'


def league(rank_by: str = MINI, board: str = "") -> Given:
    return given(rules(board, rank_by=rank_by, metrics=DUEL, declared=DECLARED))


def duel(home: str, away: str, goals: tuple[int, int]) -> list[Fields]:
    """Two scores, one a side: 3 points for a win, 1 for a draw."""
    ours, theirs = goals
    points = {True: (3, 0), False: (0, 3)}[ours > theirs] if ours != theirs else (1, 1)
    return [
        score(home, points=points[0], goals=ours, attributes={"opponent": away}),
        score(away, points=points[1], goals=theirs, attributes={"opponent": home}),
    ]


ROUND = [*duel("ann", "bob", (1, 0)), *duel("bob", "cid", (5, 0)), *duel("cid", "ann", (3, 1))]
"""Three players with 3 points each; goals: bob 5, cid 3, ann 2."""


def test_two_level_players_are_parted_by_their_own_match() -> None:
    shown = league().events(*duel("ann", "bob", (0, 1)), *duel("ann", "cid", (7, 0)), *duel("cid", "bob", (1, 0)))
    shown.events(*duel("cid", "ann", (0, 0)))
    # ann has 4 points, cid 4, bob 3: ann and cid are level, and ann won 7 to 0.
    shown.then.board().is_([(1, "ann", 4, 7, 4, 7), (2, "cid", 4, 1, 1, 0), (3, "bob", 3, 1, None, None)])


def test_three_level_players_make_one_table_of_their_own() -> None:
    shown = league().events(
        *duel("ann", "bob", (1, 0)),
        *duel("bob", "cid", (3, 0)),
        *duel("cid", "ann", (2, 0)),
        # Against others, all of them the same points and a lot of goals for cid.
        *duel("cid", "dan", (9, 0)),
        *duel("ann", "dan", (1, 0)),
        *duel("bob", "dan", (1, 0)),
    )
    # Among the three each has 3 points; goals there: bob 3, cid 2, ann 1.
    shown.then.board().is_(
        [
            (1, "bob", 6, 4, 3, 3),
            (2, "cid", 6, 11, 3, 2),
            (3, "ann", 6, 2, 3, 1),
            (4, "dan", 0, 0, None, None),
        ]
    )


def test_what_stays_level_falls_through_to_the_next_criterion() -> None:
    shown = league().events(*duel("ann", "bob", (1, 1)), *duel("ann", "dan", (1, 0)), *duel("bob", "dan", (5, 0)))
    shown.then.board().is_([(1, "bob", 4, 6, 1, 1), (2, "ann", 4, 2, 1, 1), (3, "dan", 0, 0, None, None)])


def test_a_second_table_among_those_whom_the_first_left_level() -> None:
    four = league('["points desc", { head_to_head = ["points desc"] }, { head_to_head = ["goals desc"] }]').events(
        # Each of the four has 6 points, ann and bob 6 of them among the four; cid and dan 3.
        *duel("ann", "cid", (1, 0)),
        *duel("ann", "dan", (1, 0)),
        *duel("bob", "cid", (4, 0)),
        *duel("bob", "dan", (4, 0)),
        *duel("cid", "dan", (2, 1)),
        *duel("dan", "cid", (1, 0)),
        *duel("cid", "eve", (9, 0)),
        *duel("dan", "eve", (1, 0)),
        *duel("ann", "bob", (0, 0)),
        *duel("eve", "ann", (1, 0)),
    )
    four.events(adjustment("ann", points=-1), adjustment("bob", points=-1))
    # All four are level on 6. In the second table only the goals between ann and bob (none), and cid and dan, count.
    four.then.board().ranks((1, "ann"), (1, "bob"), (3, "cid"), (3, "dan"), (5, "eve"))
    four.events(*duel("bob", "ann", (1, 0)), adjustment("bob", points=-3))
    four.then.board().ranks((1, "bob"), (2, "ann"), (3, "cid"), (3, "dan"), (5, "eve"))


def test_the_group_is_drawn_up_anew_when_somebody_joins_or_leaves_it() -> None:
    league().events(*ROUND).then.board().order("bob", "cid", "ann")
    # cid leaves it: between ann and bob only their match counts.
    league().events(*ROUND, adjustment("cid", points=-1)).then.board().order("ann", "bob", "cid")
    league().events(*ROUND, player("cid", "banned")).then.board().order("ann", "bob")
    league().events(*ROUND, player("cid", "banned"), player("cid", "active")).then.board().order("bob", "cid", "ann")


def test_who_does_not_qualify_is_no_part_of_the_group() -> None:
    shown = league(board="qualify = { goals = { min = 2 } }").events(*ROUND, adjustment("cid", goals=-2))
    shown.then.board().order("ann", "bob")


def test_points_taken_off_count_in_the_table_but_not_between_the_players() -> None:
    shown = league().events(*duel("ann", "bob", (1, 0)), *duel("bob", "dan", (1, 0)), *duel("ann", "dan", (1, 0)))
    shown.events(adjustment("ann", points=-3), adjustment("bob", goals=50))
    shown.then.board().is_([(1, "ann", 3, 2, 3, 1), (2, "bob", 3, 51, 0, 0), (3, "dan", 0, 0, None, None)])


def test_rows_that_no_event_touched_are_among_the_changes() -> None:
    state = Fold(Game(parse(league().text)))
    log = list(number(decoded("g", [*ROUND, adjustment("cid", points=-1)])))
    for position, event in log[:-1]:
        state.apply(event, position)
    state.settle()
    before = {name: row.prefix for name, row in state.tables["b", "all", ""].rows.items()}
    state.apply(log[-1][1], log[-1][0])
    changes = {change.player: change for change in state.settle()}
    assert sorted(changes) == ["ann", "bob", "cid"]
    assert all(change.moved and change.before_prefix == before[name] for name, change in changes.items())
    assert all(change.row.prefix != before[name] for name, change in changes.items())
    assert state.settle() == []


def test_above_the_limit_the_next_criterion_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headtohead, "PLAYERS_MAX", 3)
    few = league().events(*ROUND, adjustment("ann", goals=9))
    few.then.board().order("bob", "cid", "ann")
    # A fourth player: everyone's slot is neutral, and ann has the most goals. Without him it holds again.
    many = few.events(score("dan", points=0))
    many.then.board().order("ann", "bob", "cid", "dan")
    many.events(player("dan", "banned")).then.board().order("bob", "cid", "ann")


def test_first_to_reach_looks_past_a_head_to_head() -> None:
    by = '["points desc", { head_to_head = ["points desc"] }, "reached"]'
    shown = league(by).events(score("bob", points=1), score("ann", points=1))
    shown.then.board().order("bob", "ann")


LOT = '["points desc", { lot = 7 }]'


def test_the_lot_parts_everybody_the_same_way_each_time() -> None:
    names = [f"p{at}" for at in range(30)]
    board = given(rules(rank_by=LOT)).events(*(score(name, points=1) for name in names)).then.board()
    drawn = sorted(names, key=lambda name: draw(7, "b", "all", name))
    board.order(*drawn)
    assert drawn != names
    other = given(rules(rank_by=LOT.replace("7", "8"))).events(*(score(name, points=1) for name in names))
    assert [line[1] for line in other.then.board().lines] != drawn


def test_the_lot_is_drawn_only_for_who_is_ranked_and_does_not_go_before_the_points() -> None:
    shown = given(rules(rank_by=LOT)).events(score("ann", points=1), score("bob", points=2), score("cid", points=3))
    shown.events(player("cid", "banned")).then.board().is_([(1, "bob", 2), (2, "ann", 1)])


def test_lots_differ_by_everything_but_the_time_of_asking() -> None:
    drawn = {draw(*asked) for asked in [(1, "b", "all", "p"), (2, "b", "all", "p"), (1, "c", "all", "p")]}
    drawn |= {draw(1, "b", "round:1", "p"), draw(1, "b", "all", "q"), draw(1, "b", "all", "p")}
    assert len(drawn) == 5
    assert {len(lot) for lot in drawn} == {LOT_BYTES}


def test_a_lot_is_the_last_criterion() -> None:
    with pytest.raises(InvalidRuleset, match=r"boards\.b\.rank_by\[1\]: nothing is left to decide behind a lot"):
        parse(rules(rank_by='["points desc", { lot = 1 }, "points asc"]'))


def test_the_criteria_in_words() -> None:
    by = '["points desc", { head_to_head = ["points desc", "goals asc"] }, "goals desc", { lot = 3 }]'
    assert ranked_by(Game(parse(league(by).text)).boards["b"]) == [
        "points (most first)",
        "head-to-head (points (most first), goals (least first))",
        "goals (most first)",
        "lot",
    ]


def test_who_has_badges_is_parted_like_others() -> None:
    badge = "badges = { first = { where = { points = { min = 3 } } } }"
    league(board=badge).events(*ROUND).then.board().order("bob", "cid", "ann")
