"""What was true at an instant is what a log shows from which all that came later is left out, but for what corrects it."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.effective import Cut
from engine.fold import Fold, fold
from engine.rules import Game
from schemas.codec import epoch_ms
from schemas.events import Adjustment, AnyEvent, Fixture, Pick, Player, Reinstate, Result, Score, Void
from schemas.position import Position
from schemas.ruleset import parse
from tests.given import decoded, fixture, pick, result
from tests.property.test_corrections import corrected
from tests.property.test_fold import HOURS, RULES, START_MS, at_positions, boards

Log = list[tuple[Position, AnyEvent]]
instants = st.integers(-2, 45).map(lambda hours: START_MS + hours * HOURS)


def as_of(rules: Any, log: Log, when: int | Position) -> Fold:
    """The log as the engine cuts it."""
    cut, state = Cut(when), Fold(Game(rules))
    cut.begin(state)
    for position, event in log:
        if cut.counts(event, position):
            state.apply(event, position)
    state.settle()
    return state


def occurred(event: AnyEvent, position: Position) -> int:
    return position.ms if event.occurred_at is None else epoch_ms(event.occurred_at)


def valid_results(log: Log) -> dict[str, tuple[Position, Result]]:
    """The result of each fixture that holds in the end: of those that are not void the first of the highest revision."""
    void: dict[str, bool] = {}
    for _, event in log:
        if isinstance(event, Void | Reinstate):
            void[event.event] = isinstance(event, Void)
    found: dict[str, tuple[Position, Result]] = {}
    for position, event in log:
        if isinstance(event, Result) and not void.get(event.id):
            held = found.get(event.fixture)
            if held is None or held[1].revision < event.revision:
                found[event.fixture] = (position, event)
    return found


def without_later(log: Log, ms: int) -> Log:
    """A second opinion: the log in which nothing that occurred later was ever said."""
    starts = {event.fixture: epoch_ms(event.starts_at) for _, event in log if isinstance(event, Fixture)}
    held = valid_results(log)
    times = {name: starts.get(name, occurred(event, position)) for name, (position, event) in held.items()}
    left: Log = []
    for position, event in log:
        if isinstance(event, Score | Adjustment | Pick) and occurred(event, position) > ms:
            continue
        if isinstance(event, Result) and times.get(event.fixture, starts.get(event.fixture, ms)) > ms:
            continue
        left.append((position, event))
    return left


@settings(max_examples=200)
@given(corrected(), instants)
def test_at_a_time_the_log_shows_what_one_without_later_events_shows(
    given_: tuple[list[AnyEvent], Any], ms: int
) -> None:
    log = at_positions(given_[0])
    assert boards(as_of(RULES, log, ms)) == boards(fold(RULES, without_later(log, ms)))


@settings(max_examples=200)
@given(corrected(), st.integers(0, 22))
def test_at_a_position_corrections_that_came_later_hold(given_: tuple[list[AnyEvent], Any], at: int) -> None:
    log = at_positions(given_[0])
    until = Position(1, 0, START_MS + at, 0)
    contests = {event.fixture for position, event in log if position <= until and isinstance(event, Result)}
    left = [
        (position, event)
        for position, event in log
        if position <= until
        or isinstance(event, Void | Reinstate | Player)
        or (isinstance(event, Result) and event.fixture in contests)
    ]
    assert boards(as_of(RULES, log, until)) == boards(fold(RULES, left))


@given(corrected())
def test_in_the_end_everything_is_as_it_is(given_: tuple[list[AnyEvent], Any]) -> None:
    log = at_positions(given_[0])
    end = log[-1][0]
    assert (
        boards(as_of(RULES, log, end))
        == boards(as_of(RULES, log, START_MS + 1_000 * HOURS))
        == boards(fold(RULES, log))
    )


PICKS = parse("""
game = "g"
[metrics.points]
[sources.picks]
origin = "picks"
metric = "points"
grades = [{ points = 1 }]
[boards.b]
sources = ["picks"]
rank_by = ["points desc"]
metrics = { points = { op = "sum", of = "points" } }
""")


def test_a_contest_counts_from_its_start_on_with_the_result_that_holds_now() -> None:
    """The result was recorded, and corrected, long after it."""
    hours = [START_MS + each * HOURS for each in range(10)]
    events = decoded(
        "g",
        [
            fixture("f", 1, hours[2]),
            fixture("later", 1, hours[7]),
            pick("ann", "f", "home"),
            pick("bob", "f", "away"),
            result("f", outcomes={"winner": ["home"]}, revision=1),
            result("f", outcomes={"winner": ["away"]}, revision=2),
        ],
    )
    log: Log = [
        (Position(1, 0, ms, 0), event)
        for ms, event in zip([hours[0], hours[0] + 1, hours[1], hours[1] + 1, hours[4], hours[8]], events, strict=True)
    ]
    assert boards(as_of(PICKS, log, hours[1])) == {}
    [lines] = boards(as_of(PICKS, log, hours[2])).values()
    assert [(player, metrics["points"]) for _, player, metrics in lines] == [("bob", 1), ("ann", 0)]
    assert boards(as_of(PICKS, log, Position(1, 0, hours[4] - 1, 0))) == {}
    [lines] = boards(as_of(PICKS, log, Position(1, 0, hours[4], 0))).values()
    assert [player for _, player, _ in lines] == ["bob", "ann"]
