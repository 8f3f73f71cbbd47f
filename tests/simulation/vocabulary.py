"""The words of a ruleset: which attributes its conditions ask about, with values of which some meet them."""

from collections.abc import Iterator
from typing import Any

from schemas.language import Range, Ruleset, Where

MADE_BY_SOURCES = {"round", "position", "status", "verdict", "venue", "market", "choice", "stake", "missing"}
"""Names that sources set themselves; `status` is kept, because lines of placements say it."""


def vocabulary(rules: Ruleset) -> dict[str, list[Any]]:
    """Attributes with values that events may carry."""
    found: dict[str, list[Any]] = {}
    for name, values in _asked(rules):
        if name in rules.metrics or name in MADE_BY_SOURCES - {"status"}:
            continue
        held = found.setdefault(name, [])
        held += [value for value in values if value not in held]
    for held in found.values():
        if any(isinstance(value, bool) for value in held):
            held[:] = [True, False]
        elif any(isinstance(value, int) for value in held):
            held.append(max(value for value in held if isinstance(value, int)) + 1)
        else:
            held.append("other")
    return found


def _asked(rules: Ruleset) -> Iterator[tuple[str, list[Any]]]:
    for source in rules.sources.values():
        yield from _conditions(source.where)
        if source.entrant is not None:
            yield source.entrant, ["red", "blue"]
        for extra in (*getattr(source, "bonuses", ()), *getattr(source, "factors", ())):
            yield from _conditions(extra.where)
        best_of = getattr(source, "best_of", None)
        if isinstance(best_of, str):
            yield best_of, [3]
    for board in rules.boards.values():
        yield from _conditions(board.where)
        yield from ((name, ["a", "b"]) for name, of in board.segments.items() if of == "mark")
        for metric in board.metrics.values():
            for where in (metric.where, metric.tries, metric.hold or {}, *(cap.where for cap in metric.caps)):
                yield from _conditions(where)
            if metric.group is not None:
                yield metric.group, ["a", "b", "c"]


def _conditions(where: Where) -> Iterator[tuple[str, list[Any]]]:
    """The names that conditions look at, with values that meet them."""
    for name, condition in where.items():
        if isinstance(condition, Range):
            yield name, ["some"] if condition.exists is not None else [1, 3]
        else:
            yield name, list(condition) if isinstance(condition, list) else [condition]
