"""Boards: from the marks of one player to his metrics and his sort key. A plan is a compiled board."""

from collections.abc import Callable

from engine.adjustments import Order
from engine.badges import Badged, judge_of, judged_board
from engine.buckets import Bucketed, can_bucket
from engine.clock import FAR
from engine.derived import Derived
from engine.headtohead import Criteria, names, neutral, shown
from engine.kept import Kept
from engine.lots import LOT_BYTES
from engine.marks import Mark, Predicate, compile_where
from engine.metrics import MetricPlan
from engine.movement import BEFORE, present_of
from engine.numbers import ORDER_BYTES, decode_int, encode_int, encode_order
from engine.periods import Calendar, well_formed
from engine.reached import improving
from engine.segments import segment_id
from engine.select import Selection, compile_keep
from engine.shapes import Running, Shape, Single
from engine.tiers import Tiers
from engine.windows import windows_of
from schemas.language import AdjustmentSource, Board, MetricType, Ruleset, ScoreSource, TieBreak, rank_item

_WHOLE = [""]


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
        self.metric_names: tuple[str, ...] = tuple(board.metrics)
        self.selection: Selection = compile_keep(board.keep, rules)
        self._mark_segments = [name for name, of in board.segments.items() if of == "mark"]
        index = {key: at for at, key in enumerate(board.metrics)}
        self.derived = Derived(board, self.metrics)
        self._qualify = _compile_qualify(board, self.metrics)
        self._countbacks: list[tuple[Predicate, int]] = []
        self.head_to_heads: list[Criteria] = []
        self.lot: int | None = None
        self.order: list[tuple[str, int]] = []
        for item in board.rank_by:
            if isinstance(item, TieBreak) and item.lot is not None:
                self.order.append(("lot", 0))
                self.lot = item.lot
            elif isinstance(item, TieBreak) and item.head_to_head:
                self.order.append(("head_to_head", len(self.head_to_heads)))
                criteria = map(rank_item, item.head_to_head)
                self.head_to_heads.append([(descending, index[key]) for key, descending in criteria])
            elif isinstance(item, TieBreak):
                self.order.append(("countback", len(self._countbacks)))
                self._countbacks.append((compile_where(item.where, rules.metrics), item.places))
            else:
                key, descending = rank_item(item)
                at = index.get(key, -1)
                self.order.append(("reached", 0) if key == "reached" else ("desc" if descending else "asc", at))
        self._leads_desc = [kind for kind, _ in self.order] in (["desc"], ["desc", "reached"])
        self.metric_names += tuple(names(self))
        self.needs_reached = any(kind == "reached" for kind, _ in self.order)
        ranked = {at for kind, at in self.order if kind in ("asc", "desc")}
        self._extra = [at for at in range(len(self.metrics)) if at not in ranked]
        self.has_extra = bool(self._extra)
        self.tiers = Tiers(board.tiers, self.metrics, self.values) if board.tiers else None
        only = self.metrics[self.order[0][1]]
        alone = len(self.metrics) == len(ranked) == 1 and self.order[0][0] in ("asc", "desc") and not self.head_to_heads
        self.only_whole = alone and only.scale == 0 and not only.big
        """Whether all that is shown is one whole number, with which the key starts."""
        used = board.sources if board.sources is not None else list(rules.sources)
        # Contests are settled anew, and what teams were given cannot be looked up by a player: both need their marks.
        feeding = [rules.sources[name] for name in used]
        revised = any(
            not isinstance(source, ScoreSource | AdjustmentSource) or source.entrant is not None for source in feeding
        )
        self.shape = _shape_of(self, rules, revised=revised)
        own = isinstance(self.shape, Running | Single) and self.order[-1][0] == "reached" and not rules.spread
        self.shared_ending = encode_order(None) if own and not board.windows else b""
        """How the keys end that several players can have; empty: any key. An entry of the log changes one player's scores."""
        self.windows = windows_of(self, rules, revised=revised)
        self.player_segments = [name for name, of in board.segments.items() if of == "player"]
        self.present = present_of(board, rules)
        self.whole = bool(self.head_to_heads) or self.present is not None
        """Whether a row's place, or that before the present stretch, depends on the other rows: all must be in memory."""
        self.copied = bool(self.player_segments) or self.present is not None
        self.badges: Badged | None = None
        if board.badges:
            judged = BoardPlan(name, judged_board(board, self.shape), rules)
            self.badges = Badged(self.shape, judge_of(board, judged, self.shape))

    def may_have(self, period: str) -> bool:
        """Whether this can be the id of a period or window of the board."""
        return period in self.windows or any(well_formed(kind, period) for kind in self.period_kinds)

    def copies(self, segment: str) -> bool:
        """Whether the ranking of a segment follows from the board's others and has no state of its own."""
        return segment.startswith(BEFORE) or segment.partition(":")[0] in self.player_segments

    def end_of(self, period: str) -> int:
        """The first instant behind a period of this board, epoch milliseconds; FAR when it has no end."""
        kind = period.partition(":")[0]
        return next((calendar.end_of(period) for calendar in self.calendars if calendar.kind == kind), FAR)

    def segments_of(self, mark: Mark) -> list[str]:
        """The segments that a mark belongs to; the whole board is the empty one."""
        if not self._mark_segments:
            return _WHOLE
        attributes = mark.attributes or {}
        found = (segment_id(name, attributes[name]) for name in self._mark_segments if name in attributes)
        return ["", *(segment for segment in found if segment is not None)]

    def key(self, values: list[int | None], reached: Order | None, counts: list[list[int]]) -> bytes | None:
        """The sort key's prefix, or None for who does not qualify to be ranked.

        What depends on more than his own marks is added when the table is settled: head-to-head slots, and the lot.
        """
        for at, holds in self._qualify:
            if not holds(values[at]):
                return None
        if self._leads_desc:
            # Written out for the usual board: one metric, the most first, perhaps the first to reach it.
            value = values[self.order[0][1]]
            lead = encode_int(value if value is None else -value)
            return lead if len(self.order) == 1 else lead + encode_order(reached)
        parts = []
        for kind, at in self.order:
            if kind == "desc":
                value = values[at]
                parts.append(encode_int(value if value is None else -value))
            elif kind == "asc":
                parts.append(encode_int(values[at]))
            elif kind == "reached":
                parts.append(encode_order(reached))
            elif kind == "countback":
                parts.extend(encode_int(-count) for count in counts[at])
            elif kind == "head_to_head":
                parts.append(neutral(self.head_to_heads[at]))
        return b"".join(parts)

    def extra(self, values: list[int | None]) -> bytes:
        """The metrics that the key does not hold, in the board's order."""
        return b"".join(encode_int(values[at]) for at in self._extra) if self._extra else b""

    def values(self, prefix: bytes, extra: bytes) -> list[int | None]:
        """The scaled metrics of an entry, in the board's order."""
        found: list[int | None] = [None] * len(self.metrics)
        start = 0
        for number, (kind, at) in enumerate(self.order):
            if kind in ("asc", "desc"):
                value, start = decode_int(prefix, start)
                found[at] = -value if kind == "desc" and value is not None else value
            else:
                start = self.behind(number, prefix, start)
        start = 0
        for at in self._extra:
            found[at], start = decode_int(extra, start)
        return found

    def start_of(self, number: int, prefix: bytes) -> int:
        """Where in a key the criterion `number` (counted from 0) starts."""
        start = 0
        for before in range(number):
            start = self.behind(before, prefix, start)
        return start

    def behind(self, number: int, prefix: bytes, start: int) -> int:
        """Where in a key the criterion ends that starts at `start`."""
        kind, at = self.order[number]
        if kind == "reached":
            return start + ORDER_BYTES
        if kind == "lot":
            return start + LOT_BYTES
        codes = 1
        if kind == "countback":
            codes = self._countbacks[at][1]
        elif kind == "head_to_head":
            codes = len(self.head_to_heads[at])
        for _ in range(codes):
            _, start = decode_int(prefix, start)
        return start

    def decode(self, prefix: bytes, extra: bytes) -> dict[str, int | str | None]:
        """The metrics of an entry as JSON shows them; behind them the numbers of a head-to-head."""
        if self.only_whole:
            # The usual board, whatever breaks its ties. Written out because every line of every page comes by here.
            value, _ = decode_int(prefix, 0)
            return {self.metric_names[0]: -value if value is not None and self.order[0][0] == "desc" else value}
        values = self.values(prefix, extra)
        found = {metric.name: metric.shown(value) for metric, value in zip(self.metrics, values, strict=True)}
        return {**found, **shown(self, prefix)} if self.head_to_heads else found

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


def _compile_qualify(board: Board, metrics: list[MetricPlan]) -> list[tuple[int, Qualifier]]:
    compiled: list[tuple[int, Qualifier]] = []
    for key, condition in board.qualify.items():
        at = next(index for index, metric in enumerate(metrics) if metric.name == key)
        # The condition is written in the metric's own unit, so it is compared at the metric's scale.
        where = compile_where({key: condition}, {key: MetricType(scale=metrics[at].scale)})
        compiled.append((at, _qualifier(key, where)))
    return compiled


def _qualifier(key: str, where: Predicate) -> Qualifier:
    return lambda value: where(Mark(0, 0, 0, {} if value is None else {key: value}))


def _shape_of(plan: BoardPlan, rules: Ruleset, *, revised: bool) -> Shape:
    """The smallest shape that can hold the board. Results can be revised, so their marks are kept one by one."""
    keep = plan.board.keep
    if plan.board.movement != "none":
        return Kept(plan)
    if any(metric.caps is not None for metric in plan.metrics):
        return Bucketed(plan, rules) if can_bucket(plan) and not revised else Kept(plan)
    over_all = any(metric.over_all for metric in plan.metrics)
    if revised or keep.per == "round" or keep.n > 1 or (over_all and keep.mode != "all") or _needs_all(plan):
        return Kept(plan)
    firsts = improving(plan.board, rules) if plan.needs_reached else ()
    return Running(plan, firsts) if keep.mode == "all" else Single(plan, firsts)


def _needs_all(plan: BoardPlan) -> bool:
    """Whether only all marks together tell a metric, a tie-break, or when the criteria before `reached` last changed."""
    kinds = [kind for kind, _ in plan.order]
    if plan.head_to_heads or any(metric.grouped or metric.streak for metric in plan.metrics):
        return True
    if "countback" in kinds or not plan.needs_reached:
        return "countback" in kinds
    criteria = [plan.metrics[at] for _, at in plan.order[: kinds.index("reached")]]
    if any(metric.derived or metric.op == "average" for metric in criteria):
        return True
    keep = plan.board.keep
    if keep.mode == "all":
        # A value that was there before may have been the last one for longer than the last mark.
        return any(metric.op == "last" for metric in criteria)
    # A better run is a change if the number by which it is better is a criterion itself.
    by = rank_item(keep.by)[0] if keep.mode == "best" and keep.by is not None else None
    return not any(
        metric.of == by and metric.where is None and metric.op not in ("sum", "count") for metric in criteria
    )
