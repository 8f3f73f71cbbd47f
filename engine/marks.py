"""Marks: what an event is worth to one player, and the sources that make them.

A source turns one event into (entrant, mark) pairs. It looks at nothing but the event and the ruleset.
"""

import re
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any

import msgspec

from engine.numbers import round_half_up, scaled, scaled_rounding
from schemas.events import Adjustment, Number, Placement, Result, Round, Score
from schemas.ruleset import Condition, MetricType, Range, Source, Where


class Mark(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Metric values scaled to integers, when and where they come from, and what conditions may ask about.

    `order` is (occurred_ms, ms, seq): contest time, then the event's place in the log. `origin` is the event's id, or the
    fixture's for a result, so that a later revision finds what it replaces.
    """

    occurred_ms: int
    ms: int
    seq: int
    values: dict[str, int]
    round: str | int | None = None
    attributes: dict[str, Any] | None = None
    origin: str = ""
    adjusts: bool = False

    @property
    def order(self) -> tuple[int, int, int]:
        return (self.occurred_ms, self.ms, self.seq)


_DECIMAL = re.compile(r"[+-]?\d{1,28}(\.\d{1,28})?", re.ASCII)
Predicate = Callable[[Mark], bool]
Entry = tuple[str, Mark]


def always(mark: Mark) -> bool:
    """The predicate of an empty `where`."""
    return True


def compile_where(where: Where, metrics: dict[str, MetricType]) -> Predicate:
    """One predicate that holds when every condition does. An absent value meets no condition but `exists = false`."""
    if not where:
        return always
    tests = [(name, _compile(condition, metrics.get(name))) for name, condition in where.items()]

    def holds(mark: Mark) -> bool:
        return all(test(look_up(mark, name)) for name, test in tests)

    return holds


def look_up(mark: Mark, name: str) -> Any:
    """The value that conditions call `name`: the round, a metric (scaled), or an attribute; None when absent."""
    if name == "round":
        return mark.round
    value = mark.values.get(name)
    if value is None and mark.attributes is not None:
        return mark.attributes.get(name)
    return value


def _compile(condition: Condition, metric: MetricType | None) -> Callable[[Any], bool]:
    if isinstance(condition, Range):
        return _compile_range(condition, metric)
    allowed = [_same_type(item, metric) for item in (condition if isinstance(condition, list) else [condition])]
    return lambda value: value is not None and (type(value) is bool, value) in allowed


def _same_type(item: Any, metric: MetricType | None) -> tuple[bool, Any]:
    """True and 1 are different answers; a metric's value is compared at its scale. Decimals of a ruleset are text."""
    if metric is not None and type(item) is int:
        return False, scaled(item, metric.scale)
    if metric is not None and type(item) is str and _DECIMAL.fullmatch(item):
        return False, Fraction(item) * 10**metric.scale
    return type(item) is bool, item


def _compile_range(condition: Range, metric: MetricType | None) -> Callable[[Any], bool]:
    scale = metric.scale if metric is not None else 0

    def at_scale(bound: Number | None) -> Fraction | None:
        return None if bound is None else Fraction(bound) * 10**scale

    low, high = at_scale(condition.min), at_scale(condition.max)
    above, below = at_scale(condition.above), at_scale(condition.below)
    exists = condition.exists

    def holds(value: Any) -> bool:
        if value is None:
            return exists is False
        if exists is False:
            return False
        if low is None and high is None and above is None and below is None:
            return True
        return (
            type(value) is int
            and (low is None or value >= low)
            and (high is None or value <= high)
            and (above is None or value > above)
            and (below is None or value < below)
        )

    return holds


class CompiledSource:
    """One `[sources.NAME]` table, ready to make marks."""

    def __init__(self, name: str, source: Source, metrics: dict[str, MetricType]) -> None:
        self.name = name
        self.origin = source.origin
        self.entrant = source.entrant
        self._metrics = metrics
        self._where = compile_where(source.where, metrics)
        self._source = source
        self._points = [Fraction(number) for number in source.points]
        self._factors = [(Fraction(f.times), compile_where(f.where, metrics)) for f in source.factors]
        self._bonuses = [(Fraction(b.points), compile_where(b.where, metrics), b.split) for b in source.bonuses]
        self._per = [(name, Fraction(weight)) for name, weight in source.per.items()]
        self._plain = all(metric.scale == 0 for metric in metrics.values())
        self.takes_all = not source.where and source.entrant is None

    def of_values(
        self, event: Score | Adjustment, values: dict[str, int], occurred_ms: int, ms: int, seq: int
    ) -> Iterable[Entry]:
        """The mark of a score or an adjustment whose values have been scaled."""
        attributes = event.attributes if isinstance(event, Score) else None
        adjusts = self.origin == "adjustment"
        mark = Mark(occurred_ms, ms, seq, values, event.round, attributes, event.id, adjusts)
        if self.takes_all:
            return ((event.player, mark),)
        entrant = event.player if self.entrant is None else (attributes or {}).get(self.entrant)
        return ((str(entrant), mark),) if entrant is not None and self._where(mark) else ()

    def of_result(self, event: Result, round_: Round | None, occurred_ms: int, ms: int, seq: int) -> Iterable[Entry]:
        """The marks of a final result's placements, one a line."""
        if event.status != "final":
            return ()
        lines = [(line, self._facts(event, line, round_, occurred_ms, ms, seq)) for line in event.placements or ()]
        chosen = [(line, facts) for line, facts in lines if self._where(facts)]
        seats: dict[str, int] = {}
        for line, _ in chosen:
            if line.seat is not None:
                seats[line.seat] = seats.get(line.seat, 0) + 1
        eligible = [sum(1 for _, facts in chosen if where(facts)) for _, where, _ in self._bonuses]
        return [
            (entrant, msgspec.structs.replace(facts, values=self._worth(line, facts, seats, eligible)))
            for line, facts in chosen
            if (entrant := self._entrant(line, facts)) is not None
        ]

    def _facts(self, event: Result, line: Placement, round_: Round | None, occurred_ms: int, ms: int, seq: int) -> Mark:
        attributes: dict[str, Any] = {**(event.attributes or {}), **(line.attributes or {})}
        if line.position is not None:
            attributes["position"] = line.position
        if line.status is not None:
            attributes["status"] = line.status
        values = scale_values(line.values or {}, self._metrics)
        return Mark(occurred_ms, ms, seq, values, round_, attributes, event.fixture)

    def _entrant(self, line: Placement, facts: Mark) -> str | None:
        if self.entrant is None:
            return line.player
        value = (facts.attributes or {}).get(self.entrant)
        return None if value is None else str(value)

    def _worth(self, line: Placement, facts: Mark, seats: dict[str, int], eligible: list[int]) -> dict[str, int]:
        """The line's own values, plus its points in the source's metric."""
        source = self._source
        if source.award is not None and source.award in facts.values:
            awarded = Fraction(facts.values[source.award], 10 ** self._metrics[source.award].scale)
            return {**facts.values, source.metric: round_half_up(awarded * 10 ** self._metrics[source.metric].scale)}
        if not (self._points or self._bonuses or self._per):
            return facts.values
        points = Fraction(0)
        if line.position is not None and line.position <= len(self._points):
            points = self._points[line.position - 1]
        for times, where in self._factors:
            if where(facts):
                points *= times
        sharers = seats.get(line.seat, 1) if line.seat is not None else 1
        if sharers > 1 and source.shared != "each":
            points = points / sharers if source.shared == "split" else Fraction(0)
        for (bonus, where, split), among in zip(self._bonuses, eligible, strict=True):
            if where(facts):
                points += bonus / among if split else bonus
        for name, weight in self._per:
            points += weight * Fraction(facts.values.get(name, 0), 10 ** self._metrics[name].scale)
        metric = source.metric
        total = round_half_up(points * 10 ** self._metrics[metric].scale)
        return {**facts.values, metric: facts.values.get(metric, 0) + total}


def scale_values(values: dict[str, Number], metrics: dict[str, MetricType]) -> dict[str, int]:
    """Declared metrics as scaled integers; `Game.check` has refused what cannot be scaled."""
    return {name: scaled_rounding(value, metrics[name].scale) for name, value in values.items() if name in metrics}
