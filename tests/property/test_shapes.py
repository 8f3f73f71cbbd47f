"""Whichever form a board keeps a player's marks in, and in whatever order they arrive: it shows what the naive model shows."""

import random
from typing import Any

import msgspec
from hypothesis import given, note
from hypothesis import strategies as st

from engine.boards import BoardPlan
from engine.gathering import gather_of
from engine.kept import Kept
from engine.marks import Mark, Scores
from engine.numbers import INFINITE
from engine.shapes import Row, Single
from schemas.events import Score
from schemas.language import Board, Keep, Metric, MetricType, Range, Ruleset, Span, TieBreak
from tests.property import naive

RULES = Ruleset(game="g", boards={}, metrics={"a": MetricType(), "b": MetricType()})
BOUNDED = Ruleset(game="g", boards={}, metrics={"a": MetricType(min=0), "b": MetricType(min=0)})
WHERES: list[Any] = [{}, {}, {"kind": "x"}, {"a": Range(min=0)}]
SIMPLE = [Keep(), Keep(mode="best", by="a"), Keep(mode="best", by="b asc"), Keep(mode="latest"), Keep(mode="first")]
SPANS = [[], [Span(first=1, last=2, n=1), Span(first=3)], [Span(first=2, last=3, n=2)]]


@st.composite
def metrics(draw: st.DrawFn) -> Metric:
    op: Any = draw(st.sampled_from(["sum", "max", "min", "last", "first", "count", "average"]))
    of = None if op == "count" else draw(st.sampled_from("ab"))
    over: Any = draw(st.sampled_from(["kept"] * 7 + ["all"]))
    return Metric(op=op, of=of, where=draw(st.sampled_from(WHERES)), over=over, scale=0 if op == "average" else None)


@st.composite
def keeps(draw: st.DrawFn) -> Keep:
    if draw(st.booleans()):
        return draw(st.sampled_from(SIMPLE))
    mode: Any = draw(st.sampled_from(["all", "best", "best", "latest", "first"]))
    by = draw(st.sampled_from(["a", "a desc", "b asc"]))
    if draw(st.booleans()):
        return Keep(mode=mode, by=by, n=draw(st.sampled_from([1, 1, 2, 3])))
    marks = draw(st.none() | st.integers(1, 2))
    spans = draw(st.sampled_from(SPANS)) if mode == "best" else []
    return Keep(mode=mode, by=by, n=draw(st.integers(1, 3)), per="round", marks=marks, spans=spans)


@st.composite
def boards(draw: st.DrawFn) -> Board:
    made = {name: draw(metrics()) for name in draw(st.sampled_from(["m", "mn", "mno"]))}
    if draw(st.integers(0, 2)) == 0:
        op: Any = draw(st.sampled_from(["difference", "ratio"]))
        of, by = draw(st.sampled_from(sorted(made))), draw(st.sampled_from(sorted(made)))
        made["d"] = Metric(op=op, of=of, by=by, scale=0 if op == "ratio" else None)
    rank_by: list[Any] = [f"{name} {draw(st.sampled_from(['asc', 'desc']))}" for name in made if draw(st.booleans())]
    rank_by = rank_by or ["m desc"]
    rank_by += draw(st.sampled_from([[], [], [TieBreak(countback="position", places=2)]]))
    rank_by += draw(st.sampled_from([[], ["reached"]]))
    return Board(rank_by=rank_by, metrics=made, keep=draw(keeps()))


def marks_of(board: Board, chance: random.Random) -> list[Mark]:
    """Marks as they arrive. Drawn evenly: hypothesis prefers what is simple and alike, and then no order matters."""
    numbers = chance.choice(([-1, 0, 1, 1 << 70], [-1, 0, 0, 1], [0, 0, 1, 2]))
    marks = []
    for seq in range(chance.randint(0, 7)):
        values = {name: chance.choice(numbers) for name in chance.choice(["a", "b", "ab", "ab"])}
        attributes = {"kind": chance.choice("xy"), "position": chance.randint(1, 3)} if chance.random() < 0.8 else None
        number = chance.choice([None, 1, 2, 3, 4, "f"])
        adjusts = chance.random() < 0.25
        marks.append(Mark(chance.randint(-2, 4), 1_000 + seq, seq, values, number, attributes, f"e{seq}", adjusts))
    return marks


@st.composite
def cases(draw: st.DrawFn) -> tuple[Board, list[list[Mark]]]:
    """A board and several logs."""
    board = draw(boards())
    chance = random.Random(draw(st.integers(0, 1 << 40)))
    return board, [marks_of(board, chance) for _ in range(6)]


def in_order(marks: list[Mark]) -> list[Mark]:
    """Marks in contest order."""
    return sorted(marks, key=lambda mark: mark.order)


def state_of(shape: Any, marks: list[Mark]) -> Any:
    """The state after marks in this order."""
    state = shape.new()
    for mark in marks:
        shape.absorb(state, mark)
    return state


def expected(plan: BoardPlan, marks: list[Mark]) -> tuple[bytes | None, bytes]:
    """Prefix and extra according to the naive model."""
    board = plan.board
    if not naive.kept(board.keep, marks):
        return None, plan.extra([None] * len(board.metrics))
    values = list(naive.values_of(board, marks).values())
    reached = naive.reached(board, marks) if "reached" in board.rank_by else None
    counts = [naive.counts_of(item.places, marks) for item in board.rank_by if isinstance(item, TieBreak)]
    return plan.key(values, reached, counts), plan.extra(values)


@given(cases())
def test_every_shape_agrees_with_the_naive_model_in_any_order_of_arrival(case: Any) -> None:
    board, logs = case
    plan = BoardPlan("b", board, RULES)
    for arriving in logs:
        note(f"{type(plan.shape).__name__}: {arriving}")
        ordered = in_order(arriving)
        prefix, extra = expected(plan, ordered)
        for shape in (plan.shape, Kept(plan)):
            for order in (ordered, ordered[::-1], arriving):
                assert shape.result(state_of(shape, order)) == (prefix, extra)
        if prefix is not None:
            values = list(naive.values_of(board, ordered).values())
            assert plan.values(prefix, extra) == values
            shown = [None if value == INFINITE else value for value in values]
            assert list(plan.decode(prefix, extra).values()) == shown


@given(cases())
def test_so_does_a_shape_of_values_that_are_never_negative(case: Any) -> None:
    """It need not remember whether something worse than nothing came first."""
    board, logs = case
    plan = BoardPlan("b", board, BOUNDED)
    for arriving in logs:
        bounded = [mark for mark in arriving if mark.adjusts or min(mark.values.values()) >= 0]
        note(f"{type(plan.shape).__name__}: {bounded}")
        for order in (in_order(bounded), in_order(bounded)[::-1], bounded):
            assert plan.shape.result(state_of(plan.shape, order)) == expected(plan, in_order(bounded))


@given(cases(), st.integers(0, 8))
def test_equal_states_give_equal_bytes_and_bytes_give_the_state_back(case: Any, cut: int) -> None:
    board, logs = case
    shape = BoardPlan("b", board, RULES).shape
    for arriving in logs:
        state = state_of(shape, in_order(arriving))
        dumped = shape.dump(state)
        assert shape.dump(state_of(shape, arriving)) == dumped
        assert shape.dump(shape.load(dumped)) == dumped
        assert shape.result(shape.load(dumped)) == shape.result(state)
        # A state that was stored half-way goes on as if it had not been.
        resumed = shape.load(shape.dump(state_of(shape, arriving[:cut])))
        for mark in arriving[cut:]:
            shape.absorb(resumed, mark)
        assert shape.dump(resumed) == dumped
        assert shape.result(resumed) == shape.result(state)


@given(cases(), st.sets(st.integers(0, 6)))
def test_what_is_withdrawn_was_never_there(case: Any, gone: set[int]) -> None:
    board, logs = case
    shape = Kept(BoardPlan("b", board, RULES))
    for arriving in logs:
        state = state_of(shape, arriving)
        for seq in gone:
            shape.withdraw(state, f"e{seq}")
        never = state_of(shape, [mark for mark in in_order(arriving) if mark.seq not in gone])
        assert shape.dump(state) == shape.dump(never)
        assert shape.result(state) == shape.result(never)


@given(cases(), st.integers(0, 7))
def test_steps_taken_together_leave_what_one_after_the_other_does(case: Any, cut: int) -> None:
    board, logs = case
    shape = BoardPlan("b", board, RULES).shape
    for arriving in logs:
        row = Row(shape.new())
        for steps in (arriving[:cut], arriving[cut:]):
            before = shape.dump(row.state)
            changed = shape.take(row, shape.gist(list(steps)))
            assert changed or shape.dump(row.state) == before
        assert shape.dump(row.state) == shape.dump(state_of(shape, arriving))
        assert shape.result(row.state) == shape.result(state_of(shape, arriving))


@given(cases(), st.integers(0, 7), st.booleans())
def test_scores_that_are_gathered_come_to_what_their_marks_do(case: Any, cut: int, bounded: bool) -> None:
    board, logs = case
    shape = BoardPlan("b", board, BOUNDED if bounded else RULES).shape
    gather = gather_of(shape, 2)
    assert gather is not None or not (type(shape) is Single and board.keep.mode == "best")
    for arriving in logs if gather is not None else ():
        scores = [msgspec.structs.replace(mark, adjusts=False) for mark in arriving]
        if bounded:
            scores = [mark for mark in scores if min(mark.values.values()) >= 0]
        row = Row(shape.new())
        for part in (scores[:cut], scores[cut:]):
            held: list[Any] = ["other", "places", *gather.empty]
            said = Scores([], [], [], [], [])
            for mark in part:
                event = Score(
                    id=mark.origin, game="g", player="p", values={}, round=mark.round, attributes=mark.attributes
                )
                for column, of_it in zip(said, (event, mark.values, *mark.order), strict=True):
                    column.append(of_it)
            gather.take([held] * len(part), said)
            shape.take(row, gather.gist(held))
            assert held[:2] == ["other", "places"]
        assert shape.dump(row.state) == shape.dump(state_of(shape, scores))
        assert shape.result(row.state) == shape.result(state_of(shape, scores))
