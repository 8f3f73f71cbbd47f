"""Windows: the marks of the last so many local days count, whichever shape keeps them, whenever somebody looks."""

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.boards import BoardPlan
from engine.buckets import Bucketed
from engine.fold import Fold
from engine.kept import Kept
from engine.marks import Mark
from engine.rules import Game
from engine.shapes import Shape
from engine.windows import BucketedWindow, KeptWindow
from schemas.events import Event, Score, Tick
from schemas.language import Board, Cap, Metric, MetricType, Ruleset
from schemas.position import Position
from tests.property.test_shapes import in_order, state_of

ZONE = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 3, 27, 12, tzinfo=UTC)
"""Two days before the clocks go forward."""

METRICS = {
    "points": Metric(op="sum", of="points"),
    "capped": Metric(op="sum", of="points", caps=[Cap(most=5), Cap(most=3, per="week", where={"kind": "x"})]),
    "marks": Metric(op="count"),
    "rest": Metric(op="difference", of="points", by="capped"),
}
REACHED = {"best": Metric(op="max", of="points")}
SUMS = Board(rank_by=["points desc"], metrics=METRICS, windows=[1, 3, 30])
BEST = Board(rank_by=["best desc", "reached"], metrics=REACHED, windows=[1, 3, 30])
RULES = Ruleset(game="g", time_zone=ZONE.key, metrics={"points": MetricType()}, boards={"sums": SUMS, "best": BEST})
PLANS = {name: BoardPlan(name, board, RULES) for name, board in RULES.boards.items()}


def ms_of(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def day_of(ms: int) -> date:
    return datetime.fromtimestamp(ms / 1000, ZONE).date()


def marks_of(chance: random.Random) -> list[Mark]:
    marks = []
    for seq in range(chance.randint(0, 10)):
        moment = NOON + timedelta(days=chance.randint(-5, 5), hours=chance.randint(-14, 14))
        attributes = {"kind": "x"} if chance.random() < 0.3 else None
        values = {"points": chance.randint(-2, 9)}
        adjusts = chance.random() < 0.2
        marks.append(Mark(ms_of(moment), 1_000 + seq, seq, values, None, attributes, f"e{seq}", adjusts))
    return marks


def inside(marks: list[Mark], days: int, clock: int) -> list[Mark]:
    """The marks in a window, by the dates on the wall."""
    today = day_of(clock)
    return [mark for mark in marks if today - timedelta(days=days) < day_of(mark.occurred_ms) <= today]


def expected(plan: BoardPlan, marks: list[Mark]) -> tuple[bytes | None, bytes]:
    kept = Kept(plan)
    return kept.result(state_of(kept, in_order(marks)))


def test_sums_are_kept_by_day_and_what_needs_every_mark_is_not() -> None:
    assert {type(shape) for shape in PLANS["sums"].windows.values()} == {BucketedWindow}
    assert {type(shape) for shape in PLANS["best"].windows.values()} == {KeptWindow}
    assert isinstance(PLANS["sums"].shape, Bucketed)
    assert list(PLANS["sums"].windows) == ["last:1d", "last:3d", "last:30d"]


@given(st.sampled_from(sorted(PLANS)), st.sampled_from([1, 3, 30]), st.integers(0, 1 << 40))
def test_a_window_shows_the_board_of_its_marks(name: str, days: int, seed: int) -> None:
    chance, plan = random.Random(seed), PLANS[name]
    marks = marks_of(chance)
    shapes: list[Shape] = [plan.windows[f"last:{days}d"], KeptWindow(plan, RULES, days)]
    for shape in shapes:
        state = shape.load(shape.dump(state_of(shape, marks)))
        assert shape.dump(state_of(shape, marks[::-1])) == shape.dump(state)
        clock = ms_of(NOON) + chance.randint(-8 * 86_400_000, 8 * 86_400_000)
        for _ in range(30):
            prefix, extra, due = shape.result_at(state, clock)
            assert (prefix, extra) == expected(plan, inside(marks, days, clock))
            if due is None:
                break
            # Until then nothing changes, and then it is another day.
            assert due > clock
            assert (prefix, extra) == expected(plan, inside(marks, days, due - 1))
            assert day_of(due) > day_of(due - 1)
            clock = due
        else:
            raise AssertionError("it goes on for ever")
        assert (prefix, extra) == expected(plan, inside(marks, days, clock + 100 * 86_400_000))


@given(st.integers(0, 1 << 40))
def test_the_fold_shows_windows_by_its_clock_however_events_are_cut_into_batches(seed: int) -> None:
    chance = random.Random(seed)
    events: list[tuple[Position, Event]] = []
    scores: dict[str, list[Mark]] = {"ann": [], "bob": []}
    ms = ms_of(NOON)
    for number in range(chance.randint(1, 14)):
        ms += chance.choice([1, 3_600_000, 86_400_000, 3 * 86_400_000])
        if chance.random() < 0.25:
            events.append((Position(1, 0, ms, 0), Tick(id=f"t{number}", game="g", at=ms)))
            continue
        player, points = chance.choice(["ann", "bob"]), chance.randint(0, 9)
        occurred = ms - chance.choice([0, 0, 86_400_000, 2 * 86_400_000, -86_400_000])
        scores[player].append(Mark(occurred, ms, 0, {"points": points}, origin=f"e{number}"))
        event = Score(id=f"e{number}", game="g", player=player, values={"points": points}, occurred_at=occurred)
        events.append((Position(1, 0, ms, 0), event))
    folds = [fold_in_batches(events, chance, largest) for largest in (1, 3, 20)]
    for name, plan in PLANS.items():
        for days in (1, 3, 30):
            shown = [places(fold, (name, f"last:{days}d", "")) for fold in folds]
            naive = {who: expected(plan, inside(marks, days, ms)) for who, marks in scores.items() if marks}
            assert shown == [naive, naive, naive]


def fold_in_batches(events: list[tuple[Position, Event]], chance: random.Random, largest: int) -> Fold:
    fold, rest = Fold(Game(RULES)), events
    while rest:
        size = chance.randint(1, largest)
        batch, rest = rest[:size], rest[size:]
        for position, event in batch:
            fold.stage(event, position)
        fold.pass_time(batch[-1][0].ms)
        fold.absorb()
        fold.settle()
    return fold


def places(fold: Fold, name: Any) -> dict[str, tuple[bytes | None, bytes]]:
    table = fold.tables.get(name)
    return {} if table is None else {player: (row.prefix, row.extra) for player, row in table.rows.items()}


@pytest.mark.parametrize("moment", ["0001-01-02T00:00:00+00:00", "9999-12-30T00:00:00+00:00"])
@pytest.mark.parametrize("name", sorted(PLANS))
def test_the_ends_of_the_calendar(name: str, moment: str) -> None:
    clock = (datetime.fromisoformat(moment) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    shape = PLANS[name].windows["last:30d"]
    state = state_of(shape, [Mark(clock, 1, 0, {"points": 3})])
    assert shape.result_at(state, clock)[0] is not None
