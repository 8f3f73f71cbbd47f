"""Explanations: the parts of every displayed metric recombine to it, on boards of every shape, wherever the list is cut."""

import random
from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from engine.badges import bare
from engine.buckets import Bucketed
from engine.compare import compare, tuple_of
from engine.corrections import Log, marks_of
from engine.explain import Explained, explain, joined, marks_said, values_of
from engine.fold import Fold, fold
from engine.kept import Kept
from engine.marks import Mark
from engine.shapes import Running, Single
from engine.tables import Table
from engine.windows import BucketedWindow, KeptWindow
from schemas.events import AnyEvent, Result, Score
from schemas.language import Ruleset
from schemas.ruleset import parse
from tests.property.test_corrections import CAPPED, corrected
from tests.property.test_fold import RULES, START_MS, at_positions

HEAD = """
game = "g"
time_zone = "America/Havana"
[metrics.points]
scale = 1
[metrics.time]
"""
SHARES = parse(
    HEAD
    + """
[boards.shares]
rank_by = ["share desc", "gap desc", "mean desc"]
windows = [1, 3]
[boards.shares.metrics]
points = { op = "sum", of = "points" }
good = { op = "count", where = { points = { min = 10 } } }
runs = { op = "count" }
share = { op = "ratio", of = "good", by = "runs", scale = 3 }
gap = { op = "difference", of = "points", by = "good" }
mean = { op = "average", of = "points", where = { points = { above = 0 } } }
first = { op = "first", of = "points" }
last = { op = "last", of = "time" }

[boards.streaks]
rank_by = ["present desc", "longest desc", "points desc", "reached"]
windows = [2]
[boards.streaks.metrics]
points = { op = "sum", of = "points" }
present = { op = "streak", where = { points = { above = 0 } }, per = "day" }
longest = { op = "longest_streak", where = { points = { above = 0 } } }
rounds = { op = "streak", where = { points = { above = 0 } }, per = "round" }
form = { op = "form", n = 3 }

[boards.tasks]
rank_by = ["solved desc", "cost asc"]
[boards.tasks.metrics.solved]
op = "distinct"
group = "task"
where = { points = { min = 5 } }
[boards.tasks.metrics.cost]
op = "attempts"
group = "task"
of = "time"
where = { points = { min = 5 } }
tries = { points = { below = 5 } }
each = "2.5"
[boards.tasks.metrics.slowest]
op = "attempts"
group = "task"
of = "points"
where = { points = { min = 5 } }
across = "max"

[boards.two]
keep = { mode = "best", n = 2, by = "points" }
rank_by = ["points desc", "everything asc"]
[boards.two.metrics]
points = { op = "sum", of = "points", caps = [{ most = 40, per = "month" }, { most = 9 }] }
everything = { op = "sum", of = "points", over = "all" }
top = { op = "max", of = "points" }

[boards.first]
keep = { mode = "first" }
rank_by = ["points desc"]
metrics = { points = { op = "first", of = "points" }, low = { op = "min", of = "time" }, runs = { op = "count" } }
"""
)
ALL = (RULES, CAPPED, SHARES)
VERDICTS = ["win", "loss", "draw", "push", None]


def attributed(events: list[AnyEvent], seed: int) -> list[AnyEvent]:
    """The same events; scores tell a task and a verdict."""
    chance = random.Random(seed)
    found: list[AnyEvent] = []
    for event in events:
        if isinstance(event, Score):
            attributes: dict[str, Any] = {"task": chance.choice("ab")}
            verdict = chance.choice(VERDICTS)
            event = msgspec.structs.replace(event, attributes=attributes | ({"verdict": verdict} if verdict else {}))
        found.append(event)
    return found


def events_for(rules: Ruleset, events: list[AnyEvent], seed: int) -> list[AnyEvent]:
    """What of a log the rules have boards for."""
    if rules is RULES:
        return events
    known: list[AnyEvent] = [
        event for event in events if not isinstance(event, Result) and getattr(event, "board", None) is None
    ]
    return attributed(known, seed) if rules is SHARES else known


def marks_in(state: Fold, table: Table, player: str) -> list[Mark]:
    """The marks of a row: out of its state where they are kept, else out of the log."""
    held = bare(table.rows[player].state)
    if isinstance(table.shape, Kept):
        marks: list[Mark] = held
    else:
        assert isinstance(state.corrections.past, Log)
        said = state.corrections.past.about(marks_of(player))
        counted = [(at, event) for at, event in said if event.id not in state.corrections.voided]
        marks = marks_said(Fold(state.game), counted, player, table.name)
    if isinstance(table.shape, KeptWindow | BucketedWindow):
        return table.shape.inside(marks, state.clock)
    return marks


def recombined(table: Table, found: Explained) -> list[int | None]:
    """The metrics that the parts come to, put together anew."""
    columns = zip(found.older.shares, *(part.shares for part in found.parts), found.newer.shares, strict=True)
    shares = [joined(metric.op, column) for metric, column in zip(table.plan.metrics, columns, strict=True)]
    values = values_of(table.plan, shares)
    for at, run in found.lapsed.items():
        assert values[at] == run
        values[at] = 0
    return values


@given(corrected(), st.sampled_from(ALL), st.integers(0, 1 << 30), st.integers(0, 20), st.integers(0, 20))
def test_the_parts_recombine_to_every_metric_that_is_shown(
    given_log: tuple[list[AnyEvent], set[str]], rules: Ruleset, seed: int, first: int, size: int
) -> None:
    events = events_for(rules, given_log[0], seed)
    state = fold(rules, at_positions(events))
    state.pass_time(START_MS + seed % 200 * 3_600_000)
    state.settle()
    for table in state.tables.values():
        for player, row in table.rows.items():
            key = row.prefix or row.hidden
            if key is None:
                continue
            marks = marks_in(state, table, player)
            start = min(first, len(marks))
            end = min(start + size, len(marks))
            found = explain(table.plan, marks, start, end, state.clock)
            shown = table.plan.values(key, row.extra)
            assert found.values == shown
            assert recombined(table, found) == shown
            assert found.marks == len(marks)
            assert [part.mark for part in found.parts] == marks[start:end]
            if end == len(marks) and found.parts and not found.lapsed:
                assert found.parts[-1].running == shown


def test_the_boards_above_have_every_shape() -> None:
    states = [fold(rules, []) for rules in ALL]
    shapes = {type(plan.shape) for state in states for plan in state.game.boards.values()}
    windows = {
        type(shape) for state in states for plan in state.game.boards.values() for shape in plan.windows.values()
    }
    assert shapes == {Running, Single, Kept, Bucketed}
    assert windows == {KeptWindow, BucketedWindow}


@given(corrected(), st.sampled_from(ALL), st.integers(0, 1 << 30))
def test_words_say_who_is_ahead_as_the_board_does(
    given_log: tuple[list[AnyEvent], set[str]], rules: Ruleset, seed: int
) -> None:
    state = fold(rules, at_positions(events_for(rules, given_log[0], seed)))
    for table in state.tables.values():
        keys = sorted(row.prefix for row in table.rows.values() if row.prefix is not None)
        for one, other in pairwise(keys):
            forth, back = compare(table.plan, one, other), compare(table.plan, other, one)
            assert forth.level_on == back.level_on
            assert forth.decides == back.decides
            if one == other:
                assert forth.decides is None
                continue
            at = len(forth.level_on)
            assert ("ahead" in forth.words, "behind" in back.words) == (True, True)
            mine, theirs = tuple_of(table.plan, one), tuple_of(table.plan, other)
            assert mine[:at] == theirs[:at]
            assert mine[at] != theirs[at] or table.plan.order[at][0] in ("lot", "reached")
