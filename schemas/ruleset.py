"""The ruleset language: how events become marks, and which boards exist. Data (TOML), never code.

The structs say the shape; `parse` also checks what the shape cannot say (every name is defined, nothing contradicts)
and reports all problems at once, with the line where it can. The engine compiles a checked ruleset and trusts it.
"""

import itertools
import re
import tomllib
import zoneinfo
from collections.abc import Iterator
from datetime import MAXYEAR, MINYEAR, date
from decimal import Decimal
from typing import Literal

import msgspec

from schemas.checks import NAME, NAME_RULE, number_problems
from schemas.codec import problem_of
from schemas.errors import InvalidRuleset, Problem
from schemas.events import AttributeValue, Number
from schemas.lines import with_line

RULESET_BYTES_MAX = 200_000
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[str, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
PeriodKind = Literal["all", "round", "daily", "weekly", "monthly", "season"]
RankStyle = Literal["competition", "dense", "ordinal", "modified"]


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A TOML table whose unknown keys are refused."""


class Range(_Table, frozen=True):
    """A condition on one value: all that are given must hold. `min` and `max` include their bound."""

    min: Number | None = None
    max: Number | None = None
    above: Number | None = None
    below: Number | None = None
    exists: bool | None = None


Condition = AttributeValue | list[AttributeValue] | Range
Where = dict[str, Condition]
"""Conditions that must all hold, by the name of what they look at: round, position, status, an attribute or a metric."""


class MetricType(_Table, frozen=True):
    """A number that marks carry. Kept as an integer scaled by 10**scale; finer input is refused or rounded half up.

    `min` and `max` bound the value of one event.
    """

    scale: int = 0
    rounding: Literal["refuse", "half_up"] = "refuse"
    min: Number | None = None
    max: Number | None = None
    big: bool = False


class Bonus(_Table, frozen=True):
    """Points for every placement that meets `where`; `split` divides them equally among those of one result."""

    points: Number
    where: Where = {}
    split: bool = False


class Factor(_Table, frozen=True):
    """Multiplies the points by position of a result that meets `where` (half or double points)."""

    times: Number
    where: Where = {}


class Source(_Table, frozen=True):
    """Makes marks of events. `origin` is the event type they come from.

    score: the event's values as they are. adjustment: likewise. placements: `points` by position into `metric`, plus
    `bonuses`, plus `per` times each of the placement's values. `entrant` names the attribute whose value is ranked
    instead of the player (a team). `shared` says what a seat shared by several lines is worth to each of them. `award`
    names the metric of a placement's values that, on the lines which carry it, is the points as officials awarded them,
    in place of what everything else would give.
    """

    origin: Literal["score", "placements", "adjustment"]
    where: Where = {}
    entrant: str | None = None
    metric: str = "points"
    points: list[Number] = []
    bonuses: list[Bonus] = []
    factors: list[Factor] = []
    per: dict[str, Number] = {}
    shared: Literal["each", "split", "none"] = "each"
    award: str | None = None


DEFAULT_SOURCES = {"score": Source(origin="score"), "adjustment": Source(origin="adjustment")}


class Span(_Table, frozen=True):
    """Of the rounds from `first` to `last` (both included) the best `n` count; without `n` all do."""

    first: int
    last: int | None = None
    n: int | None = None


class Keep(_Table, frozen=True):
    """Which marks count. `by` is a metric of the marks, with `desc` (default) or `asc`.

    all: every mark; best: the best `n`; latest: the last `n`; first: the first `n`. With `per = "round"` the unit is a
    round, not a mark: its best `marks` (default: all) are added up, and the best rounds are kept, within `spans`.
    """

    mode: Literal["all", "best", "latest", "first"] = "all"
    n: int = 1
    by: str | None = None
    per: Literal["mark", "round"] = "mark"
    marks: int | None = None
    spans: list[Span] = []


class Metric(_Table, frozen=True):
    """A number of a board: `op` over the metric `of` of the marks that count and meet `where`.

    `over = "all"` looks at every mark, also at those that `keep` drops.
    """

    op: Literal["sum", "max", "min", "last", "first", "count"]
    of: str | None = None
    where: Where = {}
    over: Literal["kept", "all"] = "kept"


class Countback(_Table, frozen=True):
    """More first places, then more second places, and so on down to `places`. Looks at every mark, dropped ones too."""

    countback: str
    where: Where = {}
    places: int = 40


RankBy = str | Countback
"""`"points desc"`, `"time asc"`, `"reached"` or a countback table."""


class Season(_Table, frozen=True):
    """A named stretch of local days: `first` and `last` (both included), as 2026-02-08."""

    id: str
    first: str
    last: str


class Board(_Table, frozen=True):
    """A ranking: marks selected, aggregated per player and ordered."""

    rank_by: list[RankBy]
    title: str | None = None
    sources: list[str] | None = None
    where: Where = {}
    keep: Keep = Keep()
    metrics: dict[str, Metric] = {}
    ranks: RankStyle = "competition"
    periods: list[PeriodKind] = msgspec.field(default_factory=lambda: ["all"])
    qualify: dict[str, Range] = {}


class Ruleset(_Table, frozen=True):
    """The rules of one game."""

    game: str
    boards: dict[str, Board]
    title: str | None = None
    time_zone: str = "UTC"
    week_starts: Weekday = "monday"
    metrics: dict[str, MetricType] = {}
    sources: dict[str, Source] = msgspec.field(default_factory=lambda: dict(DEFAULT_SOURCES))
    seasons: list[Season] = []


def parse(text: str, *, game: str | None = None) -> Ruleset:
    """A checked ruleset from TOML; raises InvalidRuleset with every problem found.

    `game`, when given, is the game that the text must be for.
    """
    if len(text.encode("utf-8", "replace")) > RULESET_BYTES_MAX:
        raise InvalidRuleset(Problem("", f"a ruleset is at most {RULESET_BYTES_MAX} bytes"))
    try:
        raw = tomllib.loads(text, parse_float=_decimal)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise InvalidRuleset(Problem("", f"not valid TOML: {error}")) from None
    try:
        rules = msgspec.convert(raw, Ruleset)
    except msgspec.ValidationError as error:
        raise InvalidRuleset(with_line(problem_of(error), text)) from None
    problems = list(_number_problems("", rules)) or list(_problems(rules))
    if game is not None and rules.game != game:
        problems.append(Problem("game", f"this ruleset is for {rules.game!r}, not for {game!r}"))
    if problems:
        raise InvalidRuleset(*(with_line(problem, text) for problem in problems))
    return rules


def rank_item(item: str) -> tuple[str, bool]:
    """(metric, descending) of a rank_by string such as "points", "time asc" or "reached"."""
    name, _, direction = item.partition(" ")
    return name, direction != "asc" and name != "reached"


def _decimal(text: str) -> str:
    """TOML floats stay text until msgspec makes exact decimals of them."""
    return text.replace("_", "")


def _number_problems(at: str, value: object) -> Iterator[Problem]:
    """Wherever a number stands, it is one that an event could carry: nothing computes with others."""
    if isinstance(value, msgspec.Struct):
        value = {name: getattr(value, name) for name in value.__struct_fields__}
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _number_problems(f"{at}.{name}" if at else name, item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _number_problems(f"{at}[{index}]", item)
    elif isinstance(value, int | Decimal):
        yield from number_problems(at, value)


def _problems(rules: Ruleset) -> Iterator[Problem]:
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

RESERVED = frozenset(("reached", "round", "position", "status"))


def _source_problems(at: str, name: str, source: Source, rules: Ruleset) -> Iterator[Problem]:
    if not NAME.match(name):
        yield Problem(at, NAME_RULE)
    if source.origin != "placements":
        given = [key for key in ("points", "bonuses", "factors", "per", "award") if getattr(source, key)]
        if given or source.shared != "each":
            yield Problem(f"{at}.{(given or ['shared'])[0]}", 'only a source with origin = "placements" has this')
        return
    if source.metric not in rules.metrics and (source.points or source.bonuses or source.per or source.award):
        yield Problem(f"{at}.metric", f"unknown metric {source.metric!r}; {_known(rules)}")
    if source.award is not None and source.award not in rules.metrics:
        yield Problem(f"{at}.award", f"unknown metric {source.award!r}; {_known(rules)}")
    for key in source.per:
        if key not in rules.metrics:
            yield Problem(f"{at}.per.{key}", f"unknown metric {key!r}; {_known(rules)}")


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
    for key in board.qualify:
        if key not in board.metrics:
            yield Problem(f"{at}.qualify.{key}", f"unknown metric; this board has {', '.join(board.metrics)}")
    if not board.periods or len(set(board.periods)) != len(board.periods):
        yield Problem(f"{at}.periods", "at least one period, each once")


def _metric_problems(where: str, key: str, metric: Metric, board: Board, rules: Ruleset) -> Iterator[Problem]:
    if not NAME.match(key) or key in RESERVED:
        yield Problem(where, NAME_RULE if key not in RESERVED else f"{key} is a reserved name")
    if metric.op == "count":
        if metric.of is not None:
            yield Problem(f"{where}.of", "count has no `of`; it counts the marks that meet `where`")
    elif metric.of is None:
        yield Problem(f"{where}.of", f"{metric.op} needs the metric that it is of; {_known(rules)}")
    elif metric.of not in rules.metrics and metric.of not in board.metrics:
        yield Problem(f"{where}.of", f"unknown metric {metric.of!r}; {_known(rules)}")
    elif metric.of not in rules.metrics:
        cycle = metric.of == key or board.metrics[metric.of].of == key
        rule = "a metric cannot be made of itself (a cycle)" if cycle else "made of a declared metric, not of a board's"
        yield Problem(f"{where}.of", f"{rule}; {_known(rules)}")


def _keep_problems(at: str, board: Board, rules: Ruleset) -> Iterator[Problem]:
    keep = board.keep
    counts = {"n": keep.n, "marks": keep.marks}
    counts |= {f"spans[{index}].n": span.n for index, span in enumerate(keep.spans)}
    for key, count in counts.items():
        if count is not None and count < 1:
            yield Problem(f"{at}.{key}", "at least 1")
    if keep.mode == "best" and keep.by is None:
        yield Problem(f"{at}.by", f"best needs the metric to compare; {_known(rules)}")
    if keep.by is not None and rank_item(keep.by)[0] not in rules.metrics:
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
        if isinstance(item, Countback):
            if item.countback != "position" or not 1 <= item.places <= 200:
                yield Problem(f"{at}[{index}]", 'countback = "position", places 1 to 200')
            continue
        if not re.fullmatch(r"\S+( (asc|desc))?", item):
            yield Problem(f"{at}[{index}]", 'a metric, with " desc" or " asc" behind it')
        name = rank_item(item)[0]
        if name != "reached" and name not in board.metrics:
            yield Problem(f"{at}[{index}]", f"unknown metric {name!r}; this board has {', '.join(board.metrics)}")
        if name == "reached" and index == 0:
            yield Problem(f"{at}[{index}]", "reached breaks ties of the criteria before it, so it cannot be the first")
