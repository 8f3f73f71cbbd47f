"""Streaks are what their definition says, in whatever order marks arrive, wherever batches are cut, whenever clocks change."""

import functools
import random
import re
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.clock import days_in
from engine.digest import digest_of
from engine.fold import Fold
from engine.marks import Mark
from engine.rules import Game
from engine.streaks import Streak
from schemas.events import AnyEvent, Fixture, Result, Score, Tick
from schemas.language import Metric, Ruleset
from schemas.position import Position
from schemas.ruleset import parse

QUARTER_MS = 900_000
HOUR_MS = 4 * QUARTER_MS
ZONES = [
    ("UTC", "2024-02-24"),
    ("Europe/Berlin", "2024-03-26"),
    ("Europe/Berlin", "2024-10-22"),
    ("Pacific/Apia", "2011-12-25"),  # no 30th
    ("Pacific/Kwajalein", "1993-08-16"),  # no 21st (20th by some zone data)
    ("America/Sao_Paulo", "2018-10-30"),  # no midnight on November 4th
    ("America/Sao_Paulo", "2018-02-13"),  # the last hour of the 17th twice
    ("Africa/Cairo", "2023-04-24"),  # no midnight on the 28th
    ("Australia/Lord_Howe", "2024-04-02"),  # half an hour
    ("America/Havana", "2025-10-29"),  # midnight twice
]
ADDS, HOLDS, OTHER = "W", "H", "L"


def metric(op: Any, **settings: Any) -> Metric:
    return Metric(op=op, where={"kind": ADDS}, hold={"kind": HOLDS}, **settings)


def mark(ms: int, kind: str, number: int, round_: Any = None) -> Mark:
    return Mark(ms, 5, number, {}, round_, {"kind": kind}, f"e{number}")


def streaks(rules: Ruleset, marks: list[Mark], clock: int | None = None, **settings: Any) -> tuple[int, int]:
    """(present, longest)."""
    present, longest = (Streak(metric(op, **settings), rules) for op in ("streak", "longest_streak"))
    run, lapses = present.present(marks)
    assert run == present.value(marks)
    return 0 if clock is not None and lapses is not None and lapses <= clock else run, longest.value(marks)


def naive(letters: str) -> tuple[int, int]:
    """(present, longest) of what units do, in their order."""
    counted = letters.replace(HOLDS, "")
    runs = [len(run) for run in re.findall(f"{ADDS}+", counted)]
    at_the_end = re.search(f"{ADDS}*$", counted)
    assert at_the_end is not None
    return len(at_the_end.group()), max(runs, default=0)


@given(st.text(alphabet=ADDS + ADDS + HOLDS + OTHER, max_size=30))
def test_streaks_of_marks(letters: str) -> None:
    marks = [mark(0, letter, number) for number, letter in enumerate(letters)]
    rules = Ruleset(game="g", boards={})
    assert streaks(rules, marks) == naive(letters)
    adjusted = [msgspec.structs.replace(marks[0], adjusts=True, attributes=None)] if marks else []
    assert streaks(rules, marks + adjusted) == naive(letters)


@given(st.lists(st.tuples(st.integers(1, 9) | st.sampled_from(["final", None]), st.sampled_from("WWHL")), max_size=12))
def test_streaks_of_rounds(held: list[tuple[Any, str]]) -> None:
    """The order of time does not matter: rounds come in the order of their numbers."""
    marks = [mark(0, kind, number, round_) for number, (round_, kind) in enumerate(held)]
    done = {
        round_: "".join(kind for other, kind in held if other == round_) for round_, _ in held if type(round_) is int
    }
    best = {round_: next(kind for kind in "WHL" if kind in kinds) for round_, kinds in done.items()}
    numbers = range(min(best, default=1), max(best, default=0) + 1)
    rules = Ruleset(game="g", boards={})
    assert streaks(rules, marks, per="round") == naive("".join(best.get(number, OTHER) for number in numbers))
    assert streaks(rules, marks, per="round", absence="hold") == naive("".join(best.get(n, HOLDS) for n in numbers))


@functools.cache
def calendar(zone: str, first: str) -> list[tuple[int, date]]:
    """(start, day) of every quarter of an hour in two weeks: the latest date that a clock on the wall has shown so far."""
    start = datetime.fromisoformat(first).replace(tzinfo=ZoneInfo(zone)).timestamp()
    quarters = []
    latest = date.min
    for number in range(14 * 96):
        ms = int(start) * 1000 + number * QUARTER_MS
        wall = datetime.fromtimestamp(ms / 1000, ZoneInfo(zone)).date()
        latest = max(latest, wall)
        quarters.append((ms, latest))
    return quarters


def days_of(quarters: list[tuple[int, date]]) -> list[date]:
    """The days that there were."""
    return list(dict.fromkeys(day for _, day in quarters))


@pytest.mark.parametrize(("zone", "first"), ZONES)
def test_days_are_those_on_the_wall(zone: str, first: str) -> None:
    quarters = calendar(zone, first)
    starts: dict[date, int] = {}
    for ms, day in quarters:
        starts.setdefault(day, ms)
    days = days_of(quarters)
    for ms, day in quarters[:-1]:
        start, end = days_in(zone).of(ms)
        at = days.index(day)
        assert start == starts[day]
        assert at + 1 == len(days) or end == starts[days[at + 1]]
    if zone == "Pacific/Apia":
        assert date(2011, 12, 30) not in days


@given(st.sampled_from(ZONES), st.integers(0, 1 << 40), st.sampled_from(["reset", "hold"]))
def test_streaks_of_days(place: tuple[str, str], seed: int, absence: Any) -> None:
    chance = random.Random(seed)
    quarters = calendar(*place)
    days = days_of(quarters)
    played = sorted(chance.sample(range(10 * 96), chance.choice([1, 5, 12, 30])))
    kinds = [chance.choice("WWWWHL") for _ in played]
    marks = [
        mark(quarters[at][0] + chance.randrange(QUARTER_MS), kind, at) for at, kind in zip(played, kinds, strict=True)
    ]
    done: dict[date, str] = {}
    for at, kind in zip(played, kinds, strict=True):
        done[quarters[at][1]] = done.get(quarters[at][1], "") + kind
    now = chance.randrange(played[-1], len(quarters) - 96)
    # Today may still bring a mark.
    until = max(days.index(quarters[now][1]), days.index(quarters[played[-1]][1]) + 1)
    absent = OTHER if absence == "reset" else HOLDS
    letters = "".join(
        next((kind for kind in "WHL" if kind in done.get(day, "")), absent)
        for day in days[days.index(min(done)) : until]
    )
    rules = Ruleset(game="g", boards={}, time_zone=place[0])
    assert streaks(rules, marks, quarters[now][0], per="day", absence=absence) == naive(letters)
    starts = [ms for (ms, day), (_, before) in zip(quarters[1:], quarters, strict=False) if day != before]
    _, lapses = Streak(metric("streak", per="day", absence=absence), rules).present(marks)
    assert lapses is None or lapses in starts


RULES = """
game = "g"
time_zone = "America/Sao_Paulo"
[metrics.points]
[sources.score]
origin = "score"
[sources.table]
origin = "table"
[boards.days]
sources = ["score"]
rank_by = ["streak desc", "reached", "longest desc"]
periods = ["all", "weekly"]
metrics.streak = { op = "streak", per = "day", where = { kind = "W" }, hold = { kind = "H" } }
metrics.longest = { op = "longest_streak", per = "day", where = { kind = "W" }, hold = { kind = "H" } }
[boards.wins]
sources = ["table"]
rank_by = ["streak desc"]
metrics.streak = { op = "streak", where = { verdict = "win" }, hold = { verdict = "draw" } }
metrics.longest = { op = "longest_streak", where = { verdict = ["win", "draw"] } }
"""
SIDES = ["ann", "bob", "cid"]
START_MS = 1_541_000_000_000
"""Some days before São Paulo skips a midnight."""


def logs(chance: random.Random) -> list[tuple[Position, AnyEvent]]:
    """Scores of days before and after, moved and corrected matches, and ticks."""
    found: list[tuple[Position, AnyEvent]] = []
    ms = START_MS
    for number in range(chance.randint(1, 25)):
        ms += chance.choice([1, HOUR_MS, 5 * HOUR_MS, 30 * HOUR_MS])
        occurred = ms - chance.choice([0, 0, 3 * HOUR_MS, 40 * HOUR_MS])
        head: dict[str, Any] = {"id": f"e{number}", "game": "g"}
        fixture = f"f{chance.randint(1, 5)}"
        kind = chance.choice(["score", "score", "fixture", "result", "tick"])
        event: AnyEvent
        if kind == "score":
            attributes: Any = {"kind": chance.choice("WWHL")}
            event = Score(
                **head, player=chance.choice(SIDES), values={"points": 1}, occurred_at=occurred, attributes=attributes
            )
        elif kind == "fixture":
            event = Fixture(**head, fixture=fixture, round=1, starts_at=occurred, sides=chance.sample(SIDES, 2))
        elif kind == "result":
            score = [chance.randint(0, 2), chance.randint(0, 2)]
            event = Result(**head, fixture=fixture, revision=chance.randint(1, 9), score=score)
        else:
            event = Tick(**head, at=ms + chance.choice([-HOUR_MS, 0, 26 * HOUR_MS]))
        found.append((Position(1, 0, ms, 0), event))
    return found


def folded(log: list[tuple[Position, AnyEvent]], cuts: set[int]) -> Fold:
    """Settled after these events, and at the end."""
    state = Fold(Game(parse(RULES)))
    for at, (position, event) in enumerate(log):
        state.apply(event, position)
        if at in cuts:
            state.settle()
    state.settle()
    return state


def shown(state: Fold, board: str) -> dict[str, tuple[Any, Any]]:
    table = state.tables.get((board, "all", ""))
    plan = state.game.boards[board]
    rows = table.rows if table is not None else {}
    decoded = {name: plan.decode(row.prefix, row.extra) for name, row in rows.items() if row.prefix is not None}
    return {name: (values["streak"], values["longest"]) for name, values in decoded.items()}


@given(st.integers(0, 1 << 40))
def test_places_are_a_function_of_marks_and_clock(seed: int) -> None:
    chance = random.Random(seed)
    log = logs(chance)
    state = folded(log, set())
    cuts = set(chance.sample(range(len(log)), chance.randint(0, len(log))))
    assert str(digest_of(folded(log, cuts))) == str(digest_of(state))
    clock = max(
        [log[-1][0].ms, *(event.at for _, event in log if isinstance(event, Tick) and isinstance(event.at, int))]
    )
    rules = state.game.rules
    for name in SIDES:
        scores = [event for _, event in log if isinstance(event, Score) and event.player == name]
        marks = [mark(int(str(event.occurred_at)), str((event.attributes or {})["kind"]), 0) for event in scores]
        if marks:
            marks.sort(key=lambda mark: mark.occurred_ms)
            assert shown(state, "days")[name] == streaks(rules, marks, clock, per="day")


@given(st.integers(0, 1 << 40))
def test_streaks_of_matches_go_by_the_contests_order_and_by_corrected_results(seed: int) -> None:
    chance = random.Random(seed)
    log = logs(chance)
    fixtures: dict[str, Fixture] = {}
    results: dict[str, Result] = {}
    for _, event in log:
        if isinstance(event, Fixture):
            fixtures[event.fixture] = event
        elif isinstance(event, Result) and event.revision > (
            results[event.fixture].revision if event.fixture in results else 0
        ):
            results[event.fixture] = event
    played = sorted((int(str(fixtures[name].starts_at)), name) for name in fixtures.keys() & results.keys())
    expected = {}
    for side in SIDES:
        letters = ""
        for _, name in played:
            (home, away), score = fixtures[name].sides or ("", ""), results[name].score or []
            if side in (home, away):
                lead = (score[0] - score[1]) * (1 if side == home else -1)
                letters += "W" if lead > 0 else "H" if lead == 0 else "L"
        if letters:
            expected[side] = naive(letters)[0], naive(letters.replace("H", "W"))[1]
    assert shown(folded(log, set()), "wins") == expected


def test_the_calendar_has_ends() -> None:
    """Whoever names the first or the last day of the calendar gets a streak too."""
    first, last = -62_135_596_800_000, 253_402_300_799_999
    for zone in ("UTC", "Pacific/Apia", "America/Havana"):
        rules = Ruleset(game="g", boards={}, time_zone=zone)
        marks = [mark(first, ADDS, 1), mark(last, ADDS, 2)]
        assert streaks(rules, marks, last, per="day") == (1, 1)
        assert streaks(rules, marks[:1], 0, per="day") == (0, 1)
        early, late = days_in(zone).of(first), days_in(zone).of(last)
        assert early[0] <= first < early[1] < late[0] <= last < late[1]
        assert timedelta(milliseconds=early[1] - first) < timedelta(days=4)
