"""Two places of a board compared in words: on what they are level, and what decides between them.

A key is taken apart into one value per criterion, so that "level on points; ahead on wins 9-7" needs no marks.
"""

from typing import NamedTuple

from engine.boards import BoardPlan
from engine.headtohead import Criteria
from engine.metrics import MetricPlan
from engine.numbers import decode_int, decode_order
from engine.rules import ranked_by

Value = int | str | None


class Criterion(NamedTuple):
    """One criterion that a board ranks by, and what a player has there. Lists are countbacks and head-to-heads.

    `reached` has the time (epoch milliseconds) at which the criteria before it were reached; a lot has no value.
    """

    criterion: str
    value: Value | list[Value]


class Comparison(NamedTuple):
    """On which criteria two places are level, which one decides (None: none, the ids do), and all that in words."""

    level_on: list[str]
    decides: str | None
    words: str


def tuple_of(plan: BoardPlan, prefix: bytes) -> list[Criterion]:
    """What a key says on each criterion of its board, in their order."""
    names = ranked_by(plan)
    return [Criterion(names[at], _value(plan, at, prefix)) for at in range(len(plan.order))]


def compare(plan: BoardPlan, mine: bytes, theirs: bytes) -> Comparison:
    """How a player's key stands to another's."""
    level: list[str] = []
    for at in range(len(plan.order)):
        start, other = plan.start_of(at, mine), plan.start_of(at, theirs)
        name = _name(plan, at)
        own, foreign = mine[start : plan.behind(at, mine, start)], theirs[other : plan.behind(at, theirs, other)]
        if own != foreign:
            side = "ahead" if own < foreign else "behind"
            before = f"level on {_listed(level)}; " if level else ""
            return Comparison(level, name, f"{before}{side} {_difference(plan, at, mine, theirs)}")
        level.append(name)
    return Comparison(level, None, f"level on {_listed(level)}: the same place, listed by id")


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _name(plan: BoardPlan, at: int) -> str:
    kind, number = plan.order[at]
    if kind in ("asc", "desc"):
        return plan.metrics[number].name
    return {"reached": "when that was reached", "lot": "the lot", "head_to_head": "head-to-head"}.get(kind, kind)


def _difference(plan: BoardPlan, at: int, mine: bytes, theirs: bytes) -> str:
    kind, number = plan.order[at]
    one, other = _value(plan, at, mine), _value(plan, at, theirs)
    if kind == "lot":
        return "by lot"
    if kind == "reached":
        return f"by when that was reached{_apart(one, other)}"
    if not isinstance(one, list) or not isinstance(other, list):
        return f"on {_name(plan, at)} {_score(one, other)}"
    place = next(place for place, (own, foreign) in enumerate(zip(one, other, strict=True)) if own != foreign)
    if kind == "countback":
        return f"on {_ordinal(place + 1)} places {_score(one[place], other[place])}"
    metric = plan.metrics[plan.head_to_heads[number][place][1]].name
    return f"head-to-head on {metric} {_score(one[place], other[place])}"


def _apart(one: object, other: object) -> str:
    if not isinstance(one, int) or not isinstance(other, int) or one == other:
        return ""
    seconds, rest = divmod(abs(one - other), 1_000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    units = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s"), (rest, "ms")]
    shown = [f"{count} {unit}" for count, unit in units if count][:2]
    return f", {' '.join(shown)} {'before' if one < other else 'after'}"


def _score(one: object, other: object) -> str:
    """Two numbers as results are written; with words between where a sign would be misread."""
    first, second = ("nothing" if value is None else str(value) for value in (one, other))
    plain = first[:1].isdigit() and second[:1].isdigit()
    return f"{first}-{second}" if plain else f"{first} against {second}"


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _value(plan: BoardPlan, at: int, prefix: bytes) -> Value | list[Value]:
    kind, number = plan.order[at]
    start = plan.start_of(at, prefix)
    if kind in ("asc", "desc"):
        return _shown(plan.metrics[number], prefix, start, descending=kind == "desc")[0]
    if kind == "reached":
        order = decode_order(prefix, start)
        return None if order is None else order[0]
    if kind == "countback":
        return _counts(prefix, start, plan.behind(at, prefix, start))
    return _met(plan, plan.head_to_heads[number], prefix, start) if kind == "head_to_head" else None


def _shown(metric: MetricPlan, prefix: bytes, start: int, *, descending: bool) -> tuple[Value, int]:
    value, end = decode_int(prefix, start)
    return metric.shown(-value if descending and value is not None else value), end


def _counts(prefix: bytes, start: int, end: int) -> list[Value]:
    found: list[Value] = []
    while start < end:
        value, start = decode_int(prefix, start)
        found.append(-(value or 0))
    return found


def _met(plan: BoardPlan, criteria: Criteria, prefix: bytes, start: int) -> list[Value]:
    found: list[Value] = []
    for descending, metric in criteria:
        value, start = _shown(plan.metrics[metric], prefix, start, descending=descending)
        found.append(value)
    return found
