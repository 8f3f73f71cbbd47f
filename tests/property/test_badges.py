"""Badges against their definition: of every prefix of the log, what the board without badges shows."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.badges import Award
from engine.digest import digest_of
from engine.fold import Fold, fold
from engine.rules import Game
from schemas.events import AnyEvent, Player
from schemas.ruleset import parse
from tests.property.test_fold import START_MS, at_positions, logs

BOARDS = """
game = "g"
time_zone = "America/Havana"
[metrics.points]
scale = 1
[metrics.time]
[sources.score]
origin = "score"
[sources.adjustment]
origin = "adjustment"
[sources.race]
origin = "placements"
points = [5, 3, 1]

[boards.total]
sources = ["score", "adjustment", "race"]
rank_by = ["points desc", "reached"]
periods = ["all", "daily", "round"]
metrics = { points = { op = "sum", of = "points" }, runs = { op = "count" } }
[boards.sum]
sources = ["score", "adjustment"]
rank_by = ["points desc"]
metrics = { points = { op = "sum", of = "points" }, runs = { op = "count" } }
[boards.best]
sources = ["score", "adjustment"]
keep = { mode = "best", by = "points" }
rank_by = ["points desc"]
metrics = { points = { op = "max", of = "points" }, runs = { op = "count" } }
"""
BADGES = "".join(
    f"[boards.{board}.badges]\n"
    "rich = { where = { points = { min = 7.5 } } }\n"
    "poor = { where = { points = { below = 0 }, runs = { min = 1 } } }\n"
    for board in ("total", "sum", "best")
)
PLAIN, BADGED = parse(BOARDS), parse(BOARDS + BADGES)


def met(state: Fold) -> set[tuple[str, str, str, str]]:
    """(board, period, player, badge) of all that a fold's metrics meet; points have one digit behind the point."""
    found = set()
    for (board, period, _), table in state.tables.items():
        names = table.plan.metric_names
        for player, row in table.rows.items():
            if row.prefix is not None:
                values: dict[str, Any] = dict(zip(names, table.plan.values(row.prefix, row.extra), strict=True))
                if (values["points"] or 0) >= 75:
                    found.add((board, period, player, "rich"))
                if values["points"] is not None and values["points"] < 0 and values["runs"] >= 1:
                    found.add((board, period, player, "poor"))
    return found


def defined(events: list[AnyEvent]) -> dict[tuple[str, str, str, str], int]:
    """Each award with the millisecond of its position: the first event after which the condition holds."""
    first: dict[tuple[str, str, str, str], int] = {}
    log = [(position, event) for position, event in at_positions(events)]
    for end, (position, _) in enumerate(log, 1):
        for award in met(fold(PLAIN, log[:end])):
            first.setdefault(award, position.ms)
    return first


def awarded(awards: list[Award]) -> dict[tuple[str, str, str, str], int]:
    found = {(a.board, a.period, a.player, a.badge): a.moment.ms for a in awards}
    assert len(found) == len(awards), "a badge was awarded twice"
    return found


@given(logs().map(lambda events: [event for event in events if not isinstance(event, Player)]))
def test_badges_are_awarded_when_the_board_first_meets_them(events: list[AnyEvent]) -> None:
    assert awarded(fold(BADGED, at_positions(events)).awards) == defined(events)


@given(logs(), st.lists(st.booleans(), min_size=14, max_size=14))
def test_neither_batches_nor_restarts_show(events: list[AnyEvent], cuts: list[bool]) -> None:
    log = at_positions(events)
    whole = fold(BADGED, log)
    cut = Fold(Game(BADGED))
    for (position, event), here in zip(log, cuts, strict=False):
        cut.stage(event, position)
        if here:
            cut.absorb()
            cut.settle()
            for table in cut.tables.values():
                for row in table.rows.values():
                    row.state = table.shape.load(table.shape.dump(row.state))
    cut.absorb()
    cut.settle()
    assert str(digest_of(cut)) == str(digest_of(whole))
    assert awarded(cut.awards) == awarded(whole.awards)


@given(logs())
def test_moments_lie_in_the_log(events: list[AnyEvent]) -> None:
    for award in fold(BADGED, at_positions(events)).awards:
        epoch, shard, ms, seq, occurred_ms = award.moment
        assert (epoch, shard, seq) == (1, 0, 0)
        event: Any = events[ms - START_MS]
        assert occurred_ms == event.occurred_at
