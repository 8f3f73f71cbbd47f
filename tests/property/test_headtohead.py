"""Head-to-head: tables of random leagues agree with sorted(), wherever the log is cut and whatever was corrected."""

from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from engine.digest import digest_of
from engine.fold import Fold, fold, number
from engine.rules import Game
from schemas.events import Adjustment, AnyEvent, Fixture, Player, Result
from schemas.ruleset import parse
from tests.given import ranking

RULES = parse("""
game = "g"
[metrics.points]
[metrics.scored]
[metrics.conceded]

[sources.matches]
origin = "table"
scored = "scored"
conceded = "conceded"
[sources.officials]
origin = "adjustment"

[boards.table]
rank_by = ["points desc", { head_to_head = ["points desc", "conceded asc"] }, { head_to_head = ["away desc"] }, "scored desc"]
periods = ["all", "round"]
[boards.table.metrics]
points = { op = "sum", of = "points" }
scored = { op = "sum", of = "scored" }
conceded = { op = "sum", of = "conceded" }
away = { op = "sum", of = "scored", where = { venue = "away" } }
""")

TEAMS = "abcd"
PAIRS = [(home, away) for home in TEAMS for away in TEAMS if home != away]
START_MS = 1_762_000_000_000


class Match(NamedTuple):
    """A match as one side saw it."""

    team: str
    opponent: str
    away: bool
    scored: int
    conceded: int

    @property
    def points(self) -> int:
        return 3 if self.scored > self.conceded else int(self.scored == self.conceded)


@st.composite
def leagues(draw: st.DrawFn) -> list[AnyEvent]:
    """Every pair has a fixture; results come and are corrected, teams lose points, are excluded and come back."""
    events: list[Any] = []
    for at, (home, away) in enumerate(PAIRS):
        starts_at = START_MS + at * 3_600_000
        events.append(
            Fixture(id=f"f{at}", game="g", fixture=home + away, round=at % 2, starts_at=starts_at, sides=[home, away])
        )
    goals = st.integers(0, 2)
    for at in range(draw(st.integers(3, 24))):
        common: Any = {"id": f"e{at}", "game": "g"}
        kind = draw(st.sampled_from(["result"] * 8 + ["adjustment", "player"]))
        if kind == "result":
            home, away = draw(st.sampled_from(PAIRS))
            status: Any = draw(st.sampled_from(["final"] * 5 + ["void"]))
            score = [draw(goals), draw(goals)]
            events.append(Result(fixture=home + away, revision=at + 1, status=status, score=score, **common))
        elif kind == "adjustment":
            values: Any = {"points": draw(st.integers(-3, 3))}
            events.append(Adjustment(player=draw(st.sampled_from(TEAMS)), values=values, reason="x", **common))
        else:
            standing: Any = draw(st.sampled_from(["banned", "active"]))
            events.append(Player(player=draw(st.sampled_from(TEAMS)), status=standing, **common))
    return events


def naive(events: list[AnyEvent]) -> list[tuple[int, str, dict[str, int | None]]]:
    """(rank, team, metrics, with what decided between those who are level) of the board of all rounds."""
    results: dict[str, Result] = {}
    added = dict.fromkeys(TEAMS, 0)
    banned: set[str] = set()
    known: set[str] = set()
    for event in events:
        if isinstance(event, Result):
            results[event.fixture] = event
        elif isinstance(event, Adjustment):
            added[event.player] += int(event.values["points"])
            known.add(event.player)
        elif isinstance(event, Player) and event.status == "banned":
            banned.add(event.player)
        elif isinstance(event, Player):
            banned.discard(event.player)
    matches = [side for result in results.values() if result.status == "final" for side in sides(result)]
    teams = [team for team in TEAMS if team not in banned and (team in known or any(m.team == team for m in matches))]
    totals = {team: metrics([m for m in matches if m.team == team]) for team in teams}
    for team in teams:
        totals[team]["points"] += added[team]

    def among(level: list[str], team: str) -> dict[str, int]:
        return metrics([m for m in matches if m.team == team and m.opponent in level])

    shown: dict[str, dict[str, int | None]] = {team: {**totals[team]} for team in teams}
    keys: dict[str, tuple[int, ...]] = {team: (-totals[team]["points"],) for team in teams}
    for criteria in (["points", "-conceded"], ["away"]):
        groups = {team: [other for other in teams if keys[other] == keys[team]] for team in teams}
        for team, level in groups.items():
            mini = among(level, team)
            for name in criteria:
                metric = name.removeprefix("-")
                shown[team][f"head_to_head.{metric}"] = mini[metric] if len(level) > 1 else None
                keys[team] += (mini[metric] if metric != name else -mini[metric],)
    keys = {team: (*key, -totals[team]["scored"]) for team, key in keys.items()}
    ordered = sorted(teams, key=lambda team: (keys[team], team))
    return [(1 + sum(keys[other] < keys[team] for other in teams), team, shown[team]) for team in ordered]


def sides(result: Result) -> list[Match]:
    home, away = list(result.fixture)
    ours, theirs = result.score or (0, 0)
    return [Match(home, away, False, ours, theirs), Match(away, home, True, theirs, ours)]


def metrics(matches: list[Match]) -> dict[str, int]:
    return {
        "points": sum(match.points for match in matches),
        "scored": sum(match.scored for match in matches),
        "conceded": sum(match.conceded for match in matches),
        "away": sum(match.scored for match in matches if match.away),
    }


def shown(state: Fold) -> list[tuple[int, str, Any]]:
    decode = state.game.boards["table"].decode
    entries = ranking(state, "table").window(0, 99).entries
    return [(entry.rank, entry.player, decode(entry.prefix, entry.extra)) for entry in entries]


@given(leagues())
def test_the_table_is_the_one_that_sorting_gives(events: list[AnyEvent]) -> None:
    assert shown(fold(RULES, number(events))) == naive(events)


@given(leagues(), st.sets(st.integers(0, 40)))
def test_the_table_is_right_wherever_batches_are_cut(events: list[AnyEvent], cuts: set[int]) -> None:
    cut = Fold(Game(RULES))
    places: dict[tuple[Any, str], Any] = {}
    for at, (position, event) in enumerate(number(events)):
        cut.stage(event, position)
        if at in cuts:
            cut.absorb()
            _take_changes(cut, places)
            assert shown(cut) == naive(events[: at + 1])
    cut.absorb()
    _take_changes(cut, places)
    assert shown(cut) == naive(events)
    assert str(digest_of(cut)) == str(digest_of(fold(RULES, number(events))))


def _take_changes(state: Fold, places: dict[tuple[Any, str], Any]) -> None:
    """Who only follows the changes knows every place, and they tell what was there before."""
    for change in state.settle():
        key = (change.table.name, change.player)
        assert places.get(key, (None, b"")) == (change.before_prefix, change.before_extra)
        now = (change.row.prefix, change.row.extra)
        assert change.moved == (now != (change.before_prefix, change.before_extra))
        places[key] = now
    held = {
        (name, player): (row.prefix, row.extra)
        for name, table in state.tables.items()
        for player, row in table.rows.items()
    }
    assert places == held


@given(leagues(), st.integers(0, 30))
def test_a_state_written_out_and_read_back_goes_on_alike(events: list[AnyEvent], cut: int) -> None:
    log = list(number(events))
    resumed = fold(RULES, log[:cut])
    for table in resumed.tables.values():
        for row in table.rows.values():
            row.state = table.shape.load(table.shape.dump(row.state))
    for position, event in log[cut:]:
        resumed.apply(event, position)
    resumed.settle()
    assert str(digest_of(resumed)) == str(digest_of(fold(RULES, log)))
