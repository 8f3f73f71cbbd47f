"""Streaks on boards: what adds, holds and starts anew, how the present one ends as days pass, and what rulesets may say."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from engine.fold import Fold
from engine.rules import Game
from schemas.errors import InvalidRuleset
from schemas.events import Tick
from schemas.position import Position
from schemas.ruleset import parse
from tests.given import Fields, adjustment, decoded, given, player, rules, score

ZONE = ZoneInfo("Europe/Berlin")
HEAD = 'time_zone = "Europe/Berlin"'
DAILY = rules(
    'periods = ["all", "weekly"]',
    rank_by='["streak desc", "longest desc"]',
    metrics='streak = { op = "streak", per = "day" }\nlongest = { op = "longest_streak", per = "day" }',
    head=HEAD,
)


def at(day: int, hour: int = 12) -> int:
    """An instant of March 2026, epoch milliseconds."""
    return int(datetime(2026, 3, day, hour, tzinfo=ZONE).timestamp()) * 1000


def played(name: str, day: int, **attributes: str) -> Fields:
    return score(name, at=at(day), points=1, attributes=attributes or None)


def tick(ms: int) -> Fields:
    return {"type": "tick", "at": ms}


def test_days_in_a_row_with_a_mark() -> None:
    log = [played("ann", 1), played("bob", 1), played("ann", 2), played("ann", 2), played("ann", 3), played("bob", 3)]
    given(DAILY).events(*log).then.board().is_([(1, "ann", 3, 3), (2, "bob", 1, 1)])


def test_the_present_streak_ends_when_a_whole_day_has_passed() -> None:
    log = given(DAILY).events(played("ann", 1), played("ann", 2))
    log.events(tick(at(4, 0) - 1)).then.board().is_([(1, "ann", 2, 2)])
    log.events(tick(at(4, 0))).then.board().is_([(1, "ann", 0, 2)])
    # The clock does not go back, but a mark of a day that was missing may still come.
    log.events(tick(at(1))).then.board().is_([(1, "ann", 0, 2)])
    log.events(played("ann", 3)).then.board().is_([(1, "ann", 3, 3)])


def test_rows_are_settled_at_the_very_instant_they_are_due_and_then_wait_for_nothing() -> None:
    state = Fold(Game(parse(DAILY)))
    for position, event in zip(
        [Position(1, 0, at(1), 0)] * 2, decoded("g", [played("ann", 1), played("bob", 1)]), strict=True
    ):
        state.apply(event, position)
    state.settle()
    table = state.tables["b", "all", ""]
    assert table.due == table.rows["ann"].due == at(3, 0)
    state.pass_time(at(3, 0) - 1)
    assert state.settle() == []
    state.stage(Tick(id="t", game="g", at=at(3, 0)), Position(1, 0, at(1), 1))
    state.absorb()
    changes = {(change.table.name[1], change.player) for change in state.settle()}
    assert changes == {("all", "ann"), ("all", "bob")}
    assert table.rows["ann"].due is None
    assert table.due > at(31)
    assert state.settle() == []


def test_a_period_that_is_over_shows_how_it_ended() -> None:
    log = given(DAILY).events(played("ann", 1), played("bob", 2), played("ann", 3), played("ann", 4), tick(at(30)))
    assert log.then.periods() == ["all", "weekly:2026-02-23", "weekly:2026-03-02"]
    log.then.board("b", "weekly:2026-02-23").is_([(1, "ann", 1, 1)])
    log.then.board("b", "weekly:2026-03-02").is_([(1, "ann", 0, 2), (2, "bob", 0, 1)])


@pytest.mark.parametrize(
    ("period", "end"),
    [("daily:2026-03-01", at(2, 0)), ("weekly:2026-02-23", at(2, 0)), ("season:spring", at(21, 0)), ("round:1", None)],
)
def test_periods_end(period: str, end: int | None) -> None:
    seasons = f'{HEAD}\nseasons = [{{ id = "spring", first = "2026-03-01", last = "2026-03-20" }}]'
    text = DAILY.replace(HEAD, seasons).replace(
        '["all", "weekly"]', '["daily", "weekly", "monthly", "season", "round"]'
    )
    plan = Game(parse(text)).boards["b"]
    assert plan.end_of(period) == end or (end is None and plan.end_of(period) > at(31) * 1000)


def test_a_day_of_rest_holds() -> None:
    text = DAILY.replace('per = "day"', 'per = "day", hold = { kind = "rest" }')
    log = given(text).events(played("ann", 1), played("ann", 2, kind="rest"), played("ann", 3))
    log.then.board().is_([(1, "ann", 2, 2)])
    # It stands for the day, and does not bring a streak back.
    given(text).events(played("ann", 1), played("ann", 3, kind="rest"), played("ann", 4)).then.board().is_(
        [(1, "ann", 1, 1)]
    )
    given(text).events(played("ann", 1), played("ann", 2, kind="rest"), tick(at(3, 23))).then.board().is_(
        [(1, "ann", 1, 1)]
    )
    given(text).events(played("ann", 1), played("ann", 2, kind="rest"), tick(at(4, 0))).then.board().is_(
        [(1, "ann", 0, 1)]
    )


def test_absence_may_hold() -> None:
    text = DAILY.replace('per = "day"', 'per = "day", absence = "hold"')
    log = given(text).events(played("ann", 1), played("ann", 9), tick(at(30)))
    log.then.board().is_([(1, "ann", 2, 2)])
    assert Game(parse(text)).clocked == []


def test_adjustments_are_no_marks() -> None:
    given(DAILY).events(played("ann", 1), adjustment("ann", at=at(2), points=5)).then.board().is_([(1, "ann", 1, 1)])


def test_rounds_that_were_missed_show_when_the_next_mark_comes() -> None:
    text = rules(metrics='points = { op = "streak", per = "round" }')
    log = given(text).events(
        *(score(name, round=number, points=1) for name, number in [("ann", 1), ("ann", 2), ("bob", 1)])
    )
    log.events(score("cid", round=9, points=1)).then.board().is_([(1, "ann", 2), (2, "bob", 1), (2, "cid", 1)])
    log.events(score("ann", round=4, points=1)).then.board().is_([(1, "ann", 1), (1, "bob", 1), (1, "cid", 1)])
    # Order is that of the rounds' numbers, and a late one fills the gap.
    log.events(score("ann", round=3, points=1)).then.board().is_([(1, "ann", 4), (2, "bob", 1), (2, "cid", 1)])


def test_streaks_qualify_and_break_ties() -> None:
    text = rules(
        "qualify = { streak = { min = 2 } }",
        rank_by='["points desc", "streak desc"]',
        metrics='points = { op = "sum", of = "points" }\nstreak = { op = "streak", per = "day" }',
        head=HEAD,
    )
    log = [played("ann", 1), played("ann", 2), played("ann", 3), score("bob", at=at(2), points=2), played("bob", 3)]
    shown = given(text).events(*log, played("cid", 3), score("cid", at=at(3), points=9)).then.board()
    shown.is_([(1, "ann", 3, 3), (2, "bob", 3, 2)])
    # Who no longer qualifies leaves the ranking as time passes.
    given(text).events(*log, tick(at(9))).then.board().is_([])


def test_sanctions_hold_while_time_passes() -> None:
    log = given(DAILY).events(played("ann", 1), played("bob", 1), player("ann", "banned"), tick(at(9)))
    log.then.board().is_([(1, "bob", 0, 1)])
    log.events(player("ann", "active")).then.board().is_([(1, "ann", 0, 1), (1, "bob", 0, 1)])


def test_badges_are_earned_by_streaks_and_stay() -> None:
    text = DAILY.replace(
        "[boards.b.metrics]", "[boards.b.badges.keen]\nwhere = { streak = { min = 2 } }\n[boards.b.metrics]"
    )
    state = given(text).events(played("ann", 1), played("ann", 2), played("bob", 2), tick(at(9))).then.state
    assert {(award.player, award.badge) for award in state.awards if award.period == "all"} == {("ann", "keen")}
    assert {row.due for row in state.tables["b", "all", ""].rows.values()} == {None}


@pytest.mark.parametrize(
    ("metric", "field"),
    [
        ('{ op = "streak", of = "points" }', "of"),
        ('{ op = "streak", absence = "hold" }', "absence"),
        ('{ op = "sum", of = "points", absence = "hold", per = "day" }', "absence"),
        ('{ op = "count", hold = { kind = "rest" } }', "hold"),
    ],
)
def test_rulesets_say_what_is_wrong(metric: str, field: str) -> None:
    with pytest.raises(InvalidRuleset) as error:
        parse(rules(metrics=f"points = {metric}"))
    assert f"boards.b.metrics.points.{field}" in [problem.field for problem in error.value.problems]
