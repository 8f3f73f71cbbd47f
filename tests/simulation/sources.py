"""From events to marks: what every source of a ruleset gives for what counts in the end. Part of the auditor."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from schemas.codec import epoch_ms
from schemas.events import Adjustment, Fixture, Placement, Result, Score
from schemas.language import (
    AdjustmentSource,
    PicksSource,
    PlacementsSource,
    Ruleset,
    ScoreSource,
    TableSource,
)
from tests.simulation.accepting import History, Said
from tests.simulation.marking import Mark, exact, meets, rounded
from tests.simulation.predicting import Book, pick_marks


@dataclass
class Contest:
    """What is said of a fixture in the end, with the players as they are called now."""

    name: str
    planned: Fixture | None
    planned_entry: tuple[int, int]
    result: Result | None
    result_entry: tuple[int, int]

    @property
    def starts(self) -> int | None:
        return None if self.planned is None else epoch_ms(self.planned.starts_at)

    @property
    def at(self) -> int:
        """When it took place."""
        if self.starts is not None:
            return self.starts
        if self.result is not None and self.result.occurred_at is not None:
            return epoch_ms(self.result.occurred_at)
        return self.result_entry[0]

    @property
    def round(self) -> str | int | None:
        if self.result is not None and self.result.round is not None:
            return self.result.round
        return None if self.planned is None else self.planned.round

    @property
    def facts(self) -> dict[str, Any]:
        """The attributes of the fixture, and over them those of the result."""
        planned = (self.planned.attributes if self.planned is not None else None) or {}
        return {**planned, **((self.result.attributes if self.result is not None else None) or {})}


def result_that_holds(results: list[Said], void: set[str]) -> Said | None:
    """Of the results of a fixture the first of the highest revision that is not void."""
    best: Said | None = None
    for said in results:
        if said.event.id in void:
            continue
        if best is None or said.event.revision > best.event.revision:  # type: ignore[union-attr]
            best = said
    return best


def all_marks(history: History, book: Book, rules: Ruleset) -> Iterator[Mark]:
    """The marks of everything that counts."""
    void = history.effects.void
    contests: dict[str, tuple[list[Said], list[Said]]] = {}
    for said in history.seen.values():
        event = said.event
        if isinstance(event, Score | Adjustment) and event.id not in void:
            yield from value_marks(said, history, rules)
        elif isinstance(event, Fixture):
            contests.setdefault(event.fixture, ([], []))[0].append(said)
        elif isinstance(event, Result):
            contests.setdefault(event.fixture, ([], []))[1].append(said)
    for name, (plans, results) in contests.items():
        yield from contest_marks(contest_of(name, plans, results, void), history, book, rules)


def contest_of(name: str, plans: list[Said], results: list[Said], void: set[str]) -> Contest:
    """A contest as it stands."""
    holds = result_that_holds(results, void)
    planned = plans[-1] if plans else None
    return Contest(
        name,
        planned.event if planned is not None else None,  # type: ignore[arg-type]
        planned.entry if planned is not None else (0, 0),
        holds.event if holds is not None else None,  # type: ignore[arg-type]
        holds.entry if holds is not None else (0, 0),
    )


def value_marks(said: Said, history: History, rules: Ruleset) -> Iterator[Mark]:
    """What scores and adjustments are worth."""
    event = said.event
    assert isinstance(event, Score | Adjustment)
    adjusts = isinstance(event, Adjustment)
    at = said.entry[0] if event.occurred_at is None else epoch_ms(event.occurred_at)
    attributes = dict(event.attributes or {}) if isinstance(event, Score) else {}
    player = history.name(event.player, said.entry)
    board = event.board if isinstance(event, Adjustment) else None
    for name, source in rules.sources.items():
        if not isinstance(source, AdjustmentSource if adjusts else ScoreSource):
            continue
        values = exact(event.values, rules)
        mark = Mark(player, name, values, at, said.entry, event.id, event.round, attributes, adjusts, board)
        if not meets(source.where, mark, rules.metrics):
            continue
        if source.entrant is not None:
            if source.entrant not in attributes:
                continue
            mark = replace(mark, who=str(attributes[source.entrant]))
        if isinstance(source, ScoreSource) and (source.per or source.bonuses):
            bonuses = [bonus for bonus in source.bonuses if meets(bonus.where, mark, rules.metrics)]
            points = sum((Fraction(bonus.points) for bonus in bonuses), Fraction(0))
            points += sum((Fraction(weight) * values.get(key, 0) for key, weight in source.per.items()), Fraction(0))
            mark = replace(mark, values=with_points(values, source.metric, points, rules))
        yield mark


def with_points(values: dict[str, Fraction], metric: str, points: Fraction, rules: Ruleset) -> dict[str, Fraction]:
    """The values with computed points added, rounded to the metric's digits."""
    return {**values, metric: values.get(metric, Fraction(0)) + rounded(points, rules.metrics[metric].scale)}


def contest_marks(contest: Contest, history: History, book: Book, rules: Ruleset) -> Iterator[Mark]:
    """What a contest is worth to those who took part, then to those who predicted it."""
    if contest.result is None:
        return
    for name, source in rules.sources.items():
        if isinstance(source, PlacementsSource) and contest.result.status == "final":
            yield from placement_marks(name, source, contest, history, rules)
        elif isinstance(source, TableSource) and contest.result.status == "final":
            yield from table_marks(name, source, contest, history, rules)
    for name, source in rules.sources.items():
        if isinstance(source, PicksSource):
            yield from pick_marks(name, source, contest, book, rules)


def placement_marks(
    name: str, source: PlacementsSource, contest: Contest, history: History, rules: Ruleset
) -> Iterator[Mark]:
    """One mark a line."""
    assert contest.result is not None
    lines: list[tuple[Placement, Mark]] = []
    for line in contest.result.placements or []:
        attributes = {**contest.facts, **(line.attributes or {})}
        values = exact(line.values, rules)
        if line.position is not None:
            attributes["position"] = line.position
            values["position"] = Fraction(line.position)
        if line.status is not None:
            attributes["status"] = line.status
        player = history.name(line.player, contest.result_entry)
        mark = Mark(player, name, values, contest.at, (0, 0), contest.name, contest.round, attributes)
        if meets(source.where, mark, rules.metrics):
            lines.append((line, mark))
    for line, mark in lines:
        who = mark.who
        if source.entrant is not None:
            if source.entrant not in mark.attributes:
                continue
            who = str(mark.attributes[source.entrant])
        yield replace(mark, who=who, values=line_worth(source, line, mark, lines, rules))


def line_worth(
    source: PlacementsSource, line: Placement, mark: Mark, lines: list[tuple[Placement, Mark]], rules: Ruleset
) -> dict[str, Fraction]:
    """The line's own numbers and the points of its position."""
    if source.award is not None and source.award in mark.values:
        awarded = rounded(mark.values[source.award], rules.metrics[source.metric].scale)
        return {**mark.values, source.metric: awarded}
    if not (source.points or source.bonuses or source.per):
        return mark.values
    points = Fraction(0)
    if line.position is not None and line.position <= len(source.points):
        points = Fraction(source.points[line.position - 1])
    for factor in source.factors:
        if meets(factor.where, mark, rules.metrics):
            points *= Fraction(factor.times)
    sharing = len([other for other, _ in lines if line.seat is not None and other.seat == line.seat])
    if sharing > 1 and source.shared == "split":
        points /= sharing
    elif sharing > 1 and source.shared == "none":
        points = Fraction(0)
    points += bonus_points(source, mark, [other for _, other in lines], rules)
    points += sum((Fraction(weight) * mark.values.get(key, 0) for key, weight in source.per.items()), Fraction(0))
    return with_points(mark.values, source.metric, points, rules)


def bonus_points(source: Any, mark: Mark, among: list[Mark], rules: Ruleset) -> Fraction:
    """The bonuses that a mark gets."""
    total = Fraction(0)
    for bonus in source.bonuses:
        if meets(bonus.where, mark, rules.metrics):
            share = len([one for one in among if meets(bonus.where, one, rules.metrics)]) if bonus.split else 1
            total += Fraction(bonus.points) / share
    return total


def table_marks(name: str, source: TableSource, contest: Contest, history: History, rules: Ruleset) -> Iterator[Mark]:
    """One mark for each side of a match."""
    assert contest.result is not None
    sides = None if contest.planned is None else contest.planned.sides
    score = contest.result.score
    if score is None or sides is None or len(sides) != 2:
        return
    games = contest.facts.get(source.best_of) if isinstance(source.best_of, str) else source.best_of
    if isinstance(games, int) and not isinstance(games, bool) and max(score) * 2 <= games and sum(score) < games:
        return
    names = [history.name(side, contest.planned_entry) for side in sides]
    neutral = contest.facts.get("neutral") is True
    marks = []
    for at, venue in enumerate(("home", "away")):
        ours, theirs = score[at], score[1 - at]
        verdict = "win" if ours > theirs else "loss" if ours < theirs else "draw"
        attributes = {**contest.facts, "venue": "neutral" if neutral else venue, "verdict": verdict}
        attributes["opponent"] = names[1 - at]
        values: dict[str, Fraction] = {}
        if source.scored is not None:
            values[source.scored] = Fraction(ours)
        if source.conceded is not None:
            values[source.conceded] = Fraction(theirs)
        mark = Mark(names[at], name, values, contest.at, (0, 0), contest.name, contest.round, attributes)
        if meets(source.where, mark, rules.metrics):
            marks.append(mark)
    for mark in marks:
        points = Fraction(getattr(source, mark.attributes["verdict"]))
        for factor in source.factors:
            if meets(factor.where, mark, rules.metrics):
                points *= Fraction(factor.times)
        points += bonus_points(source, mark, marks, rules)
        who = mark.who
        if source.entrant is not None:
            if source.entrant not in mark.attributes:
                continue
            who = str(mark.attributes[source.entrant])
        yield replace(mark, who=who, values=with_points(mark.values, source.metric, points, rules))
