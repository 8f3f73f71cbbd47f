"""`reached`: when a criterion before it last changed, for shapes that keep no marks but the best, or none.

A best value that is not 0 made a difference when it came. A 0 did if something worse was there before, or nothing at all; to
what officials had already added it made none.
"""

from typing import TYPE_CHECKING, Any

from engine.adjustments import NOT_ADJUSTED, Adjustments, Order
from engine.marks import Mark
from schemas.language import Board, Ruleset, ScoreSource, rank_item

if TYPE_CHECKING:
    from engine.metrics import MetricPlan


def later(one: Order | None, other: Order | None) -> Order | None:
    """The later of two orders, where there are any."""
    return one if other is None or (one is not None and one >= other) else other


def overtakes(op: str, value: int, order: Order, held: int | None, since: Order | None) -> bool:
    """Whether a mark takes over an extreme, the last or the first value; of equal extremes the earlier one holds.

    Marks of one event have one order and come one after another: the last value is that of the last of them.
    """
    if held is None or since is None:
        return True
    if op == "last":
        return order >= since
    if op == "first":
        return order < since
    lead = value - held if op == "max" else held - value
    return lead > 0 or (lead == 0 and order < since)


def last_change(value: int | None, order: Order | None, entry: list[Any], *, improved: bool) -> Order | None:
    """When a metric last changed that is a single mark's `value`, which came at `order`, with an entry of adjustments added.

    `improved` says that a worse value was there before it.
    """
    adjusted_at: Order | None = entry[1]
    if adjusted_at is None and len(entry) > 2:
        # Of 0 only: the first of them made a 0 of nothing.
        adjusted_at = entry[2]
    if value is None or order is None or adjusted_at is None:
        return adjusted_at if order is None else order
    if adjusted_at < order and value == 0 and not improved:
        return adjusted_at
    return order if entry[1] is None else max(order, adjusted_at)


def reached_with(
    criteria: "list[MetricPlan]", held: Mark | None, first: Order | None, added: Adjustments
) -> Order | None:
    """The order of the last mark with which a criterion changed, of the best run and adjustments beside it.

    `first` is the order of the first run, where that is known.
    """
    improved = held is not None and first is not None and first < held.order
    found: Order | None = None
    for metric in criteria:
        value = metric.of_marks([] if held is None else [held])
        entry = added.get(metric.of, NOT_ADJUSTED) if metric.op != "count" else NOT_ADJUSTED
        if metric.op in ("sum", "count"):
            found = later(found, later(held.order if held is not None and value else None, entry[1]))
        else:
            order = held.order if held is not None and value is not None else None
            found = later(found, last_change(value, order, entry, improved=improved))
    return found


def improving(board: Board, rules: Ruleset) -> set[str]:
    """The metrics of which something worse than 0 can come before a 0: of these the first run has to be known."""
    computed = {
        source.metric
        for source in rules.sources.values()
        if isinstance(source, ScoreSource) and (source.per or source.bonuses)
    }
    least = {name for name, metric in rules.metrics.items() if metric.min is not None and metric.min >= 0}
    by, descending = rank_item(board.keep.by or "")
    greatest = {metric.of or "" for metric in board.metrics.values() if metric.op == "max"}
    others = {metric.of or "" for metric in board.metrics.values() if metric.op == "min"}
    (greatest if descending else others).add(by)
    return (greatest - (least - computed)) | others
