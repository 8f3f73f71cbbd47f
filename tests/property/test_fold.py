"""The fold: batches, order of arrival, corrections and repetition do not show."""

import random
from collections import Counter
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.digest import digest_of
from engine.fold import Fold, fold, number
from engine.rules import Game
from schemas.events import Adjustment, AnyEvent, Placement, Player, Result, Score
from schemas.position import Position
from schemas.ruleset import parse
from tests.given import ranking

RULES = parse("""
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
[sources.teams]
origin = "placements"
points = [5, 3, 1]
entrant = "team"

[boards.total]
sources = ["score", "adjustment", "race"]
rank_by = ["points desc", { countback = "position", places = 3 }]
periods = ["all", "daily", "round"]
metrics = { points = { op = "sum", of = "points" }, runs = { op = "count" } }

[boards.sum]
sources = ["score", "adjustment"]
rank_by = ["points desc", "reached"]
ranks = "dense"
periods = ["all", "weekly"]
metrics = { points = { op = "sum", of = "points" }, fast = { op = "min", of = "time" } }

[boards.best]
sources = ["score"]
keep = { mode = "best", by = "points" }
rank_by = ["points desc", "time asc", "reached"]
metrics = { points = { op = "max", of = "points" }, time = { op = "max", of = "time" } }

[boards.rounds]
sources = ["score", "adjustment"]
keep = { mode = "best", by = "points", per = "round", n = 2, marks = 1 }
rank_by = ["points desc"]
ranks = "modified"
metrics = { points = { op = "sum", of = "points" } }

[boards.teams]
sources = ["teams"]
rank_by = ["points desc"]
metrics = { points = { op = "sum", of = "points" } }
""")

WHOLE = parse("""
game = "g"
[metrics.points]
[metrics.time]

[boards.best]
keep = { mode = "best", by = "points" }
rank_by = ["points desc", "reached"]
periods = ["all", "daily", "round"]
metrics = { points = { op = "max", of = "points" } }

[boards.total]
rank_by = ["points desc"]
periods = ["all", "round"]
metrics = { points = { op = "sum", of = "points" }, runs = { op = "count" } }
""")
"""All of it is gathered: whole numbers, and shapes that need not see every mark."""

HOURS = 3_600_000
START_MS = 1_762_000_000_000  # a day before Havana's clocks go back
players = st.sampled_from(["ann", "bob", "cid", "é"])
rounds = st.none() | st.integers(1, 3)
points = st.integers(-30, 90) | st.sampled_from([0.5, 1.5]).map(lambda value: Decimal(str(value)))
values = st.fixed_dictionaries({"points": points}, optional={"time": st.integers(1, 5)})


@st.composite
def logs(draw: st.DrawFn, *, results: bool = True) -> list[AnyEvent]:
    """Events, each with a time of its own."""
    size = draw(st.integers(1, 14))
    hours = draw(st.permutations(range(size * 3)))
    kinds = ["score", "score", "score", "adjustment", "player"] + (["result", "result"] if results else [])
    events: list[AnyEvent] = []
    sanctioned: set[str] = set()
    for at in range(size):
        common: Any = {"id": f"e{at}", "game": "g", "occurred_at": START_MS + hours[at] * HOURS}
        kind, player = draw(st.sampled_from(kinds)), draw(players)
        if kind == "result":
            order = draw(st.permutations(["ann", "bob", "cid"]))
            lines = [
                Placement(player=who, position=place, attributes={"team": who[0]}) for place, who in enumerate(order, 1)
            ]
            fixture, revision = draw(st.sampled_from("fg")), draw(st.integers(1, 3))
            status: Any = draw(st.sampled_from(["final", "final", "void"]))
            events.append(
                Result(
                    fixture=fixture, revision=revision, placements=lines, status=status, round=draw(rounds), **common
                )
            )
        elif kind == "player" and player not in sanctioned:
            sanctioned.add(player)
            events.append(Player(player=player, status=draw(st.sampled_from(["banned", "active"])), **common))
        elif kind == "adjustment":
            board = draw(st.sampled_from([None, "sum", "total"]))
            events.append(Adjustment(player=player, values={"points": draw(points)}, reason="x", board=board, **common))
        else:
            events.append(Score(player=player, values=draw(values), round=draw(rounds), **common))
    return events


def at_positions(events: list[AnyEvent]) -> list[tuple[Position, AnyEvent]]:
    """Positions one millisecond apart, whatever the events say of their time."""
    return [(Position(1, 0, START_MS + at, 0), event) for at, event in enumerate(events)]


def boards(state: Fold) -> dict[tuple[str, str], Any]:
    """Every table that shows somebody: ranks, players and metrics."""
    shown = {}
    for name, period, _ in state.tables:
        decode = state.game.boards[name].decode
        entries = ranking(state, name, period).window(0, 99).entries
        if entries:
            shown[name, period] = [(e.rank, e.player, decode(e.prefix, e.extra)) for e in entries]
    return shown


@given(logs(), st.lists(st.booleans(), min_size=14, max_size=14))
def test_where_batches_are_cut_does_not_show(events: list[AnyEvent], cuts: list[bool]) -> None:
    log = at_positions(events)
    whole = fold(RULES, log)
    cut = Fold(Game(RULES))
    for (position, event), here in zip(log, cuts, strict=False):
        cut.stage(event, position)
        if here:
            cut.absorb()
            cut.settle()
    cut.absorb()
    cut.settle()
    assert str(digest_of(cut)) == str(digest_of(whole))
    assert boards(cut) == boards(whole)
    assert cut.contests == whole.contests


@given(
    logs(results=False), st.lists(st.booleans(), min_size=14, max_size=14), st.booleans(), st.sets(st.integers(0, 13))
)
def test_scores_staged_together_are_worth_what_each_of_them_is(
    events: list[AnyEvent], cuts: list[bool], whole: bool, voided: set[int]
) -> None:
    alone, together = Fold(Game(WHOLE if whole else RULES)), Fold(Game(WHOLE if whole else RULES))
    together.corrections.voided.update(f"e{at}" for at in voided)
    waiting: list[tuple[Position, Score]] = []

    def flush() -> None:
        ms, seq = [position.ms for position, _ in waiting], [position.seq for position, _ in waiting]
        together.stage_scores([event for _, event in waiting], ms, seq)
        waiting.clear()

    for at, ((position, event), cut) in enumerate(zip(at_positions(events), cuts, strict=False)):
        if not isinstance(event, Score):
            flush()
            if at not in voided and not whole:
                alone.stage(event, position)
                together.stage(event, position)
            continue
        worth = {name: int(value) for name, value in event.values.items()} if whole else event.values
        if at not in voided:
            alone.stage(replace(event, values=worth), position)
        # A decimal without digits behind the point is worth the integer.
        given_as = {name: Decimal(value) for name, value in worth.items()} if whole and cut else worth
        waiting.append((position, replace(event, values=given_as)))
        if cut:
            flush()
    flush()
    for state in (alone, together):
        state.absorb()
        state.settle()
    assert str(digest_of(together)) == str(digest_of(alone))
    assert boards(together) == boards(alone)


@given(logs(), st.integers(0, 13))
def test_a_state_written_out_and_read_back_goes_on_alike(events: list[AnyEvent], cut: int) -> None:
    log = at_positions(events)
    resumed = fold(RULES, log[:cut])
    for table in resumed.tables.values():
        for row in table.rows.values():
            row.state = table.shape.load(table.shape.dump(row.state))
    for position, event in log[cut:]:
        resumed.apply(event, position)
    resumed.settle()
    assert str(digest_of(resumed)) == str(digest_of(fold(RULES, log)))


@given(logs(results=False), st.integers(0, 1 << 20))
def test_events_that_commute_may_arrive_in_any_order(events: list[AnyEvent], seed: int) -> None:
    shuffled = list(events)
    random.Random(seed).shuffle(shuffled)
    assert boards(fold(RULES, at_positions(shuffled))) == boards(fold(RULES, at_positions(events)))


@given(logs())
def test_a_corrected_log_shows_what_one_shows_that_was_right_from_the_start(events: list[AnyEvent]) -> None:
    log = at_positions(events)
    holding: dict[str, tuple[int, Position]] = {}
    for position, event in log:
        if isinstance(event, Result) and event.revision > holding.get(event.fixture, (0, None))[0]:
            holding[event.fixture] = (event.revision, position)
    positions = {position for _, position in holding.values()}
    right = [(position, event) for position, event in log if not isinstance(event, Result) or position in positions]
    assert boards(fold(RULES, right)) == boards(fold(RULES, log))


@given(logs())
def test_two_players_share_no_key_but_one_that_says_so(events: list[AnyEvent]) -> None:
    state = fold(RULES, at_positions(events))
    endings = {name: plan.shared_ending for name, plan in state.game.boards.items()}
    assert {name for name, ending in endings.items() if ending} == {"sum", "best"}
    for (name, *_), table in state.tables.items():
        held = Counter(row.prefix for row in table.rows.values() if row.prefix is not None)
        assert all(prefix.endswith(endings[name]) for prefix, players in held.items() if players > 1)


@given(logs())
def test_a_result_sent_again_changes_nothing(events: list[AnyEvent]) -> None:
    log = at_positions(events)
    later = [(Position(1, 0, START_MS + 100 + at, 0), event) for at, (_, event) in enumerate(log)]
    twice = log + [(position, event) for position, event in later if isinstance(event, Result)]
    assert str(digest_of(fold(RULES, twice))) == str(digest_of(fold(RULES, log)))


@given(logs())
def test_the_digest_tells_different_tables_apart(events: list[AnyEvent]) -> None:
    log = at_positions(events)
    before = str(digest_of(fold(RULES, log)))
    more = Score(id="more", game="g", player="ann", values={"points": 1})
    assert str(digest_of(fold(RULES, [*log, (Position(1, 0, START_MS + 99, 0), more)]))) != before


@given(logs())
def test_numbered_positions_ascend(events: list[AnyEvent]) -> None:
    positions = [position for position, _ in number(events)]
    assert positions == sorted(set(positions))
    assert [event for _, event in number(events)] == events
