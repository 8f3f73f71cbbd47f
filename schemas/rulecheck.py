"""What the structs of a ruleset cannot say: every name is defined, and nothing contradicts."""

import itertools
import re
import zoneinfo
from collections.abc import Iterator
from datetime import MAXYEAR, MINYEAR, date
from decimal import Decimal

import msgspec

from schemas.checks import NAME, NAME_RULE, number_problems
from schemas.errors import Problem
from schemas.language import (
    Board,
    Metric,
    MetricType,
    PicksSource,
    Ruleset,
    Source,
    TableSource,
    TieBreak,
    rank_item,
)
from schemas.pickcheck import picks_problems
from schemas.spreadcheck import spread_problems

SEGMENTS_MAX = 8
WINDOWS_MAX = 8


def number_problems_of(at: str, value: object) -> Iterator[Problem]:
    """Wherever a number stands, it is one that an event could carry: nothing computes with others."""
    if isinstance(value, msgspec.Struct):
        value = {name: getattr(value, name) for name in value.__struct_fields__}
    if isinstance(value, dict):
        for name, item in value.items():
            yield from number_problems_of(f"{at}.{name}" if at else name, item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from number_problems_of(f"{at}[{index}]", item)
    elif isinstance(value, int | Decimal):
        yield from number_problems(at, value)


def ruleset_problems(rules: Ruleset) -> Iterator[Problem]:
    if not NAME.match(rules.game):
        yield Problem("game", NAME_RULE)
    try:
        known = zoneinfo.ZoneInfo(rules.time_zone).key not in HOST_ZONES
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        known = False
    if not known:
        yield Problem("time_zone", "an IANA time zone such as Europe/Berlin")
    yield from _season_problems(rules)
    for name, metric in rules.metrics.items():
        yield from _metric_type_problems(f"metrics.{name}", name, metric)
    for name, source in rules.sources.items():
        yield from _source_problems(f"sources.{name}", name, source, rules)
    if not 1 <= len(rules.boards) <= 64:
        yield Problem("boards", "a ruleset has 1 to 64 boards")
    for name, board in rules.boards.items():
        yield from _board_problems(f"boards.{name}", name, board, rules)
    if rules.spread:
        yield from spread_problems(rules)


def _season_problems(rules: Ruleset) -> Iterator[Problem]:
    for index, season in enumerate(rules.seasons):
        at = f"seasons[{index}]"
        if not NAME.match(season.id):
            yield Problem(f"{at}.id", NAME_RULE)
        if not (_is_day(season.first) and _is_day(season.last) and season.first <= season.last):
            yield Problem(at, "first and last are days such as 2026-02-08, and last is not before first")
    spans = sorted((season.first, season.last) for season in rules.seasons)
    if any(later[0] <= earlier[1] for earlier, later in itertools.pairwise(spans)):
        yield Problem("seasons", "seasons do not overlap")
    if len({season.id for season in rules.seasons}) < len(rules.seasons):
        yield Problem("seasons", "each season has an id of its own")
    if not rules.seasons and any("season" in board.periods for board in rules.boards.values()):
        yield Problem("seasons", "a board with the period season needs [[seasons]] with id, first and last")


def _is_day(text: str) -> bool:
    try:
        return (
            re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII) is not None
            and MINYEAR < date.fromisoformat(text).year < MAXYEAR
        )
    except ValueError:
        return False


def _metric_type_problems(at: str, name: str, metric: MetricType) -> Iterator[Problem]:
    if not NAME.match(name):
        yield Problem(at, NAME_RULE)
    if name in RESERVED:
        yield Problem(at, f"{name} is a reserved name")
    if not 0 <= metric.scale <= 12:
        yield Problem(f"{at}.scale", "0 to 12 digits behind the point")
    if metric.min is not None and metric.max is not None and metric.min > metric.max:
        yield Problem(f"{at}.min", "not above max")


HOST_ZONES = frozenset(("localtime", "posixrules", "Factory"))
"""Names that a machine's zone files may hold and that do not mean the same on every machine."""

POSITION = "position"
"""The metric that marks of placements have without being declared."""

RESERVED = frozenset(("reached", "round", POSITION, "status", "verdict"))


def _source_problems(at: str, name: str, source: Source, rules: Ruleset) -> Iterator[Problem]:
    if not NAME.match(name):
        yield Problem(at, NAME_RULE)
    used = {key: getattr(source, key) for key in ("award", "scored", "conceded", "over") if getattr(source, key, None)}
    used |= {f"per.{key}": key for key in getattr(source, "per", ())}
    computes = isinstance(source, TableSource | PicksSource) or any(
        getattr(source, key, None) for key in ("points", "bonuses", "per", "award")
    )
    if computes:
        used["metric"] = source.metric
    if isinstance(source, TableSource) and source.scored is not None and source.scored == source.conceded:
        yield Problem(f"{at}.conceded", "another metric than that of what is scored")
    for key, metric in used.items():
        if metric not in rules.metrics:
            yield Problem(f"{at}.{key}", f"unknown metric {metric!r}; {_known(rules)}")
    if isinstance(source, TableSource) and isinstance(source.best_of, int) and not 1 <= source.best_of <= 99:
        yield Problem(f"{at}.best_of", "1 to 99 games, or the attribute that says how many")
    if isinstance(source, PicksSource):
        yield from picks_problems(at, source)


def _known(rules: Ruleset) -> str:
    return "known: " + ", ".join(sorted(rules.metrics)) if rules.metrics else "no [metrics] are declared"


def _board_problems(at: str, name: str, board: Board, rules: Ruleset) -> Iterator[Problem]:
    if not NAME.match(name):
        yield Problem(at, NAME_RULE)
    for source in board.sources or ():
        if source not in rules.sources:
            yield Problem(f"{at}.sources", f"unknown source {source!r}; known: {', '.join(sorted(rules.sources))}")
    if not board.metrics:
        yield Problem(f"{at}.metrics", "a board has at least one metric")
    for key, metric in board.metrics.items():
        yield from _metric_problems(f"{at}.metrics.{key}", key, metric, board, rules)
    yield from _keep_problems(f"{at}.keep", board, rules)
    yield from _rank_by_problems(f"{at}.rank_by", board)
    yield from _presentation_problems(at, board)
    if not board.periods or len(set(board.periods)) != len(board.periods):
        yield Problem(f"{at}.periods", "at least one period, each once")


TAKES: dict[str, frozenset[str]] = {
    "average": frozenset(("scale",)),
    "difference": frozenset(("by",)),
    "ratio": frozenset(("by", "scale")),
    "sum": frozenset(("caps",)),
    "streak": frozenset(("hold", "per", "absence")),
    "longest_streak": frozenset(("hold", "per", "absence")),
    "form": frozenset(("n",)),
    "distinct": frozenset(("group",)),
    "attempts": frozenset(("group", "tries", "each", "across")),
}
"""The keys of a metric that only some operations have."""

OVER_NOTHING = frozenset(("count", "streak", "longest_streak", "form", "distinct"))
"""Operations that look at marks, not at a metric of them."""

DERIVED = frozenset(("difference", "ratio"))
"""Operations on metrics of the same board."""


def _metric_problems(at: str, key: str, metric: Metric, board: Board, rules: Ruleset) -> Iterator[Problem]:
    if not NAME.match(key) or key in RESERVED:
        yield Problem(at, NAME_RULE if key not in RESERVED else f"{key} is a reserved name")
    defaults = Metric(op=metric.op)
    for name in ("by", "scale", "caps", "hold", "per", "absence", "n", "group", "tries", "each", "across"):
        if getattr(metric, name) != getattr(defaults, name) and name not in TAKES.get(metric.op, ()):
            takers = ", ".join(sorted(op for op, taken in TAKES.items() if name in taken))
            yield Problem(f"{at}.{name}", f"{metric.op} has no `{name}`; only {takers} does")
    if metric.op in OVER_NOTHING:
        if metric.of is not None:
            yield Problem(f"{at}.of", f"{metric.op} has no `of`; it looks at the marks that meet `where`")
    elif metric.op in DERIVED:
        yield from _derived_problems(at, key, metric, board)
    elif metric.of is None:
        yield Problem(f"{at}.of", f"{metric.op} needs the metric that it is of; {_known(rules)}")
    elif metric.of not in (*rules.metrics, *board.metrics, POSITION):
        yield Problem(f"{at}.of", f"unknown metric {metric.of!r}; {_known(rules)}")
    elif metric.of not in (*rules.metrics, POSITION):
        cycle = metric.of == key or board.metrics[metric.of].of == key
        rule = "a metric cannot be made of itself (a cycle)" if cycle else "made of a declared metric, not of a board's"
        yield Problem(f"{at}.of", f"{rule}; {_known(rules)}")
    yield from _number_of_problems(at, metric)


def _derived_problems(at: str, key: str, metric: Metric, board: Board) -> Iterator[Problem]:
    for name, said in (("where", bool(metric.where)), ("over", metric.over != "kept")):
        if said:
            yield Problem(f"{at}.{name}", f"belongs to the metrics that a {metric.op} is made of")
    for name, other in (("of", metric.of), ("by", metric.by)):
        made_of = board.metrics.get(other or "")
        if other is None or made_of is None:
            yield Problem(
                f"{at}.{name}", f"{metric.op} needs a metric of this board; it has {', '.join(board.metrics)}"
            )
        elif other == key or made_of.op in DERIVED:
            yield Problem(f"{at}.{name}", "made of metrics that are not a difference or ratio themselves (a cycle)")
        elif made_of.op == "form":
            yield Problem(f"{at}.{name}", "a form is no number")


def _number_of_problems(at: str, metric: Metric) -> Iterator[Problem]:
    if metric.scale is not None and not 0 <= metric.scale <= 12:
        yield Problem(f"{at}.scale", "0 to 12 digits behind the point")
    if not 1 <= metric.n <= 20:
        yield Problem(f"{at}.n", "the last 1 to 20 verdicts")
    for index, cap in enumerate(metric.caps):
        if cap.most < 0:
            yield Problem(f"{at}.caps[{index}].most", "at least 0")
    if metric.op in ("distinct", "attempts") and metric.group is None:
        yield Problem(f"{at}.group", f"{metric.op} needs the attribute that groups the marks")
    if metric.absence == "hold" and metric.per == "mark":
        yield Problem(f"{at}.absence", 'only days and rounds can be missed: it needs per = "day" or per = "round"')


def _keep_problems(at: str, board: Board, rules: Ruleset) -> Iterator[Problem]:
    keep = board.keep
    counts = {"n": keep.n, "marks": keep.marks}
    counts |= {f"spans[{index}].n": span.n for index, span in enumerate(keep.spans)}
    for key, count in counts.items():
        if count is not None and count < 1:
            yield Problem(f"{at}.{key}", "at least 1")
    if keep.mode == "best" and keep.by is None:
        yield Problem(f"{at}.by", f"best needs the metric to compare; {_known(rules)}")
    if keep.by is not None and rank_item(keep.by)[0] not in (*rules.metrics, POSITION):
        yield Problem(f"{at}.by", f"unknown metric {keep.by!r}; {_known(rules)}")
    if keep.by is not None and not re.fullmatch(r"\S+( (asc|desc))?", keep.by):
        yield Problem(f"{at}.by", 'a metric, with " desc" or " asc" behind it')
    if keep.per != "round" and (keep.spans or keep.marks is not None):
        yield Problem(at, 'spans and marks need per = "round"')
    if keep.spans and keep.mode != "best":
        yield Problem(f"{at}.spans", 'spans need mode = "best"')
    for index, span in enumerate(keep.spans):
        if span.last is not None and span.last < span.first:
            yield Problem(f"{at}.spans[{index}]", "last is not before first")
    ordered = sorted(keep.spans, key=lambda span: span.first)
    if any(span.last is None or after.first <= span.last for span, after in itertools.pairwise(ordered)):
        yield Problem(f"{at}.spans", "spans do not overlap")


def _rank_by_problems(at: str, board: Board) -> Iterator[Problem]:
    if not 1 <= len(board.rank_by) <= 16:
        yield Problem(at, "1 to 16 criteria")
    for index, item in enumerate(board.rank_by):
        if isinstance(item, TieBreak):
            yield from _tie_break_problems(f"{at}[{index}]", item, board, first=index == 0)
            if item.lot is not None and index + 1 < len(board.rank_by):
                yield Problem(f"{at}[{index}]", "nothing is left to decide behind a lot, so it is the last")
            continue
        yield from _criterion_problems(f"{at}[{index}]", item, board)
        if rank_item(item)[0] == "reached" and index == 0:
            yield Problem(f"{at}[{index}]", "reached breaks ties of the criteria before it, so it cannot be the first")


def _criterion_problems(at: str, item: str, board: Board) -> Iterator[Problem]:
    if not re.fullmatch(r"\S+( (asc|desc))?", item):
        yield Problem(at, 'a metric, with " desc" or " asc" behind it')
    name = rank_item(item)[0]
    if name != "reached" and name not in board.metrics:
        yield Problem(at, f"unknown metric {name!r}; this board has {', '.join(board.metrics)}")
    elif name != "reached" and board.metrics[name].op == "form":
        yield Problem(at, "a form is no number to rank by")


def _tie_break_problems(at: str, item: TieBreak, board: Board, *, first: bool) -> Iterator[Problem]:
    kinds = [item.countback is not None, bool(item.head_to_head), item.lot is not None]
    if sum(kinds) != 1:
        yield Problem(at, "a tie-break is one of countback, head_to_head and lot")
    if item.countback is not None and (item.countback != "position" or not 1 <= item.places <= 200):
        yield Problem(at, 'countback = "position", places 1 to 200')
    for index, criterion in enumerate(item.head_to_head):
        if criterion.startswith("reached"):
            yield Problem(f"{at}.head_to_head[{index}]", "metrics of this board")
        else:
            yield from _criterion_problems(f"{at}.head_to_head[{index}]", criterion, board)
    if item.head_to_head and first:
        yield Problem(at, "head_to_head breaks ties of the criteria before it, so it cannot be the first")


def _presentation_problems(at: str, board: Board) -> Iterator[Problem]:
    """Segments, windows, tiers and badges."""
    yield from _copy_problems(at, board)
    conditions = {f"{at}.tiers[{index}].where": tier.where for index, tier in enumerate(board.tiers)}
    for name, badge in board.badges.items():
        if not NAME.match(name):
            yield Problem(f"{at}.badges.{name}", NAME_RULE)
        if not badge.where:
            yield Problem(f"{at}.badges.{name}.where", "at least one condition")
        conditions[f"{at}.badges.{name}.where"] = badge.where
    for field, where in {f"{at}.qualify": board.qualify, **conditions}.items():
        for key in where:
            if key not in board.metrics:
                yield Problem(f"{field}.{key}", f"unknown metric; this board has {', '.join(board.metrics)}")
            elif board.metrics[key].op == "form":
                yield Problem(f"{field}.{key}", "a form is no number")


def _copy_problems(at: str, board: Board) -> Iterator[Problem]:
    for name in board.segments:
        if not NAME.match(name):
            yield Problem(f"{at}.segments.{name}", NAME_RULE)
    if len(board.segments) > SEGMENTS_MAX:
        yield Problem(
            f"{at}.segments", f"at most {SEGMENTS_MAX} attributes: each of their values is a copy of the board"
        )
    if len(board.windows) > WINDOWS_MAX:
        yield Problem(f"{at}.windows", f"at most {WINDOWS_MAX} windows")
    if len(board.windows) != len(set(board.windows)) or not all(1 <= days <= 3_660 for days in board.windows):
        yield Problem(f"{at}.windows", "days, 1 to 3660, each once")
    if board.windows and any(isinstance(item, TieBreak) and item.head_to_head for item in board.rank_by):
        yield Problem(f"{at}.windows", "head_to_head looks at all marks, so a board has windows or head_to_head")
    for index, tier in enumerate(board.tiers):
        if (tier.top is not None) + (tier.percent is not None) + bool(tier.where) != 1:
            yield Problem(f"{at}.tiers[{index}]", "a tier is one of top, percent and where")
        if tier.top is not None and tier.top < 1:
            yield Problem(f"{at}.tiers[{index}].top", "at least 1")
        if tier.percent is not None and not 0 < tier.percent <= 100:
            yield Problem(f"{at}.tiers[{index}].percent", "above 0, at most 100")
        if tier.percent is not None and board.ranks == "dense":
            rule = "dense ranks do not tell how many are ahead; use top, or other ranks"
            yield Problem(f"{at}.tiers[{index}].percent", rule)
