"""League tables: they equal what a plain reading of the results gives, in whatever order these came."""

import random
from collections.abc import Iterable
from fractions import Fraction
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from engine.fold import fold, number
from schemas.events import Adjustment, AnyEvent, Fixture, Result
from schemas.ruleset import parse
from tests.given import ranking

RULES = parse("""
game = "g"
[metrics.points]
scale = 1
[metrics.scored]
[metrics.conceded]

[sources.matches]
origin = "table"
win = 2.5
loss = 0
scored = "scored"
conceded = "conceded"
bonuses = [{ points = 1, where = { scored = { min = 3 }, venue = "away" } }]
factors = [{ times = 2, where = { derby = true } }]
[sources.officials]
origin = "adjustment"

[boards.table]
rank_by = ["points desc", "average desc", "difference desc"]
[boards.table.metrics]
points = { op = "sum", of = "points" }
average = { op = "ratio", of = "scored", by = "conceded", scale = 9 }
difference = { op = "difference", of = "scored", by = "conceded" }
scored = { op = "sum", of = "scored" }
conceded = { op = "sum", of = "conceded" }
home = { op = "average", of = "points", where = { venue = "home" }, scale = 3 }
form = { op = "form", n = 4 }
""")

TEAMS = "abcd"
PAIRS = [(home, away) for home in TEAMS for away in TEAMS if home != away]
HOUR_MS = 3_600_000
START_MS = 1_762_000_000_000


class Side(NamedTuple):
    """A match as one side saw it; `points` in tenths."""

    team: str
    venue: str
    scored: int
    conceded: int
    derby: bool

    @property
    def letter(self) -> str:
        return "W" if self.scored > self.conceded else "L" if self.scored < self.conceded else "D"

    @property
    def points(self) -> int:
        base = {"W": 25, "D": 10, "L": 0}[self.letter] * (2 if self.derby else 1)
        return base + 10 * (self.scored >= 3 and self.venue == "away")


@st.composite
def leagues(draw: st.DrawFn) -> list[AnyEvent]:
    """Fixtures, results and their corrections, points taken off. Fixtures may come behind their results."""
    events: list[Any] = []
    goals = st.integers(0, 4)
    for at, (home, away) in enumerate(PAIRS):
        attributes: dict[str, Any] = {"derby": draw(st.booleans()), "neutral": draw(st.booleans())}
        starts_at = START_MS + draw(st.integers(0, 8)) * HOUR_MS
        common: Any = {"fixture": home + away, "round": 1, "starts_at": starts_at, "attributes": attributes}
        events.append(Fixture(id=f"f{at}", game="g", sides=[home, away], **common))
    for at in range(draw(st.integers(3, 20))):
        fixture = "".join(draw(st.sampled_from(PAIRS)))
        status: Any = draw(st.sampled_from(["final"] * 5 + ["void", "abandoned"]))
        score = draw(st.none() | st.lists(goals, min_size=2, max_size=2)) if at % 5 == 0 else [draw(goals), draw(goals)]
        common = {"id": f"r{at}", "game": "g", "revision": at + 1}
        events.append(Result(fixture=fixture, status=status, score=score, **common))
    for at in range(draw(st.integers(0, 2))):
        values: Any = {"points": draw(st.integers(-9, 3))}
        team = draw(st.sampled_from(TEAMS))
        events.append(Adjustment(id=f"a{at}", game="g", player=team, values=values, reason="x", occurred_at=START_MS))
    return events


def sides_of(events: Iterable[AnyEvent]) -> list[Side]:
    """What the results that hold give, in the order in which the matches took place."""
    fixtures = {event.fixture: event for event in events if isinstance(event, Fixture)}
    results: dict[str, Result] = {}
    for event in events:
        if isinstance(event, Result) and event.revision > getattr(results.get(event.fixture), "revision", 0):
            results[event.fixture] = event
    found = []
    for fixture in sorted(fixtures.values(), key=lambda fixture: (fixture.starts_at, fixture.fixture)):
        result = results.get(fixture.fixture)
        if result is None or result.status != "final" or result.score is None:
            continue
        (home, away), facts, (scored, conceded) = fixture.fixture, fixture.attributes or {}, result.score
        venues = ("neutral", "neutral") if facts["neutral"] else ("home", "away")
        derby = bool(facts["derby"])
        found.append(Side(home, venues[0], scored, conceded, derby))
        found.append(Side(away, venues[1], conceded, scored, derby))
    return found


def naive(events: list[AnyEvent]) -> list[tuple[Any, ...]]:
    """(rank, team, metrics) of the table, best first."""
    sides = sides_of(events)
    taken = [event for event in events if isinstance(event, Adjustment)]
    rows: list[tuple[tuple[Any, ...], str, tuple[Any, ...]]] = []
    for team in {side.team for side in sides} | {event.player for event in taken}:
        own = [side for side in sides if side.team == team]
        points = sum(side.points for side in own) + 10 * sum(int(e.values["points"]) for e in taken if e.player == team)
        scored, conceded = sum(side.scored for side in own), sum(side.conceded for side in own)
        average = Fraction(scored, conceded) if conceded else (Fraction(10**6) if scored else Fraction(-1))
        at_home = [side.points for side in own if side.venue == "home"]
        off = 10 * sum(int(event.values["points"]) for event in taken if event.player == team)
        home = decimals(Fraction(sum(at_home) + off, 10 * len(at_home)), 3) if at_home else None
        form = "".join(side.letter for side in own)[-4:]
        ratio = decimals(Fraction(scored, conceded), 9) if conceded else None
        shown = (decimals(Fraction(points, 10), 1), ratio, scored - conceded, scored, conceded, home, form)
        rows.append(((points, average, scored - conceded), team, shown))
    rows.sort(key=lambda row: ([-number for number in row[0]], row[1]))
    standings = [standing for standing, _, _ in rows]
    return [(standings.index(standing) + 1, team, *shown) for standing, team, shown in rows]


def decimals(number: Fraction, digits: int) -> str:
    """The number with so many digits behind the point, rounded half up."""
    units = (number * 10**digits + Fraction(1, 2)).__floor__()
    sign, units = ("-" if units < 0 else ""), abs(units)
    return f"{sign}{units // 10**digits}.{units % 10**digits:0{digits}d}"


def table(events: list[AnyEvent]) -> list[tuple[Any, ...]]:
    """(rank, team, metrics) as the engine has it."""
    state = fold(RULES, number(events, start_ms=START_MS + 100 * HOUR_MS))
    entries = ranking(state, "table").window(0, 99).entries
    decode = state.game.boards["table"].decode
    return [(entry.rank, entry.player, *decode(entry.prefix, entry.extra).values()) for entry in entries]


@given(leagues())
def test_the_table_is_what_the_results_give(events: list[AnyEvent]) -> None:
    assert table(events) == naive(events)


@given(leagues(), st.integers(0, 1 << 30))
def test_the_order_in_which_results_of_different_fixtures_come_changes_nothing(
    events: list[AnyEvent], seed: int
) -> None:
    chance = random.Random(seed)
    last = {event.fixture: event for event in events if isinstance(event, Result)}
    once = [event for event in events if not isinstance(event, Result) or last[event.fixture] is event]
    shuffled = sorted(once, key=lambda _: chance.random())
    assert table(shuffled) == table(once) == table(events)
