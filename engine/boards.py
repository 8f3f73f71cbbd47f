"""Boards: from the marks of one player to his metrics and his sort key.

A plan is a compiled board. What it keeps of a player's marks is its state, in one of two forms: `Running`, of constant
size, where the metrics can be brought up to date by each mark alone; `Kept`, all marks, where they cannot (best n, spans,
results that may be revised). Both give the same metrics for the same marks, in whatever order these arrive.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from engine.marks import Mark, Predicate, compile_where
from engine.numbers import decode_int, encode_int, unscaled
from engine.periods import Calendar
from engine.select import Selection, compile_keep
from schemas.ruleset import Board, Countback, Metric, Ruleset, rank_item

Order = tuple[int, int, int]
_encode = msgspec.json.Encoder().encode
_decode_marks = msgspec.json.Decoder(list[Mark]).decode
_decode_running = msgspec.json.Decoder(list[Any]).decode
_decode_single = msgspec.json.Decoder(tuple[Mark | None, dict[str, int]]).decode


class MetricPlan:
    """A board's metric: an operation over the marks that count."""

    __slots__ = ("big", "name", "of", "op", "over_all", "scale", "where")

    def __init__(self, name: str, metric: Metric, rules: Ruleset) -> None:
        declared = rules.metrics.get(metric.of or "")
        self.name = name
        self.op = metric.op
        self.of = metric.of or ""
        self.where: Predicate | None = compile_where(metric.where, rules.metrics) if metric.where else None
        self.over_all = metric.over == "all"
        self.scale = declared.scale if declared is not None else 0
        self.big = declared is not None and declared.big

    def of_marks(self, marks: list[Mark]) -> int | None:
        """The metric of marks in contest order; adjustments add to whatever the operation gives."""
        if self.op == "count":
            return sum(1 for mark in marks if not mark.adjusts and (self.where is None or self.where(mark)))
        values, added, adjusted = [], 0, False
        for mark in marks:
            value = mark.values.get(self.of)
            if value is None or (self.where is not None and not mark.adjusts and not self.where(mark)):
                continue
            if mark.adjusts:
                added += value
                adjusted = True
            else:
                values.append(value)
        if self.op == "sum":
            return sum(values) + added
        if not values:
            return added if adjusted else None
        if self.op in ("max", "min"):
            return (max(values) if self.op == "max" else min(values)) + added
        return values[-1 if self.op == "last" else 0] + added

    def shown(self, value: int | None) -> int | str | None:
        """As JSON shows it: whole numbers as numbers, metrics declared decimal or big as text."""
        if value is None or (self.scale == 0 and not self.big):
            return value
        return unscaled(value, self.scale)


class BoardPlan:
    """A compiled board. Public: name, title, style, periods, metric_names, has_extra, decode."""

    def __init__(self, name: str, board: Board, rules: Ruleset) -> None:
        self.name = name
        self.board = board
        self.title = board.title or name.replace("-", " ").replace("_", " ").capitalize()
        self.style = board.ranks
        self.period_kinds = tuple(board.periods)
        self.calendars = [Calendar(kind, rules) for kind in board.periods]
        self.where: Predicate | None = compile_where(board.where, rules.metrics) if board.where else None
        self.metrics = [MetricPlan(key, metric, rules) for key, metric in board.metrics.items()]
        self.metric_names = tuple(board.metrics)
        self.selection: Selection = compile_keep(board.keep, rules)
        index = {key: at for at, key in enumerate(board.metrics)}
        self._qualify = _compile_qualify(board, self.metrics, rules)
        self._countbacks: list[tuple[Predicate, int]] = []
        self.order: list[tuple[str, int]] = []
        for item in board.rank_by:
            if isinstance(item, Countback):
                self.order.append(("countback", len(self._countbacks)))
                self._countbacks.append((compile_where(item.where, rules.metrics), item.places))
            else:
                key, descending = rank_item(item)
                at = index.get(key, -1)
                self.order.append(("reached", 0) if key == "reached" else ("desc" if descending else "asc", at))
        self.needs_reached = any(kind == "reached" for kind, _ in self.order)
        ranked = {at for kind, at in self.order if kind in ("asc", "desc")}
        self._extra = [at for at in range(len(self.metrics)) if at not in ranked]
        self.has_extra = bool(self._extra)
        only = self.metrics[self.order[0][1]]
        self._only_whole = len(self.order) == len(self.metrics) == len(ranked) == 1 and only.scale == 0 and not only.big
        used = board.sources if board.sources is not None else list(rules.sources)
        revised = any(rules.sources[source].origin == "placements" for source in used)
        self.shape = _shape_of(self, revised=revised)

    def key(self, values: list[int | None], reached: Order | None, counts: list[list[int]]) -> bytes | None:
        """The sort key's prefix, or None for who does not qualify to be ranked."""
        for at, holds in self._qualify:
            if not holds(values[at]):
                return None
        if len(self.order) == 1 and self.order[0][0] == "desc":
            value = values[self.order[0][1]]
            return encode_int(value if value is None else -value)
        parts = []
        for kind, at in self.order:
            if kind == "desc":
                value = values[at]
                parts.append(encode_int(value if value is None else -value))
            elif kind == "asc":
                parts.append(encode_int(values[at]))
            elif kind == "reached":
                parts.extend(map(encode_int, reached or (None, None, None)))
            else:
                parts.extend(encode_int(-count) for count in counts[at])
        return b"".join(parts)

    def extra(self, values: list[int | None]) -> bytes:
        """The metrics that the key does not hold, in the board's order."""
        return b"".join(encode_int(values[at]) for at in self._extra) if self._extra else b""

    def values(self, prefix: bytes, extra: bytes) -> list[int | None]:
        """The scaled metrics of an entry, in the board's order."""
        found: list[int | None] = [None] * len(self.metrics)
        start = 0
        for kind, at in self.order:
            if kind == "reached":
                for _ in range(3):
                    _, start = decode_int(prefix, start)
            elif kind == "countback":
                for _ in range(self._countbacks[at][1]):
                    _, start = decode_int(prefix, start)
            else:
                value, start = decode_int(prefix, start)
                found[at] = -value if kind == "desc" and value is not None else value
        start = 0
        for at in self._extra:
            found[at], start = decode_int(extra, start)
        return found

    def decode(self, prefix: bytes, extra: bytes) -> dict[str, int | str | None]:
        """The metrics of an entry as JSON shows them."""
        if self._only_whole:
            # Written out because it is the usual board, and every line of every page comes by here.
            value, _ = decode_int(prefix, 0)
            return {self.metric_names[0]: -value if value is not None and self.order[0][0] == "desc" else value}
        values = self.values(prefix, extra)
        return {metric.name: metric.shown(value) for metric, value in zip(self.metrics, values, strict=True)}

    def counts(self, marks: list[Mark]) -> list[list[int]]:
        """For each countback the number of first places, of second places, and so on."""
        vectors = []
        for where, places in self._countbacks:
            vector = [0] * places
            for mark in marks:
                position = (mark.attributes or {}).get("position")
                if type(position) is int and position <= places and where(mark):
                    vector[position - 1] += 1
            vectors.append(vector)
        return vectors


Qualifier = Callable[[int | None], bool]


def _compile_qualify(board: Board, metrics: list[MetricPlan], rules: Ruleset) -> list[tuple[int, Qualifier]]:
    compiled: list[tuple[int, Qualifier]] = []
    for key, condition in board.qualify.items():
        at = next(index for index, metric in enumerate(metrics) if metric.name == key)
        # The condition is written in the metric's own unit, so it is compared at the scale of what it is made of.
        of = board.metrics[key].of or ""
        declared = {key: rules.metrics[of]} if of in rules.metrics else {}
        where = compile_where({key: condition}, declared)
        compiled.append((at, _qualifier(key, where)))
    return compiled


def _qualifier(key: str, where: Predicate) -> Qualifier:
    return lambda value: where(Mark(0, 0, 0, {} if value is None else {key: value}))


class Shape:
    """How a plan keeps a player's marks: the operations on his state."""

    def new(self) -> Any:
        """The state before any mark."""
        raise NotImplementedError

    def absorb(self, state: Any, mark: Mark) -> bool:
        """Adds a mark to the state, in place, and tells whether that changed anything."""
        raise NotImplementedError

    def withdraw(self, state: Any, origin: str) -> None:
        """Takes out the marks of an origin, in place."""
        raise NotImplementedError

    def result(self, state: Any) -> tuple[bytes | None, bytes]:
        """(prefix, extra) of the state."""
        raise NotImplementedError

    def dump(self, state: Any) -> bytes:
        """The state as bytes; equal states give equal bytes."""
        return _encode(state)

    def load(self, data: bytes) -> Any:
        """The state that `dump` wrote."""
        raise NotImplementedError


class Kept(Shape):
    """All marks, sorted by contest order; the metrics are computed anew when they are asked for."""

    def __init__(self, plan: BoardPlan) -> None:
        self.plan = plan

    def new(self) -> list[Mark]:
        return []

    def absorb(self, state: list[Mark], mark: Mark) -> bool:
        at = len(state)
        order = (mark.order, mark.origin)
        while at and (state[at - 1].order, state[at - 1].origin) > order:
            at -= 1
        state.insert(at, mark)
        return True

    def withdraw(self, state: list[Mark], origin: str) -> None:
        state[:] = [mark for mark in state if mark.origin != origin]

    def result(self, state: list[Mark]) -> tuple[bytes | None, bytes]:
        plan = self.plan
        if not state:
            return None, plan.extra([None] * len(plan.metrics))
        values = self._values(state)
        reached = self._reached(state) if plan.needs_reached else None
        return plan.key(values, reached, plan.counts(state)), plan.extra(values)

    def _values(self, marks: list[Mark]) -> list[int | None]:
        kept = self.plan.selection(marks)
        return [metric.of_marks(marks if metric.over_all else kept) for metric in self.plan.metrics]

    def _reached(self, marks: list[Mark]) -> Order | None:
        """When the criteria before `reached` last changed, going through the marks in contest order."""
        plan = self.plan
        criteria = plan.order[: next(at for at, (kind, _) in enumerate(plan.order) if kind == "reached")]
        reached, before = None, None
        for end in range(1, len(marks) + 1):
            values, counts = self._values(marks[:end]), plan.counts(marks[:end])
            present = [counts[at] if kind == "countback" else values[at] for kind, at in criteria]
            if present != before:
                reached, before = marks[end - 1].order, present
        return reached

    def load(self, data: bytes) -> list[Mark]:
        return _decode_marks(data)


class Single(Shape):
    """One mark holds (the best run, the latest, the first); adjustments are added up beside it.

    The state is [mark or None, {metric: adjustments}].
    """

    def __init__(self, plan: BoardPlan) -> None:
        self.plan = plan
        keep = plan.board.keep
        self._by, descending = rank_item(keep.by) if keep.by is not None else ("", True)
        self._sign = 1 if descending else -1
        self._mode = keep.mode
        plain = all(metric.op != "count" and metric.where is None for metric in plan.metrics)
        self._columns = [metric.of for metric in plan.metrics] if plain else None

    def new(self) -> list[Any]:
        return [None, {}]

    def absorb(self, state: list[Any], mark: Mark) -> bool:
        held: Mark | None = state[0]
        if mark.adjusts:
            added = state[1]
            for name, value in mark.values.items():
                added[name] = added.get(name, 0) + value
            return True
        if self._mode == "best":
            value = mark.values.get(self._by)
            if value is None:
                return False
            if held is not None:
                lead = (value - held.values[self._by]) * self._sign
                if lead < 0 or (lead == 0 and held.order <= mark.order):
                    return False
        elif held is not None and (held.order > mark.order) == (self._mode == "latest"):
            return False
        state[0] = mark
        return True

    def result(self, state: list[Any]) -> tuple[bytes | None, bytes]:
        plan = self.plan
        held, added = state
        if held is None and not added:
            return None, plan.extra([None] * len(plan.metrics))
        values: list[int | None]
        if self._columns is not None and held is not None and not added:
            values = list(map(held.values.get, self._columns))
        else:
            marks = [] if held is None else [held]
            if added:
                marks.append(Mark(0, 0, 0, added, adjusts=True))
            values = [metric.of_marks(marks) for metric in plan.metrics]
        return plan.key(values, None if held is None else held.order, []), plan.extra(values)

    def dump(self, state: list[Any]) -> bytes:
        return _encode((state[0], dict(sorted(state[1].items()))))

    def load(self, data: bytes) -> list[Any]:
        return list(_decode_single(data))


class Running(Shape):
    """Sums, counts and extremes brought up to date by each mark.

    The state is [values, orders, marks, adjustments]: one value a metric; the order of the mark that it was reached with (of
    the last that changed a sum or count, of the first that attained an extreme; kept only where it is needed); how many
    marks there were; {metric: [total, order]} of the adjustments.
    """

    def __init__(self, plan: BoardPlan) -> None:
        self.plan = plan
        self._steps = [(at, metric.op, metric.of, metric.where) for at, metric in enumerate(plan.metrics)]
        self.ordered = plan.needs_reached or any(op not in ("sum", "count") for _, op, _, _ in self._steps)
        self._simple = not self.ordered and all(where is None for _, _, _, where in self._steps)
        self._sums = [(at, of) for at, op, of, _ in self._steps if op == "sum"]
        self._counts = [at for at, op, _, _ in self._steps if op == "count"]
        kinds = [kind for kind, _ in plan.order]
        until = kinds.index("reached") if plan.needs_reached else 0
        self._before = [at for _, at in plan.order[:until]]

    def new(self) -> list[Any]:
        values = [0 if op in ("sum", "count") else None for _, op, _, _ in self._steps]
        return [values, [None] * len(values) if self.ordered else None, 0, {}]

    def absorb(self, state: list[Any], mark: Mark) -> bool:
        state[2] += 1
        values, held = mark.values, state[0]
        if mark.adjusts:
            self._adjust(state[3], values, mark.order)
        elif self._simple:
            for at, of in self._sums:
                value = values.get(of)
                if value:
                    held[at] += value
            for at in self._counts:
                held[at] += 1
        else:
            self._absorb_ordered(held, state[1], mark)
        return True

    def _absorb_ordered(self, held: list[int | None], orders: list[Order | None] | None, mark: Mark) -> None:
        order = mark.order
        for at, op, of, where in self._steps:
            if where is not None and not where(mark):
                continue
            value: int | None = 1 if op == "count" else mark.values.get(of)
            if value is None:
                continue
            if op in ("sum", "count"):
                held[at] = (held[at] or 0) + value
                if orders is not None and value:
                    since = orders[at]
                    orders[at] = order if since is None or since < order else since
            elif orders is not None and _overtakes(op, value, order, held[at], orders[at]):
                held[at], orders[at] = value, order

    def _adjust(self, added: dict[str, list[Any]], values: dict[str, int], order: Order) -> None:
        for name, value in values.items():
            entry = added.setdefault(name, [0, None])
            entry[0] += value
            if value and (entry[1] is None or entry[1] < order):
                entry[1] = order

    def result(self, state: list[Any]) -> tuple[bytes | None, bytes]:
        plan = self.plan
        values: list[int | None] = state[0]
        orders: list[Order | None] | None = state[1]
        _, _, marks, added = state
        if not marks:
            return None, plan.extra([None] * len(plan.metrics))
        if not added and orders is None:
            return plan.key(values, None, []), plan.extra(values)
        values, orders = list(values), list(orders or [None] * len(values))
        for name, (total, since) in added.items():
            for at, op, of, _ in self._steps:
                if of == name and op != "count":
                    values[at] = (values[at] or 0) + total
                    orders[at] = _later(orders[at], since)
        reached = max((orders[at] for at in self._before if orders[at] is not None), default=None)
        return plan.key(values, reached, []), plan.extra(values)

    def dump(self, state: list[Any]) -> bytes:
        values, orders, marks, added = state
        return _encode((values, orders, marks, dict(sorted(added.items())) if added else added))

    def load(self, data: bytes) -> list[Any]:
        values, orders, marks, added = _decode_running(data)
        if orders is not None:
            orders = [None if order is None else tuple(order) for order in orders]
        added = {name: [total, None if since is None else tuple(since)] for name, (total, since) in added.items()}
        return [values, orders, marks, added]


def _later(one: Order | None, other: Order | None) -> Order | None:
    return one if other is None or (one is not None and one >= other) else other


def _overtakes(op: str, value: int, order: Order, held: int | None, since: Order | None) -> bool:
    """Whether a mark takes over an extreme, the last or the first value; of equal extremes the earlier one holds."""
    if held is None or since is None:
        return True
    if op == "last":
        return order > since
    if op == "first":
        return order < since
    lead = value - held if op == "max" else held - value
    return lead > 0 or (lead == 0 and order < since)


def _shape_of(plan: BoardPlan, *, revised: bool) -> Shape:
    """The smallest shape that can hold the board. Results can be revised, so their marks are kept one by one."""
    keep = plan.board.keep
    over_all = any(metric.over_all for metric in plan.metrics)
    if revised or keep.per == "round" or keep.n > 1 or (over_all and keep.mode != "all"):
        return Kept(plan)
    return Running(plan) if keep.mode == "all" else Single(plan)
