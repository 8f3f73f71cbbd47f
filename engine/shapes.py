"""Shapes: the forms in which a board keeps a player's marks, and how each mark brings them up to date.

`Running` has constant size, for metrics that each mark alone can bring up to date; `Single` keeps one mark; `Kept`
(engine/kept.py) keeps all, for what cannot be had otherwise. All give the same metrics for the same marks, in whatever
order these arrive.
"""

from collections.abc import Collection
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Union, cast

import msgspec

from engine.adjustments import Adjustments, Order, adjusted, loaded, unadjusted
from engine.marks import Mark, Predicate
from engine.reached import last_change, later, overtakes, reached_with
from schemas.language import rank_item

if TYPE_CHECKING:
    from engine.badges import Moment
    from engine.boards import BoardPlan
    from engine.metrics import MetricPlan

Step = Union[Mark, str, "Moment"]
"""A mark to add, the origin whose marks to withdraw, or, where badges are awarded, the end of an event."""

PICKED = frozenset(("sum", "max", "min", "last", "first"))
"""Operations that give a single mark's own value."""

VALUES = 3
"""Where the values start in the state of a `Running`."""

_ORDER = attrgetter("order")
_encode = msgspec.json.Encoder().encode
_decode_running = msgspec.json.Decoder(list[Any]).decode


class Row(msgspec.Struct, gc=False, eq=False):
    """One player in one ranking: the state of his marks, and the place that follows from it. `hidden` is the key's prefix
    of one who is ranked for himself only; his `prefix` is None then.

    `since` is the version from which the place is shown; `touched` the batch that last looked at it, for caches; `dirty`
    says that it waits to be settled; `due` is when its place changes although no mark comes (epoch milliseconds).
    """

    state: Any
    prefix: bytes | None = None
    extra: bytes = b""
    since: int = 0
    dirty: bool = False
    touched: int = 0
    stored: bool = False
    hidden: bytes | None = None
    due: int | None = None


class Shape:
    """How a plan keeps a player's marks: the operations on his state.

    The results of `clocked` shapes change as time passes: `result_at` is asked, `result` is as of the last mark.
    """

    clocked = False

    def new(self) -> Any:
        """The state before any mark."""
        raise NotImplementedError

    def absorb(self, state: Any, mark: Mark) -> bool:
        """Adds a mark to the state, in place, and tells whether that changed anything."""
        raise NotImplementedError

    def withdraw(self, state: Any, origin: str) -> None:
        """Takes out the marks of an origin, in place."""
        raise NotImplementedError

    def gist(self, steps: list[Step]) -> Any:
        """What of one entrant's steps, in the order of the log, matters to his rows of whichever state; for `take`."""
        return steps

    def take(self, row: Row, gist: Any) -> bool:
        """Takes steps, as `gist` gave them, on a row, and tells whether that changed it."""
        changed = False
        for step in gist:
            if isinstance(step, str):
                self.withdraw(row.state, step)
                changed = True
            elif self.absorb(row.state, step):
                changed = True
        return changed

    def revoke(self, state: Any, mark: Mark) -> bool:
        """Takes back a mark that was added, in place; False when the marks are needed to do so."""
        return False

    def renewed(self, state: Any) -> Any:
        """A state to add all marks to anew."""
        return self.new()

    def result(self, state: Any) -> tuple[bytes | None, bytes]:
        """(prefix, extra) of the state."""
        raise NotImplementedError

    def result_at(self, state: Any, clock: int) -> tuple[bytes | None, bytes, int | None]:
        """(prefix, extra, due) of the state when it is `clock` (epoch milliseconds).

        `due` is the first instant after `clock`, a local midnight, at which the result is another one; None when it stays.
        """
        return (*self.result(state), None)

    def dump(self, state: Any) -> bytes:
        """The state as bytes; equal states give equal bytes."""
        return _encode(state)

    def load(self, data: bytes) -> Any:
        """The state that `dump` wrote."""
        raise NotImplementedError


class _SingleState(msgspec.Struct, array_like=True):
    held: Mark | None
    added: Adjustments | None
    first: Order | None = None


_decode_single = msgspec.json.Decoder(_SingleState).decode


class Single(Shape):
    """One mark holds (the best run, the latest, the first); adjustments are added up beside it.

    The state is [mark or None, {metric: [total, order] of the adjustments} or None, the value that a better run has to beat,
    the order of the first run]. The value is the mark's own, at hand: most runs are no better, and then the mark need not be
    looked at. The first run is known only where one of the metrics in `firsts` ranks, whose values may become better up to 0.
    """

    def __init__(self, plan: "BoardPlan", firsts: Collection[str] = ()) -> None:
        self.plan = plan
        keep = plan.board.keep
        self.by, descending = rank_item(keep.by) if keep.by is not None else ("", True)
        self.sign = 1 if descending else -1
        self.mode = keep.mode
        plain = all(metric.op in PICKED and metric.where is None for metric in plan.metrics)
        # A sum of nothing is 0, the others of nothing are None.
        columns = [(metric.of, 0 if metric.op == "sum" else None) for metric in plan.metrics]
        self._columns = columns if plain else None
        kinds = [kind for kind, _ in plan.order]
        until = kinds.index("reached") if plan.needs_reached else 0
        self._criteria = [plan.metrics[at] for _, at in plan.order[:until]]
        self.dated = plan.needs_reached and self.by in firsts

    def new(self) -> list[Any]:
        return [None, None, None, None]

    def absorb(self, state: list[Any], mark: Mark) -> bool:
        held: Mark | None = state[0]
        if mark.adjusts:
            state[1] = adjusted(state[1], mark.values, mark.order)
            return True
        if self.mode == "best":
            value = mark.values.get(self.by)
            if value is None:
                return False
            earlier = self.dated and (state[3] is None or mark.order < state[3])
            if earlier:
                state[3] = mark.order
            if held is not None:
                lead = (value - state[2]) * self.sign
                if lead < 0 or (lead == 0 and held.order <= mark.order):
                    return earlier
            state[2] = value
        elif held is not None and (held.order > mark.order) == (self.mode == "latest"):
            return False
        state[0] = mark
        return True

    def gist(self, steps: list[Step]) -> Any:
        """Of runs only the best one can matter, and the first."""
        if len(steps) == 1 or self.mode != "best":
            return steps
        best, worth, rest, runs = None, 0, [], cast("list[Mark]", steps)
        for mark in runs:
            value = mark.values.get(self.by)
            if mark.adjusts:
                rest.append(mark)
            elif value is not None:
                lead = (value - worth) * self.sign
                if best is None or lead > 0 or (lead == 0 and mark.order < best.order):
                    best, worth = mark, value
        if self.dated and best is not None:
            rest.append(min((mark for mark in runs if self.by in mark.values and not mark.adjusts), key=_ORDER))
        return rest if best is None else [best, *rest]

    def take(self, row: Row, gist: Any) -> bool:
        changed, state = False, row.state
        for mark in gist:
            if self.absorb(state, mark):
                changed = True
        return changed

    def revoke(self, state: list[Any], mark: Mark) -> bool:
        # Of adjustments only the sums are known, not whether others are left.
        return not mark.adjusts and bool(state[0] != mark) and state[3] != mark.order

    def result(self, state: list[Any]) -> tuple[bytes | None, bytes]:
        plan = self.plan
        held, added, _, first = state
        if held is None and not added:
            return None, plan.extra([None] * len(plan.metrics))
        values: list[int | None]
        if self._columns is not None and held is not None and not added:
            values = [held.values.get(of, absent) for of, absent in self._columns]
        else:
            marks = [] if held is None else [held]
            if added:
                totals = {name: entry[0] for name, entry in added.items()}
                marks.append(Mark(0, 0, 0, totals, adjusts=True))
            values = plan.derived.complete([metric.of_marks(marks) for metric in plan.metrics])
        reached = None if held is None else held.order
        if added and plan.needs_reached:
            reached = reached_with(self._criteria, held, first, added)
        return plan.key(values, reached, []), plan.extra(values)

    def dump(self, state: list[Any]) -> bytes:
        held, added, _, first = state
        stored = (held, dict(sorted(added.items())) if added else None)
        return _encode((*stored, first) if first is not None else stored)

    def load(self, data: bytes) -> list[Any]:
        stored = _decode_single(data)
        held = stored.held
        return [held, loaded(stored.added), None if held is None else held.values.get(self.by), stored.first]


class Running(Shape):
    """Sums, counts, averages and extremes brought up to date by each mark.

    The state is [orders, marks, adjustments, *values]: for each value the order of the mark that it was reached with (of
    the last that changed a sum or count, of the first that attained an extreme; kept only where it is needed); how many
    marks there were; {metric: [total, order]} of the adjustments, or None; one value a metric (of an average the sum), and
    behind them for each average how many values it is of. It is flat because rows are many and memory is slow. Behind the
    orders stand those of the first marks that had a value, for extremes of the metrics in `firsts`, which may become better
    up to 0.
    """

    def __init__(self, plan: "BoardPlan", firsts: Collection[str] = ()) -> None:
        self.plan = plan
        self._means = [(at, metric) for at, metric in enumerate(plan.metrics) if metric.op == "average"]
        self._steps = _steps_of(plan.metrics)
        self._finishes = bool(self._means) or any(metric.derived for metric in plan.metrics)
        self.ordered = plan.needs_reached or any(op not in ("sum", "count") for _, op, _, _ in self._steps)
        self.simple = not self.ordered and all(where is None for _, _, _, where in self._steps)
        self.sums = [(VALUES + at, of) for at, op, of, _ in self._steps if op == "sum"]
        self._extremes = {of for _, op, of, _ in self._steps if op not in ("sum", "count")}
        self._counts = [VALUES + at for at, op, _, _ in self._steps if op == "count"]
        kinds = [kind for kind, _ in plan.order]
        until = kinds.index("reached") if plan.needs_reached else 0
        self._before = [at for _, at in plan.order[:until]]
        dated = [at for at, op, of, _ in self._steps if op in ("max", "min") and of in firsts and at in self._before]
        self._firsts = {at: len(plan.metrics) + len(self._means) + number for number, at in enumerate(dated)}
        self._empty: list[int | None] = [None] * (len(plan.metrics) + len(self._means))
        for at, op, _, _ in self._steps:
            self._empty[at] = 0 if op in ("sum", "count") else None
        self._orders = [None] * (len(self._empty) + len(self._firsts))

    def new(self) -> list[Any]:
        return [self._orders.copy() if self.ordered else None, 0, None, *self._empty]

    def absorb(self, state: list[Any], mark: Mark) -> bool:
        state[1] += 1
        values = mark.values
        if mark.adjusts:
            state[2] = adjusted(state[2], values, mark.order)
        elif self.simple:
            for at, of in self.sums:
                value = values.get(of)
                if value:
                    state[at] += value
            for at in self._counts:
                state[at] += 1
        else:
            self._absorb_ordered(state, mark)
        return True

    def gist(self, steps: list[Step]) -> Any:
        """Where the order of marks does not matter, all of them as one: (values to add, how many marks, adjustments)."""
        if not self.simple:
            return steps
        added = [0] * len(self.sums)
        marks = 0
        rest = []
        for mark in cast("list[Mark]", steps):
            if mark.adjusts:
                rest.append(mark)
                continue
            marks += 1
            for number, (_, of) in enumerate(self.sums):
                added[number] += mark.values.get(of, 0)
        return added, marks, rest

    def take(self, row: Row, gist: Any) -> bool:
        if not self.simple:
            return super().take(row, gist)
        added, marks, rest = gist
        state = row.state
        state[1] += marks
        for (at, _), value in zip(self.sums, added, strict=True):
            state[at] += value
        for at in self._counts:
            state[at] += marks
        for mark in rest:
            self.absorb(state, mark)
        return True

    def revoke(self, state: list[Any], mark: Mark) -> bool:
        if self.plan.needs_reached or not (mark.adjusts or self.simple):
            return False
        # Without any adjustment an extreme of nothing is nothing, and not 0: whether others are left is not known.
        if mark.adjusts and (not self._extremes.isdisjoint(mark.values) or not unadjusted(state[2], mark.values)):
            return False
        state[1] -= 1
        if not mark.adjusts:
            for at, of in self.sums:
                state[at] -= mark.values.get(of, 0)
            for at in self._counts:
                state[at] -= 1
        return True

    def _absorb_ordered(self, state: list[Any], mark: Mark) -> None:
        order, orders = mark.order, state[0]
        for at, op, of, where in self._steps:
            if where is not None and not where(mark):
                continue
            value: int | None = 1 if op == "count" else mark.values.get(of)
            if value is None:
                continue
            held = state[VALUES + at]
            if op in ("sum", "count"):
                state[VALUES + at] = (held or 0) + value
                if orders is not None and value:
                    since = orders[at]
                    orders[at] = order if since is None or since < order else since
            elif orders is not None:
                if (slot := self._firsts.get(at)) is not None:
                    orders[slot] = min(order, orders[slot] or order)
                if overtakes(op, value, order, held, orders[at]):
                    state[VALUES + at], orders[at] = value, order

    def result(self, state: list[Any]) -> tuple[bytes | None, bytes]:
        plan = self.plan
        orders: list[Order | None] | None
        values: list[int | None]
        orders, marks, added, *values = state
        if not marks:
            return None, plan.extra([None] * len(plan.metrics))
        if not added and orders is None and not self._finishes:
            return plan.key(values, None, []), plan.extra(values)
        orders = list(orders or [None] * len(values))
        for name, entry in (added or {}).items():
            for at, op, of, _ in self._steps:
                if of == name and op != "count":
                    adjusted_at = self._adjusted(at, values[at], orders, entry)
                    orders[at] = later(orders[at], entry[1]) if op == "sum" else adjusted_at
                    values[at] = (values[at] or 0) + entry[0]
        for counted, (at, metric) in enumerate(self._means, len(plan.metrics)):
            values[at] = metric.mean(values[at] or 0, values[counted] or 0)
        plan.derived.complete(values)
        reached = max((order for at in self._before if (order := orders[at]) is not None), default=None)
        return plan.key(values, reached, []), plan.extra(values)

    def _adjusted(self, at: int, value: int | None, orders: list[Order | None], entry: list[Any]) -> Order | None:
        """When an extreme, or the first or last value, last changed that officials adjusted, too."""
        order, first = orders[at], orders[self._firsts.get(at, at)]
        improved = first is not None and order is not None and first < order
        return last_change(value, order, entry, improved=improved)

    def dump(self, state: list[Any]) -> bytes:
        orders, marks, added, *values = state
        return _encode((values, orders, marks, dict(sorted(added.items())) if added else None))

    def load(self, data: bytes) -> list[Any]:
        values, orders, marks, added = _decode_running(data)
        if orders is not None:
            orders = [None if order is None else tuple(order) for order in orders]
            # What was stored before first marks were known knows of none.
            orders += [None] * (len(values) + len(self._firsts) - len(orders))
        return [orders, marks, loaded(added), *values]


def _steps_of(metrics: "list[MetricPlan]") -> list[tuple[int, str, str, Predicate | None]]:
    """(slot, operation, metric, condition) of all that a mark can change."""
    steps: list[tuple[int, str, str, Predicate | None]] = []
    counts: list[tuple[int, str, str, Predicate | None]] = []
    for at, metric in enumerate(metrics):
        if metric.op == "average":
            steps.append((at, "sum", metric.of, metric.where))
            counts.append((len(metrics) + len(counts), "count", metric.of, metric.has_value))
        elif not metric.derived:
            steps.append((at, metric.op, metric.of, metric.where))
    return steps + counts
