"""Picks: the fold grades as a plain reading of the rules does, and neither order nor corrections show."""

import random
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from engine.digest import digest_of
from engine.fold import Fold, fold
from engine.rules import Game
from schemas.events import AnyEvent, Fixture, Pick, Player, Result
from schemas.language import Board, Grade, Lock, Metric, MetricType, PicksSource, Ruleset, Stakes
from schemas.position import Position
from schemas.rulecheck import ruleset_problems
from tests.given import ranking
from tests.property.naive_picks import MINUTE, NaivePool

START_MS = 1_762_000_000_000
SCALE = 2
names, fixtures, numbers = st.sampled_from("abc"), st.sampled_from("fghi"), st.integers(0, 2)
scores = st.builds(lambda home, away: f"{home}-{away}", numbers, numbers)
policies = st.sampled_from(["zero", "hold", "lose"])


@st.composite
def sources(draw: st.DrawFn, *, locks: tuple[Any, ...] = ("start", "round", "never")) -> PicksSource:
    """A picks source whose choices are scores."""
    kinds = draw(st.lists(st.sampled_from(["choice", "exact", "difference", "tendency"]), min_size=1, max_size=3))
    grades = [Grade(when=kind, points=draw(st.integers(-2, 5))) for kind in kinds]  # type: ignore[arg-type]
    at = draw(st.sampled_from(locks))
    missing = "hold" if at == "never" else draw(st.sampled_from(["hold", "zero", "lose", "default"]))
    stakes = st.builds(Stakes, min=st.just(0), max=st.just(9), default=numbers, unique=st.sampled_from(["no", "round"]))
    return PicksSource(
        grades=grades,
        grading=draw(st.sampled_from(["first", "sum"])),
        wrong=draw(st.integers(-2, 1)),
        stakes=draw(st.none() | stakes),
        lock=Lock(at=at, minutes=0 if at == "never" else draw(numbers)),
        push=draw(policies),
        void=draw(policies),
        abandoned=draw(policies),
        missing=missing,
        default=draw(scores) if missing == "default" else None,
    )


def rules(source: PicksSource) -> Ruleset:
    won = {verdict: Metric(op="count", where={"verdict": verdict}) for verdict in ("win", "loss", "push", "void")}
    board = Board(
        rank_by=["points desc"], metrics={"points": Metric(op="sum", of="points"), **won}, periods=["all", "round"]
    )
    made = Ruleset(game="g", boards={"b": board}, metrics={"points": MetricType(scale=SCALE)}, sources={"p": source})
    assert list(ruleset_problems(made)) == []
    return made


def minute(number: int) -> int:
    return START_MS + number * MINUTE


def planned(draw: st.DrawFn, name: str, low: int, high: int) -> Fixture:
    starts, locks = draw(st.integers(low, high)), draw(st.none() | st.integers(low, high))
    return Fixture(
        id="x",
        game="g",
        fixture=name,
        round=draw(st.integers(1, 2)),
        starts_at=minute(starts),
        locks_at=None if locks is None else minute(locks),
    )


def picked(draw: st.DrawFn, source: PicksSource) -> Pick:
    stake = draw(st.none() | numbers) if source.stakes is not None else None
    return Pick(id="x", game="g", player=draw(names), fixture=draw(fixtures), choice=draw(scores), stake=stake)


def settled(draw: st.DrawFn, name: str, revision: int) -> Result:
    score = draw(st.none() | st.tuples(numbers, numbers))
    winner = draw(st.none() | st.lists(scores, max_size=3))
    return Result(
        id="x",
        game="g",
        fixture=name,
        revision=revision,
        status=draw(st.sampled_from(["final", "final", "final", "push", "void", "abandoned"])),
        score=None if score is None else list(score),
        outcomes=None if winner is None else {"winner": winner},
    )


def numbered(events: list[AnyEvent]) -> list[tuple[Position, AnyEvent]]:
    """One event a minute, each with an id of its own."""
    return [
        (Position(1, 0, minute(at), 0), msgspec.structs.replace(event, id=f"e{at}")) for at, event in enumerate(events)
    ]


@st.composite
def wild(draw: st.DrawFn) -> tuple[PicksSource, list[AnyEvent]]:
    """Anything in any order: moved fixtures, picks before and after locks and results, bans, corrections."""
    source = draw(sources())
    events: list[AnyEvent] = [planned(draw, name, 5, 40) for name in "fgh"]
    for _ in range(draw(st.integers(5, 30))):
        kind = draw(st.sampled_from(["pick"] * 5 + ["result", "result", "fixture", "player"]))
        if kind == "pick":
            events.append(picked(draw, source))
        elif kind == "result":
            events.append(settled(draw, draw(fixtures), draw(st.integers(1, 4))))
        elif kind == "fixture":
            events.append(planned(draw, draw(fixtures), 0, 40))
        else:
            events.append(
                Player(id="x", game="g", player=draw(names), status=draw(st.sampled_from(["banned", "active"])))
            )
    return source, events


@st.composite
def orderly(draw: st.DrawFn) -> tuple[PicksSource, list[Fixture], list[Pick], list[Result]]:
    """Fixtures, then picks before every lock, then results with corrections."""
    source = draw(sources(locks=("start", "round")))
    plans = [planned(draw, name, 100, 120) for name in "fgh"]
    picks = [picked(draw, source) for _ in range(draw(st.integers(1, 15)))]
    results = [
        settled(draw, draw(st.sampled_from("fgh")), draw(st.integers(1, 4))) for _ in range(draw(st.integers(1, 6)))
    ]
    return source, plans, picks, results


def shown(state: Fold) -> Any:
    """Every table that shows somebody: ranks, players and metrics."""
    decode = state.game.boards["b"].decode
    tables = {}
    for board, period, _ in state.tables:
        entries = ranking(state, board, period).window(0, 99).entries
        tables[period] = [(entry.rank, entry.player, decode(entry.prefix, entry.extra)) for entry in entries]
    return {period: lines for period, lines in tables.items() if lines}


@given(wild())
def test_the_fold_grades_as_the_rules_read(case: tuple[PicksSource, list[AnyEvent]]) -> None:
    source, events = case
    log = numbered(events)
    state = fold(rules(source), log)
    naive = NaivePool(source, [(position.ms, event) for position, event in log])
    for player in "abc":
        row = state.tables["b", "all", ""].rows.get(player) if ("b", "all", "") in state.tables else None
        marks = [] if row is None else row.state
        assert sum(mark.values["points"] for mark in marks) == naive.points.get(player, 0) * 10**SCALE
        assert sorted(mark.attributes["verdict"] for mark in marks) == sorted(naive.verdicts.get(player, []))
    picks = [rejection.event for rejection in state.rejections if rejection.field != "revision"]
    assert picks == naive.refused


@given(wild(), st.integers(0, 30))
def test_where_batches_are_cut_does_not_show(case: tuple[PicksSource, list[AnyEvent]], cut: int) -> None:
    source, events = case
    log = numbered(events)
    whole, parts = fold(rules(source), log), Fold(Game(rules(source)))
    for stretch in (log[:cut], log[cut:]):
        for position, event in stretch:
            parts.stage(event, position)
        parts.absorb()
        parts.settle()
    assert str(digest_of(parts)) == str(digest_of(whole))
    assert parts.rejections == whole.rejections


@given(orderly(), st.integers(0, 1 << 20))
def test_picks_of_different_players_and_results_of_different_fixtures_may_come_in_any_order(
    case: tuple[PicksSource, list[Fixture], list[Pick], list[Result]], seed: int
) -> None:
    source, plans, picks, results = case
    one = fold(rules(source), numbered([*plans, *picks, *results]))
    mixed = interleaved(picks, "player", seed) + interleaved(results, "fixture", seed)
    other = fold(rules(source), numbered([*plans, *mixed]))
    assert shown(other) == shown(one)
    assert len(other.rejections) == len(one.rejections)


def interleaved(events: list[Any], by: str, seed: int) -> list[Any]:
    """Another order in which those with the same value stay as they were."""
    lanes: dict[str, list[Any]] = {}
    for event in events:
        lanes.setdefault(getattr(event, by), []).append(event)
    turns = [getattr(event, by) for event in events]
    random.Random(seed).shuffle(turns)
    return [lanes[turn].pop(0) for turn in turns]


@given(orderly())
def test_a_corrected_result_is_as_good_as_one_that_was_right_from_the_start(
    case: tuple[PicksSource, list[Fixture], list[Pick], list[Result]],
) -> None:
    source, plans, picks, results = case
    corrected = fold(rules(source), numbered([*plans, *picks, *results]))
    holding: dict[str, Result] = {}
    for result in results:
        if result.fixture not in holding or result.revision > holding[result.fixture].revision:
            holding[result.fixture] = result
    right = fold(rules(source), numbered([*plans, *picks, *holding.values()]))
    assert shown(corrected) == shown(right)
