"""Voided events: every board is that of a log in which they never were."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.digest import digest_of
from engine.fold import Fold, fold
from engine.rules import Game
from schemas.events import AnyEvent, Player, Reinstate, Void
from schemas.position import Position
from schemas.ruleset import parse
from tests.given import adjustment, pick, player, result, score
from tests.given import given as rules_given
from tests.property.test_fold import RULES, START_MS, at_positions, boards, logs

CAPPED = parse("""
game = "g"
[metrics.points]
scale = 1
[metrics.time]

[boards.capped]
rank_by = ["points desc"]
windows = [2]
metrics = { points = { op = "sum", of = "points", caps = [{ most = 40 }] }, runs = { op = "count" } }

[boards.latest]
keep = { mode = "latest" }
rank_by = ["points desc"]
metrics = { points = { op = "last", of = "points" } }

[boards.extremes]
rank_by = ["best desc", "worst asc"]
metrics.best = { op = "max", of = "points" }
metrics.worst = { op = "min", of = "points" }
metrics.mean = { op = "average", of = "points" }
""")


@st.composite
def corrected(draw: st.DrawFn, *, results: bool = True) -> tuple[list[AnyEvent], set[str]]:
    """Events with corrections strewn among them, before and after what they concern; and who is void in the end."""
    log = draw(logs(results=results))
    voidable = [event.id for event in log if not isinstance(event, Player)]
    voided: dict[str, bool] = {}
    if voidable:
        for number in range(draw(st.integers(1, 8))):
            at, target = draw(st.integers(0, len(log))), draw(st.sampled_from(voidable))
            kind: Any = draw(st.sampled_from([Void, Void, Reinstate]))
            log.insert(at, kind(id=f"c{number}", game="g", event=target, reason="checked"))
    for event in log:
        if isinstance(event, Void | Reinstate):
            voided[event.event] = isinstance(event, Void)
    return log, {target for target, void in voided.items() if void}


def without(log: list[tuple[Position, AnyEvent]], voided: set[str]) -> list[tuple[Position, AnyEvent]]:
    return [(at, event) for at, event in log if event.id not in voided and not isinstance(event, Void | Reinstate)]


@settings(max_examples=150)
@given(corrected())
def test_a_log_with_corrections_shows_what_one_without_the_void_events_shows(
    given_log: tuple[list[AnyEvent], set[str]],
) -> None:
    events, voided = given_log
    log = at_positions(events)
    assert boards(fold(RULES, log)) == boards(fold(RULES, without(log, voided)))


@settings(max_examples=150)
@given(corrected(results=False))
def test_boards_of_every_shape_are_corrected_alike(given_log: tuple[list[AnyEvent], set[str]]) -> None:
    events, voided = given_log
    log = at_positions([event for event in events if getattr(event, "board", None) is None])
    corrected_boards, plain = fold(CAPPED, log), Fold(Game(CAPPED))
    for position, event in without(log, voided):
        plain.apply(event, position)
    plain.pass_time(START_MS + len(events))
    corrected_boards.pass_time(START_MS + len(events))
    corrected_boards.settle()
    plain.settle()
    assert boards(corrected_boards) == boards(plain)


@given(corrected(), st.integers(0, 20))
def test_a_corrected_state_written_out_and_read_back_goes_on_alike(
    given_log: tuple[list[AnyEvent], set[str]], cut: int
) -> None:
    log = at_positions(given_log[0])
    resumed = fold(RULES, log[:cut])
    for table in resumed.tables.values():
        for row in table.rows.values():
            row.state = table.shape.load(table.shape.dump(row.state))
    for position, event in log[cut:]:
        resumed.apply(event, position)
    resumed.settle()
    assert str(digest_of(resumed)) == str(digest_of(fold(RULES, log)))


PICKS = """
game = "g"
[metrics.points]
[sources.picks]
origin = "picks"
grades = [{ when = "choice", points = 3 }]
[boards.b]
rank_by = ["points desc"]
metrics = { points = { op = "sum", of = "points" }, right = { op = "count", where = { verdict = "win" } } }
"""


def fixture_at(hour: int) -> dict[str, Any]:
    return {"type": "fixture", "fixture": "f", "round": 1, "starts_at": hour * 3_600_000}


def void(event: str, kind: str = "void") -> dict[str, Any]:
    return {"type": kind, "event": event, "reason": "by mistake"}


def test_a_voided_pick_gives_way_to_the_one_before_it_and_comes_back() -> None:
    played = [
        fixture_at(1),
        {**pick("ann", "f", "home"), "id": "first"},
        {**pick("ann", "f", "away"), "id": "second"},
        result("f", outcomes={"winner": ["home"]}),
    ]
    rules_given(PICKS).events(*played).then.board().is_([(1, "ann", 0, 0)])
    rules_given(PICKS).events(*played, void("second")).then.board().is_([(1, "ann", 3, 1)])
    rules_given(PICKS).events(*played, void("second"), void("first")).then.board().is_([])
    back = [*played, void("second"), void("second", "reinstate")]
    rules_given(PICKS).events(*back).then.board().is_([(1, "ann", 0, 0)])


@pytest.mark.parametrize("early", [False, True])
def test_a_pick_that_was_refused_when_it_came_is_not_taken_when_it_is_reinstated(early: bool) -> None:
    banned = [player("ann", "banned"), {**pick("ann", "f", "home"), "id": "p"}, player("ann", "active")]
    late = [
        result("f", outcomes={"winner": ["home"]}),
        {**pick("ann", "f", "home"), "id": "p"},
        result("f", outcomes={"winner": ["home"]}, revision=2, reason="the score"),
    ]
    for refused in (banned, late):
        played = [fixture_at(1), *([void("p")] if early else []), *refused]
        if refused is banned:
            played.append(result("f", outcomes={"winner": ["home"]}))
        corrected_log = [*played, *([] if early else [void("p")]), void("p", "reinstate")]
        rules_given(PICKS).events(*corrected_log).then.board().is_([])


def test_what_cannot_be_voided_is_refused_with_a_reason() -> None:
    then = rules_given(PICKS).events({**fixture_at(1), "id": "plan"}, void("plan")).then
    assert then.rejections == [
        ("event", "plan is a fixture event, which cannot be voided; send another one that says what holds")
    ]


def test_an_event_that_was_voided_before_it_came_does_not_count_until_it_is_reinstated() -> None:
    rules = """
    game = "g"
    [metrics.points]
    [boards.b]
    rank_by = ["points desc"]
    metrics.points = { op = "sum", of = "points" }
    """
    early = [void("run"), {**score("ann", points=5), "id": "run"}, score("bob", points=2)]
    rules_given(rules).events(*early).then.board().is_([(1, "bob", 2)])
    rules_given(rules).events(*early, void("run", "reinstate")).then.board().is_([(1, "ann", 5), (2, "bob", 2)])


def test_a_voided_adjustment_leaves_no_number_where_there_was_none() -> None:
    rules = """
    game = "g"
    [metrics.points]
    [metrics.weight]
    [boards.b]
    rank_by = ["weight desc", "points desc"]
    metrics.points = { op = "sum", of = "points" }
    metrics.weight = { op = "max", of = "weight" }
    """
    said = [score("ann", points=5), score("bob", points=9, weight=-1), {**adjustment("ann", weight=2), "id": "a"}]
    rules_given(rules).events(*said).then.board().is_([(1, "ann", 5, 2), (2, "bob", 9, -1)])
    rules_given(rules).events(*said, void("a")).then.board().is_([(1, "bob", 9, -1), (2, "ann", 5, None)])


def test_a_team_loses_what_its_players_did_not_do() -> None:
    rules = """
    game = "g"
    [metrics.points]
    [sources.teams]
    origin = "score"
    entrant = "team"
    [boards.b]
    keep = { mode = "best", by = "points" }
    rank_by = ["points desc"]
    metrics.points = { op = "max", of = "points" }
    """
    runs = [
        {**score("ann", points=5, attributes={"team": "red"}), "id": "a"},
        {**score("bob", points=9, attributes={"team": "red"}), "id": "b"},
    ]
    rules_given(rules).events(*runs, void("b")).then.board().is_([(1, "red", 5)])
