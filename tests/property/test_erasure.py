"""Erasure: the fold of a log goes on as if the surrogates had stood in it from the start, and names nobody who is erased."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from engine.digest import digest_of
from engine.erasure import Erasures, erases, surrogate, without
from engine.fold import Fold, fold
from engine.rules import Game
from schemas.events import Adjustment, AnyEvent, Fixture, Pick, Placement, Player, Result, Score
from schemas.position import Position
from schemas.ruleset import parse
from tests.property.test_fold import boards

START_MS = 1_762_000_000_000
TEXT = """
game = "g"
erased = "{erased}"
[metrics.points]
[metrics.goals]
[sources.score]
origin = "score"
[sources.adjustment]
origin = "adjustment"
[sources.race]
origin = "placements"
points = [5, 3, 1]
[sources.league]
origin = "table"
scored = "goals"
[sources.tips]
origin = "picks"
grades = [{{ when = "exact", points = 3 }}, {{ when = "tendency" }}]
missing = "lose"

[boards.total]
sources = ["score", "adjustment", "race", "league", "tips"]
rank_by = ["points desc", {{ countback = "position", places = 3 }}]
periods = ["all", "round"]
movement = "round"
segments = {{ country = "player" }}
metrics = {{ points = {{ op = "sum", of = "points" }}, runs = {{ op = "count" }} }}
badges = {{ ten = {{ where = {{ points = {{ min = 10 }} }} }} }}

[boards.league]
sources = ["league"]
rank_by = ["points desc", {{ head_to_head = ["points", "goals"] }}, {{ lot = 7 }}]
metrics = {{ points = {{ op = "sum", of = "points" }}, goals = {{ op = "sum", of = "goals" }} }}

[boards.best]
sources = ["score"]
keep = {{ mode = "best", by = "points" }}
rank_by = ["points desc", "reached"]
ranks = "dense"
metrics = {{ points = {{ op = "max", of = "points" }} }}
"""
STAND, CLOSE = (parse(TEXT.format(erased=erased)) for erased in ("stand", "close"))
players, fixtures = st.sampled_from(["zoe", "bob", "cid"]), st.sampled_from("fg")
numbers = st.integers(0, 6)


@st.composite
def logs(draw: st.DrawFn) -> list[tuple[Position, AnyEvent]]:
    """Everything that players appear in, and erasures now and then."""
    found: list[tuple[Position, AnyEvent]] = []
    for at in range(draw(st.integers(1, 24))):
        common: Any = {"id": f"e{at}", "game": "g"}
        player, fixture = draw(players), draw(fixtures)
        home, away = draw(st.permutations(["zoe", "bob", "cid"]))[:2]
        lines = [Placement(player=away, position=1), Placement(player=home, position=2)]
        status: Any = draw(st.sampled_from([None, "active", "hidden", "banned", "erased", "erased"]))
        events: list[AnyEvent] = [
            Score(player=player, values={"points": draw(numbers)}, round=draw(st.sampled_from([None, 1, 2])), **common),
            Adjustment(player=player, values={"points": draw(numbers)}, reason=f"{player} again", **common),
            Player(
                player=player, name=player, attributes={"country": draw(st.sampled_from("xy"))}, status=status, **common
            ),
            Fixture(fixture=fixture, round=1, starts_at=START_MS + draw(numbers) * 5, sides=[home, away], **common),
            Pick(player=player, fixture=fixture, choice=f"{draw(numbers)}-1", **common),
            Result(
                fixture=fixture, revision=draw(st.integers(1, 3)), score=[draw(numbers), 1], placements=lines, **common
            ),
        ]
        found.append((Position(1, 0, START_MS + at, at % 2), draw(st.sampled_from(events))))
    return found


def rewritten(log: list[tuple[Position, AnyEvent]]) -> list[tuple[Position, AnyEvent]]:
    """The log with surrogates in place of the erased."""
    erased = Erasures(
        (position, event.player) for position, event in log if erases(event) and isinstance(event, Player)
    )
    return [(position, without(event, erased.names(position))) for position, event in log]


@given(logs(), st.sampled_from([STAND, CLOSE]))
def test_a_rewritten_log_gives_the_same_rows(log: list[tuple[Position, AnyEvent]], rules: Any) -> None:
    state, again = fold(rules, log), fold(rules, rewritten(log))
    assert boards(again) == boards(state)
    assert str(digest_of(again)) == str(digest_of(state))
    assert again.contests == state.contests
    assert again.sanctions == state.sanctions
    assert sorted(again.awards) == sorted(state.awards)
    assert again.rejections == state.rejections
    assert again.settlement.book.joined == state.settlement.book.joined


@given(logs(), st.lists(st.booleans(), min_size=24, max_size=24))
def test_where_batches_are_cut_does_not_show(log: list[tuple[Position, AnyEvent]], cuts: list[bool]) -> None:
    cut = Fold(Game(STAND))
    for (position, event), here in zip(log, cuts, strict=False):
        cut.stage(event, position)
        if here:
            cut.absorb()
            cut.settle()
    cut.absorb()
    cut.settle()
    assert str(digest_of(cut)) == str(digest_of(fold(STAND, log)))


@given(logs())
def test_nothing_of_a_fold_names_whom_its_last_event_erases(log: list[tuple[Position, AnyEvent]]) -> None:
    end = Position(1, 0, START_MS + 99, 0)
    state = fold(STAND, [*log, (end, Player(id="last", game="g", player="zoe", name="Zoe", status="erased"))])
    named = [player for table in state.tables.values() for player in table.rows]
    dumped = [table.shape.dump(row.state) for table in state.tables.values() for row in table.rows.values()]
    kept = [
        state.sanctions,
        state.profiles,
        state.contests,
        state.awards,
        state.rejections,
        state.settlement.book.fresh,
    ]
    text = repr(named) + repr(dumped) + repr(msgspec.to_builtins(kept)) + repr(state.settlement.book.joined)
    assert "zoe" not in text.lower()


@given(logs())
def test_the_ranks_stand_or_close_up(log: list[tuple[Position, AnyEvent]]) -> None:
    log = [(position, event) for position, event in log if not isinstance(event, Player)]
    end = Position(1, 0, START_MS + 99, 0)
    erasing = (end, Player(id="last", game="g", player="zoe", status="erased"))
    banning = (end, Player(id="last", game="g", player="zoe", status="banned"))
    stand = boards(fold(STAND, [*log, erasing]))
    named = {
        name: [(rank, "zoe" if who == surrogate(end) else who, metrics) for rank, who, metrics in lines]
        for name, lines in stand.items()
        if name[0] == "best"
    }
    plain = {name: lines for name, lines in boards(fold(STAND, log)).items() if name[0] == "best"}
    assert {name: sorted(lines, key=str) for name, lines in named.items()} == {
        name: sorted(lines, key=str) for name, lines in plain.items()
    }
    closed = boards(fold(CLOSE, [*log, erasing]))
    assert closed == boards(fold(CLOSE, [*log, banning]))
