"""Capped sums: whichever form keeps them, in whatever order marks arrive, they are what their definition says."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from engine.boards import BoardPlan
from engine.buckets import Bucketed
from engine.kept import Kept
from engine.marks import Mark
from schemas.language import Board, Cap, Keep, Metric, MetricType, Ruleset
from tests.property.naive import meets
from tests.property.test_shapes import in_order, state_of

ZONE = "America/New_York"
RULES = Ruleset(
    game="g", boards={}, time_zone=ZONE, week_starts="sunday", metrics={"a": MetricType(scale=1), "b": MetricType()}
)
MIDNIGHT = datetime(2026, 3, 8, 5, tzinfo=UTC)
"""Local midnight before clocks go forward; the month changes 3 weeks later."""


def naive_unit(cap: Cap, mark: Mark) -> Any:
    day = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=mark.occurred_ms)).astimezone(ZoneInfo(ZONE))
    if cap.per == "round":
        return mark.round
    if cap.per == "week":
        return (day.date() - timedelta(days=(day.weekday() + 1) % 7)).isoformat()
    return day.strftime("%Y-%m-%d" if cap.per == "day" else "%Y-%m")


def naive_sum(metric: Metric, marks: list[Mark]) -> int:
    """Adjustments and what falls under no cap count fully, the rest cap by cap and unit by unit."""
    of, total = metric.of or "", 0
    sums: dict[Any, int] = {}
    for mark in marks:
        value = mark.values.get(of, 0)
        if mark.adjusts:
            total += value
        elif meets(metric.where, mark):
            fitting = [number for number, cap in enumerate(metric.caps) if meets(cap.where, mark)]
            if fitting:
                key = (fitting[0], naive_unit(metric.caps[fitting[0]], mark))
                sums[key] = sums.get(key, 0) + value
            else:
                total += value
    most = {number: int(cap.most * (10 if of == "a" else 1)) for number, cap in enumerate(metric.caps)}
    return total + sum(min(most[number], amount) for (number, _), amount in sums.items())


@st.composite
def metrics(draw: st.DrawFn) -> Metric:
    where: Any = draw(st.sampled_from([{}, {"kind": "x"}]))
    if draw(st.integers(0, 4)) == 0:
        return Metric(op="count", where=where)
    cap = st.builds(
        Cap,
        most=st.integers(0, 12),
        per=st.sampled_from(["day", "day", "week", "month", "round"]),
        where=st.sampled_from([{}, {"kind": "x"}, {"kind": "y"}]),
    )
    return Metric(op="sum", of=draw(st.sampled_from("ab")), where=where, caps=draw(st.lists(cap, max_size=3)))


@st.composite
def boards(draw: st.DrawFn) -> Board:
    made = {"m": Metric(op="sum", of="a", caps=[Cap(most=3)])} | {
        name: draw(metrics()) for name in draw(st.sampled_from(["", "n", "no"]))
    }
    return Board(rank_by=["m desc"], metrics=made)


def marks_of(chance: random.Random) -> list[Mark]:
    marks = []
    for seq in range(chance.randint(0, 12)):
        moment = MIDNIGHT + timedelta(hours=chance.choice([0, 1, 2, 23, 24, 167, 168, 600]) + chance.randint(-1, 30))
        values = {name: chance.randint(-3, 60) for name in chance.choice(["a", "b", "ab"])}
        attributes = {"kind": chance.choice("xyz")} if chance.random() < 0.8 else None
        number = chance.choice([None, 1, "1", "final"])
        adjusts = chance.random() < 0.15
        ms = round(moment.timestamp() * 1000)
        marks.append(Mark(ms, 1_000 + seq, seq, values, number, attributes, f"e{seq}", adjusts))
    return marks


@given(boards(), st.integers(0, 1 << 40), st.integers(0, 12))
def test_capped_sums_are_what_their_definition_says(board: Board, seed: int, cut: int) -> None:
    plan = BoardPlan("b", board, RULES)
    assert isinstance(plan.shape, Bucketed)
    arriving = marks_of(random.Random(seed))
    ordered = in_order(arriving)
    expected: list[int | None] = [
        naive_sum(metric, ordered)
        if metric.op == "sum"
        else sum(not mark.adjusts and meets(metric.where, mark) for mark in ordered)
        for metric in board.metrics.values()
    ]
    dumps = set()
    for order in (ordered, ordered[::-1], arriving):
        for shape in (plan.shape, Kept(plan)):
            resumed = shape.load(shape.dump(state_of(shape, order[:cut])))
            for mark in order[cut:]:
                shape.absorb(resumed, mark)
            prefix, extra = shape.result(resumed)
            assert (prefix is None) == (not arriving)
            assert prefix is None or plan.values(prefix, extra) == expected
        dumps.add(plan.shape.dump(resumed := state_of(plan.shape, order)))
        assert plan.shape.result(plan.shape.load(plan.shape.dump(resumed))) == plan.shape.result(resumed)
    assert len(dumps) == 1


def test_only_all_marks_tell_a_capped_sum_of_the_best() -> None:
    capped = {"m": Metric(op="sum", of="a", caps=[Cap(most=3)])}
    plan = BoardPlan("b", Board(rank_by=["m desc"], metrics=capped, keep=Keep(mode="best", by="a", n=2)), RULES)
    assert isinstance(plan.shape, Kept)
    noon = round(MIDNIGHT.timestamp() * 1000)
    marks = [Mark(noon, 1, seq, {"a": value}) for seq, value in enumerate([10, 25, 20])]
    prefix, extra = plan.shape.result(state_of(plan.shape, marks))
    assert prefix is not None
    assert plan.values(prefix, extra) == [30]
