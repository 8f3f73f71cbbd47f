"""A season's rows as events: a fixture and a result for each match, and what officials decided.

The facts go in as they were; what they are worth is the ruleset's matter (rulesets.py). Ids are made of the division, the
day and the clubs, so that the same rows always give the same events.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from examples.football_league.corpus import Deduction, Match, Season
from schemas.events import Adjustment, AnyEvent, Fixture, Result

KICK_OFF_HOUR = 15
FINAL_WHISTLE_HOUR = 17
DECISION_HOUR = 20
STEP_MATCHES = 300
FINAL = "final"


@dataclass(frozen=True)
class Step:
    """A stretch of the season; only after the last one, `final`, a table was published."""

    label: str
    events: list[AnyEvent]


def board_of(division: str) -> str:
    """The board, and the source, of a division."""
    return f"division-{division}"


def steps(season: Season) -> Iterator[Step]:
    """The season's events in the order of the days, in stretches."""
    ordered = sorted(season.matches, key=lambda match: match.date)
    for number, matches in enumerate(_parts(ordered), 1):
        yield Step(f"part {number}", [event for match in matches for event in _played(season, match)])
    yield Step(FINAL, [*_taken_over(season), *_decided(season)])


def events(season: Season) -> Iterator[AnyEvent]:
    """The season's events in order."""
    for step in steps(season):
        yield from step.events


def _parts(matches: list[Match]) -> list[list[Match]]:
    return [matches[at : at + STEP_MATCHES] for at in range(0, len(matches), STEP_MATCHES)]


def _played(season: Season, match: Match) -> Iterator[AnyEvent]:
    fixture = fixture_of(match)
    yield _fixture(season, match, fixture, f"{season.game}:{fixture}")
    yield Result(
        id=f"{season.game}:{fixture}:result",
        game=season.game,
        occurred_at=_at(match.date, FINAL_WHISTLE_HOUR),
        fixture=fixture,
        score=[match.home_goals, match.away_goals],
    )


def fixture_of(match: Match) -> str:
    """The fixture of a match, unique within its season."""
    return f"{match.division}/{match.date}/{match.home}/{match.away}"


def _fixture(season: Season, match: Match, fixture: str, event_id: str) -> Fixture:
    return Fixture(
        id=event_id,
        game=season.game,
        occurred_at=_at(match.date, KICK_OFF_HOUR),
        fixture=fixture,
        round=int(match.round) if match.round.isdecimal() else match.date.isoformat(),
        starts_at=_at(match.date, KICK_OFF_HOUR),
        sides=[match.home, match.away],
        attributes={"division": match.division},
    )


def _taken_over(season: Season) -> Iterator[AnyEvent]:
    """The matches of an expelled club stand, under the name of the club that took its place: their fixtures say so anew."""
    for succession in season.successions:
        for match in season.matches:
            if match.division == succession.division and succession.club in (match.home, match.away):
                heir = {succession.club: succession.heir}
                sides = replace(match, home=heir.get(match.home, match.home), away=heir.get(match.away, match.away))
                fixture = fixture_of(match)
                yield _fixture(season, sides, fixture, f"{season.game}:{fixture}:taken-over")


def _decided(season: Season) -> Iterator[AnyEvent]:
    for number, deduction in enumerate(season.deductions, 1):
        if deduction.division in season.divisions:
            yield _deduction(season, deduction, f"{season.game}:deduction-{number}")


def _deduction(season: Season, deduction: Deduction, event_id: str) -> Adjustment:
    day = deduction.date or max(match.date for match in season.matches if match.division == deduction.division)
    return Adjustment(
        id=event_id,
        game=season.game,
        occurred_at=_at(day, DECISION_HOUR),
        player=deduction.team,
        values={"points": deduction.points},
        reason="points deducted" if deduction.points < 0 else "points added",
        board=board_of(deduction.division),
    )


def _at(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
