"""Copies against their definition: rankings before the present stretch, and segments by players' attributes."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from engine.badges import bare
from engine.digest import digest_of
from engine.fold import Fold, fold
from engine.leaderboard import Leaderboard
from engine.marks import Mark
from engine.rules import Game
from engine.tables import Table
from schemas.events import AnyEvent, Player, PlayerStatus, Score, Void
from schemas.ruleset import parse
from tests.property.naive import values_of
from tests.property.test_fold import START_MS, at_positions, logs, players

HEAD = """
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
"""
BOARD = """
[boards.{name}]
rank_by = ["points desc", "runs asc"]
periods = ["all", "monthly"]
movement = "{movement}"
segments = {{ country = "player", team = "mark" }}
metrics = {{ points = {{ op = "sum", of = "points" }}, runs = {{ op = "count" }} }}
"""
MOVEMENTS = ["none", "round", "daily", "weekly", "monthly"]
RULES = parse(HEAD + "".join(BOARD.format(name=f"by-{movement}", movement=movement) for movement in MOVEMENTS))
HAVANA = ZoneInfo("America/Havana")
Lines = list[tuple[Any, ...]]


@st.composite
def profiled(draw: st.DrawFn) -> list[AnyEvent]:
    """A log in which players also move between countries, and scores are taken back; rounds have numbers or names."""
    events = draw(logs())
    named = draw(st.booleans())
    found: list[AnyEvent] = []
    for at, event in enumerate(events):
        round_ = getattr(event, "round", None)
        if named and round_ is not None:
            event = type(event)(**{**_fields(event), "round": f"r{round_ * 7 % 5}"})  # type: ignore[arg-type]
        found.append(event)
        if isinstance(event, Score) and draw(st.integers(0, 5)) == 0:
            found.append(Void(id=f"v{at}", game="g", event=event.id, reason="x"))
        if draw(st.integers(0, 3)) == 0:
            country = draw(st.sampled_from(["cu", "no", "", "a\nb"]))
            status: PlayerStatus | None = draw(st.sampled_from([None, None, None, "hidden", "erased", "active"]))
            attributes = {"country": country} if draw(st.booleans()) or status is None else None
            found.append(Player(id=f"p{at}", game="g", player=draw(players), attributes=attributes, status=status))
    return found


def _fields(event: AnyEvent) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__struct_fields__}


def shown(table: Table | None) -> Lines:
    """(rank, player, metrics) of a table."""
    if table is None:
        return []
    ranking = Leaderboard(table.plan.style)
    for player, row in table.rows.items():
        ranking.set(player, row.prefix, row.extra)
    values = table.plan.values
    return [(e.rank, e.player, *values(e.prefix, e.extra)) for e in ranking.window(0, 99).entries]


def ranked(of: Iterable[tuple[Any, str, int | None]]) -> Lines:
    """(player, points, runs) by rank, as a person would do it."""
    lines = list(of)

    def better(one: Any, other: Any) -> bool:
        return (-one[1], one[2]) < (-other[1], other[2])

    places = [(1 + sum(better(other, line) for other in lines), *line) for line in lines]
    return sorted(places, key=lambda place: (place[0], place[1].encode()))


def wall(mark: Mark) -> datetime:
    return datetime.fromtimestamp(mark.occurred_ms / 1000, UTC).astimezone(HAVANA).replace(tzinfo=None)


def stretch(movement: str, mark: Mark) -> Any:
    day = wall(mark).date()
    if movement == "weekly":
        return day - timedelta(days=day.weekday())
    return day if movement == "daily" else (day.year, day.month)


def before(movement: str, marks: list[Mark]) -> list[Mark]:
    """The marks of a table before its present stretch, by the definition."""
    ordered = sorted(marks, key=lambda mark: (mark.order, mark.origin))
    if movement != "round":
        return [mark for mark in ordered if stretch(movement, mark) < stretch(movement, ordered[-1])]
    rounds = [mark.round for mark in ordered if mark.round is not None]
    if not rounds:
        return []
    present = rounds[-1]
    first = next(mark for mark in ordered if mark.round == present)
    in_order = list(dict.fromkeys(rounds))
    if isinstance(present, int):
        in_order.sort()
    earlier = in_order[: in_order.index(present)]
    return [
        mark
        for mark in ordered
        if (
            mark.round in earlier if mark.round is not None else (mark.order, mark.origin) < (first.order, first.origin)
        )
    ]


def countries(events: list[AnyEvent]) -> dict[str, str]:
    found: dict[str, Any] = {}
    for event in events:
        if isinstance(event, Player):
            if event.status == "erased":
                found.pop(event.player, None)
            elif event.attributes:
                found[event.player] = event.attributes["country"]
    return {player: country for player, country in found.items() if country not in ("", "a\nb")}


def check(state: Fold, events: list[AnyEvent]) -> None:
    """Every copy of a settled fold shows what its definition says."""
    lives_in = countries(events)
    for (board, period, segment), table in list(state.tables.items()):
        if table.copy:
            continue
        movement = board.removeprefix("by-")
        marks = {player: list(bare(row.state)) for player, row in table.rows.items()} if movement != "none" else {}
        everybody = [mark for held in marks.values() for mark in held]
        earlier = {id(mark) for mark in before(movement, everybody)} if everybody else set()
        lines = []
        for player, held in marks.items():
            counted = [mark for mark in held if id(mark) in earlier]
            listed = state.sanctions.get(player) not in ("banned", "hidden")
            if counted and listed:
                lines.append((player, *values_of(table.plan.board, counted).values()))
        expected = {"": shown(table), "<": ranked(lines)}
        if movement != "none":
            assert shown(state.tables[board, period, "<" + segment]) == expected["<"]
        if segment:
            continue
        for country in ("cu", "no"):
            for variant in ("", "<") if movement != "none" else ("",):
                members = [line[1:] for line in expected[variant] if lives_in.get(line[1]) == country]
                copy = state.tables.get((board, period, f"{variant}country:{country}"))
                assert shown(copy) == ranked(members)


@given(profiled())
def test_copies_are_as_defined(events: list[AnyEvent]) -> None:
    check(fold(RULES, at_positions(events)), events)


@given(profiled(), st.lists(st.booleans(), min_size=42, max_size=42))
def test_where_batches_are_cut_does_not_show(events: list[AnyEvent], cuts: list[bool]) -> None:
    log = at_positions(events)
    cut = Fold(Game(RULES))
    for at, ((position, event), here) in enumerate(zip(log, cuts, strict=False), 1):
        cut.apply(event, position)
        if here:
            cut.settle()
            check(cut, events[:at])
    cut.settle()
    whole = fold(RULES, log)
    assert str(digest_of(cut)) == str(digest_of(whole))
    assert {name: lines for name, table in cut.tables.items() if (lines := shown(table))} == {
        name: lines for name, table in whole.tables.items() if (lines := shown(table))
    }


@given(profiled(), st.lists(st.booleans(), min_size=42, max_size=42))
def test_changes_lead_from_what_was_shown_to_what_is(events: list[AnyEvent], cuts: list[bool]) -> None:
    seen: dict[tuple[Any, str], tuple[Any, ...]] = {}
    state = Fold(Game(RULES))
    for (position, event), here in zip(at_positions(events), cuts, strict=False):
        if isinstance(event, Player) and event.status == "erased":
            continue
        state.apply(event, position)
        for change in state.settle() if here else ():
            where, row = (change.table.name, change.player), change.row
            held = seen.get(where, (None, b"", None))
            assert held == (change.before_prefix, change.before_extra, change.before_hidden)
            seen[where] = (row.prefix, row.extra, row.hidden)
            assert change.moved == (seen[where] != held)
    state.settle()


def test_start_ms_is_a_day_before_the_clocks_change() -> None:
    assert wall(Mark(START_MS, 0, 0, {})).date().isoformat() == "2025-11-01"
