"""A season's rows as events: one result a session, and what officials decided.

The facts go in as they were: positions, seats, fastest laps. What they are worth is the ruleset's matter (rulesets.py).
Ids are made of the season and the session, so that the same rows always give the same events.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from examples.f1.corpus import FINAL, Decision, Line, Season, Session
from schemas.events import Adjustment, AnyEvent, AttributeValue, Placement, Player, Result, Values

HOURS = {"sprint": 10, "race": 14}
DECISION_HOUR = 20
BOARDS = {"driver": "drivers", "constructor": "constructors"}


@dataclass(frozen=True)
class Step:
    """The events after which the next table was published; `label` is the round's number or final."""

    label: str
    events: list[AnyEvent]


def steps(season: Season) -> Iterator[Step]:
    """The season's events in order, cut where a table was published."""
    labels = {str(number) for number in season.rounds} | {FINAL}
    for decision in season.decisions:
        if decision.effective not in labels:
            raise ValueError(
                f"{season.year}: an adjustment takes effect in round {decision.effective}, which was not held"
            )
    for number in season.rounds:
        held = [session for session in season.sessions if session.round == number]
        yield Step(str(number), [*(_result(season, session) for session in held), *_decided(season, str(number))])
    yield Step(FINAL, list(_decided(season, FINAL)))


def events(season: Season) -> Iterator[AnyEvent]:
    """The season's events in order."""
    for step in steps(season):
        yield from step.events


def _result(season: Season, session: Session) -> Result:
    attributes: dict[str, AttributeValue] = {"kind": session.kind, "race": session.race}
    if session.race == "indianapolis":
        # Drivers scored in the 500 miles, constructors did not: the rules ask for this.
        attributes["indianapolis"] = True
    seats = _seats(session.lines)
    return Result(
        id=f"{season.game}:{session.round}:{session.kind}",
        game=season.game,
        occurred_at=_at(session.date, HOURS.get(session.kind, HOURS["race"])),
        fixture=f"{season.year}-{session.round}-{session.kind}",
        round=session.round,
        attributes=attributes,
        placements=[_placement(season, session, line, seat) for line, seat in zip(session.lines, seats, strict=True)],
    )


def _placement(season: Season, session: Session, line: Line, seat: str | None) -> Placement:
    attributes: dict[str, AttributeValue] = {"constructor": constructor_of(line)}
    if line["fastest_lap"] == "true":
        attributes["fastest_lap"] = True
    awarded = season.awarded_for(session, line)
    values: Values | None = None if awarded is None else {"awarded": awarded}
    position = int(line["position"]) if line["position"] else None
    return Placement(
        player=line["driver_id"],
        position=position,
        status=line["position_text"] if position is None else None,
        seat=seat,
        values=values,
        attributes=attributes,
    )


def constructor_of(line: Line) -> str:
    """A constructor is the pair of chassis and engine."""
    return f"{line['constructor_id']}+{line['engine_id']}"


def _seats(lines: list[Line]) -> list[str | None]:
    """For each line the seat that it shares with others, or None.

    A driver who took over a car has `shared_car`; the first driver's line is the one before with the same number and
    place. Numbers alone do not tell: two cars could run under one.
    """
    firsts: dict[tuple[str, str, str], int] = {}
    first_of: list[int] = []
    for at, line in enumerate(lines):
        car = (line["car_number"], line["constructor_id"], line["position_text"])
        if line["shared_car"] != "true":
            firsts[car] = at
        first_of.append(firsts.setdefault(car, at))
    return [
        f"{lines[first]['car_number'] or 'car'}.{first + 1}" if first_of.count(first) > 1 else None
        for first in first_of
    ]


def _decided(season: Season, label: str) -> Iterator[AnyEvent]:
    number = season.rounds[-1] if label == FINAL else int(label)
    day = max(session.date for session in season.sessions if session.round == number)
    for at, decision in enumerate(season.decisions, 1):
        if decision.effective == label:
            yield _decision(season, decision, f"{season.game}:decision-{at}", number, _at(day, DECISION_HOUR))


def _decision(season: Season, decision: Decision, event_id: str, number: int, moment: datetime) -> Adjustment | Player:
    if decision.kind.startswith("excluded"):
        return Player(
            id=event_id,
            game=season.game,
            occurred_at=moment,
            player=decision.entity,
            status="banned",
            reason=decision.reason,
        )
    if decision.kind != "points":
        raise ValueError(f"{season.year}: unknown kind of adjustment {decision.kind!r}; known: points, excluded...")
    return Adjustment(
        id=event_id,
        game=season.game,
        occurred_at=moment,
        player=decision.entity,
        values={"points": decision.value},
        reason=decision.reason or "decided by the officials",
        round=number,
        board=BOARDS[decision.scope],
    )


def _at(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
