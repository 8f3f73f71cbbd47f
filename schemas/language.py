"""The ruleset language: the tables and keys of a ruleset, as structs. `schemas.ruleset` reads and checks a text.

Data (TOML), never code. The structs say shape and defaults; what they cannot say stands in `schemas.rulecheck`.
docs/rulesets.md is made from the docstrings and comments here.
"""

from typing import Literal

import msgspec

from schemas.events import AttributeValue, Number

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[str, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
PeriodKind = Literal["all", "round", "daily", "weekly", "monthly", "season"]
RankStyle = Literal["competition", "dense", "ordinal", "modified"]
Policy = Literal["zero", "hold", "lose"]


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
"""Conditions that must all hold, by the name of what they look at: round, position, status, verdict, an attribute or a
metric."""


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
    """Points for every mark that meets `where`; `split` divides them equally among those of one result."""

    points: Number
    where: Where = {}
    split: bool = False


class Factor(_Table, frozen=True):
    """Multiplies the points by position, or of a match, of a result that meets `where` (half or double points)."""

    times: Number
    where: Where = {}


class _Source(_Table, frozen=True, tag_field="origin"):
    """What all sources share. `where` chooses events, or lines of a result; `entrant` names the attribute whose value is
    ranked instead of the player (a team); `metric` is where computed points go."""

    where: Where = {}
    entrant: str | None = None
    metric: str = "points"


class ScoreSource(_Source, frozen=True, tag="score"):
    """Marks from `score` events: their values as they are; with `per` also points, so much for each of a metric."""

    per: dict[str, Number] = {}
    bonuses: list[Bonus] = []


class AdjustmentSource(_Source, frozen=True, tag="adjustment"):
    """Marks from `adjustment` events: what officials add or take off."""


class PlacementsSource(_Source, frozen=True, tag="placements"):
    """Marks from the placements of results: `points` by position, plus `bonuses`, plus `per` times the line's values.

    `shared` says what a seat shared by several lines is worth to each of them. `award` names the metric of a line's values
    that, on the lines which carry it, is the points as officials awarded them, in place of what everything else would give.
    """

    points: list[Number] = []
    bonuses: list[Bonus] = []
    factors: list[Factor] = []
    per: dict[str, Number] = {}
    shared: Literal["each", "split", "none"] = "each"
    award: str | None = None


class TableSource(_Source, frozen=True, tag="table"):
    """Marks from the `score` of results between the two `sides` of a fixture, one for each side.

    A mark carries the points for its verdict (win, draw or loss), `scored` and `conceded` when these metrics are declared,
    and the attributes verdict, venue (home, away, or neutral when the fixture's attribute `neutral` is true) and opponent.
    With `best_of` the score of a match is the games that each side won of a series, which counts once it is decided: one
    side has more than half of so many games, or all of them are played. A name is the attribute that says how many.
    """

    win: Number = 3
    draw: Number = 1
    loss: Number = 0
    scored: str | None = None
    conceded: str | None = None
    best_of: int | str | None = None
    bonuses: list[Bonus] = []
    factors: list[Factor] = []


class Grade(_Table, frozen=True):
    """One way in which a pick is right, and what that is worth.

    choice: one of the pick's choices stands in the result's `outcome`. exact: the score is the one picked; difference: the
    difference of goals is; tendency: home win, draw or away win is (picked as a score, or as home, draw or away).
    probability: the pick is a number p from 0 to 1 for the `option` of the outcome, worth points - penalty * (p - r)**2
    where r is 1 if the option came true, else 0; it is won if it leant towards what came, and a draw at one half. While a
    result does not tell what a grade looks at, that grade does not hold; while it tells nothing of it, nothing is graded.
    """

    when: Literal["choice", "exact", "difference", "tendency", "probability"] = "choice"
    points: Number = 1
    outcome: str | None = None
    option: str | None = None
    penalty: Number = 0


class Stakes(_Table, frozen=True):
    """What a pick may stake; what it is worth, right or wrong, is multiplied by it. `unique = "round"`: confidence points,
    each number once a round; to exchange two, one of them moves to a third first. A pick without a stake stakes
    `default`."""

    min: Number = 1
    max: Number | None = None
    default: Number = 1
    unique: Literal["no", "round"] = "no"


class Lock(_Table, frozen=True):
    """Until when picks count: so many `minutes` before the fixture starts, or before the first fixture of its round does.

    A fixture's own `locks_at` goes first. Judged by recorded time: of a player's picks the last one recorded before the
    lock counts, and when the fixture moves, that before its new lock. Except where picks never lock, none is taken any more
    once a final result is known.
    """

    at: Literal["start", "round", "never"] = "start"
    minutes: int = 0


class PicksSource(_Source, frozen=True, tag="picks"):
    """Marks from `pick` events, once their fixture has a result: the points of its `grades`, and a verdict.

    `market` chooses the picks (absent: those without a market), and is the outcome that grades look at unless they name
    another (without a market: "winner"). `grading`: the first grade that holds, or the sum of all. `wrong` is what no grade
    holding is worth. `push`, `void` and `abandoned` say what such a result means: zero points (with the verdict push or
    void), nothing at all (hold), or a loss. `missing` is for players who took part before the lock and did not pick: nothing
    (hold), zero points with the verdict void (zero), a loss (lose), or the choice `default`; a contest without a final
    result excuses those who missed it, unless it is a loss for all. A player takes part from his first accepted pick on,
    whatever becomes of that pick later.
    Marks have the attributes of the contest, and market, choice, stake, verdict and missing.

    `guess` makes it a tie-break guess instead: `metric` gets the distance between the number picked and the outcome's
    number; `over` is the metric that gets 1 for a guess above it, else 0. absolute: only the distance matters; under: at
    equal distance a guess below wins, by ranking `over` behind the distance; not_over: a guess above has no distance, which
    ranks behind all (use `min` or `last`, since a sum of nothing is 0). Guesses have no verdict.
    """

    market: str | None = None
    grades: list[Grade] = []
    grading: Literal["first", "sum"] = "first"
    wrong: Number = 0
    stakes: Stakes | None = None
    lock: Lock = Lock()
    push: Policy = "zero"
    void: Policy = "hold"
    abandoned: Policy = "hold"
    missing: Literal["hold", "zero", "lose", "default"] = "hold"
    default: str | None = None
    guess: Literal["absolute", "under", "not_over"] | None = None
    over: str | None = None


Source = ScoreSource | AdjustmentSource | PlacementsSource | TableSource | PicksSource
DEFAULT_SOURCES: dict[str, Source] = {"score": ScoreSource(), "adjustment": AdjustmentSource()}


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


class Cap(_Table, frozen=True):
    """At most so much of a sum per local day, week, month or round, from the marks that meet `where`.

    A mark falls under the first cap whose `where` it meets.
    """

    most: Number
    per: Literal["day", "week", "month", "round"] = "day"
    where: Where = {}


Op = Literal[
    "sum",
    "max",
    "min",
    "last",
    "first",
    "count",
    "average",
    "difference",
    "ratio",
    "streak",
    "longest_streak",
    "form",
    "distinct",
    "attempts",
]


class Metric(_Table, frozen=True):
    """A number of a board: `op` over the metric `of` of the marks that count and meet `where`. Marks of placements have the
    metric `position`, undeclared.

    `over = "all"` looks at every mark, also at those that `keep` drops. sum takes `caps`. average is the mean over the
    marks that have the metric, adjustments added before dividing. difference and ratio are made of two metrics of the same
    board, `of` and `by`. average and ratio have `scale` digits (6 unless said), rounded half up. A positive number divided
    by zero is more than any number, zero or less divided by zero is nothing and ranks last; either shows
    as null. streak (the present one) and longest_streak count
    marks in contest order: one that meets `hold` changes nothing, else one that meets `where` adds, any other starts anew;
    `per = "day"` counts local days with such a mark, `per = "round"` numbered rounds; one without any mark starts anew too,
    or changes nothing with `absence = "hold"`. A day without marks shows when it is over, a round without marks when the
    player's next mark comes. form is the last `n` verdicts in letters (W, D, L, P, V), the latest last. distinct counts the
    values of the attribute `group`. attempts adds, for every value of `group`, `of` of the first mark that meets `where`, and
    `each` for every mark before it that meets `tries`; `across = "max"` takes the greatest of these numbers instead of their
    sum.
    """

    op: Op
    of: str | None = None
    by: str | None = None
    where: Where = {}
    over: Literal["kept", "all"] = "kept"
    scale: int | None = None
    caps: list[Cap] = []
    hold: Where | None = None
    per: Literal["mark", "round", "day"] = "mark"
    absence: Literal["reset", "hold"] = "reset"
    n: int = 5
    group: str | None = None
    tries: Where = {}
    each: Number = 0
    across: Literal["sum", "max"] = "sum"


class TieBreak(_Table, frozen=True):
    """A criterion with settings; exactly one of its kinds.

    countback = "position": more first places, then more second places, and so on down to `places`, among the marks that
    meet `where`; dropped marks count too. head_to_head: the board's metrics that it lists, over the marks between those
    who are level on everything before it (whose attribute `opponent` names another of them); in a ranking of more than
    1,000 it decides nothing. lot: a draw by this recorded seed, the last criterion.
    """

    countback: str | None = None
    where: Where = {}
    places: int = 40
    head_to_head: list[str] = []
    lot: int | None = None


RankBy = str | TieBreak
"""`"points desc"`, `"time asc"`, `"reached"` or a tie-break table."""


class Season(_Table, frozen=True):
    """A named stretch of local days: `first` and `last` (both included), as 2026-02-08."""

    id: str
    first: str
    last: str


class Tier(_Table, frozen=True):
    """A class of ranked players: the first `top`, the first `percent` of them, or those whose metrics meet `where`.

    A player belongs to the first tier that fits. Who shares a rank shares the tier. So many per cent are rounded up to whole
    players, so the best one always is among them.
    """

    name: str
    top: int | None = None
    percent: Number | None = None
    where: dict[str, Range] = {}


class Badge(_Table, frozen=True):
    """Awarded once in each period, when the board's metrics first meet `where`; recorded with the position of the event.

    It stays, whatever corrections follow.
    """

    where: dict[str, Range]
    title: str | None = None


class Board(_Table, frozen=True):
    """A ranking: marks selected, aggregated per player and ordered.

    `segments` makes copies restricted to one value of an attribute, of the mark or of the player's profile. `windows` are
    copies over the last so many local days, today included. `movement` says against what rank changes are shown: the end
    of the round, day, week or month before the present one. With `access = "private"` it is shown only to holders of a key
    that may read.
    """

    rank_by: list[RankBy]
    title: str | None = None
    sources: list[str] | None = None
    where: Where = {}
    keep: Keep = Keep()
    metrics: dict[str, Metric] = {}
    ranks: RankStyle = "competition"
    periods: list[PeriodKind] = msgspec.field(default_factory=lambda: ["all"])
    qualify: dict[str, Range] = {}
    segments: dict[str, Literal["mark", "player"]] = {}
    windows: list[int] = []
    movement: Literal["none", "round", "daily", "weekly", "monthly"] = "none"
    tiers: list[Tier] = []
    badges: dict[str, Badge] = {}
    access: Literal["public", "private"] = "public"


class Ruleset(_Table, frozen=True):
    """The rules of one game. `erased` says whether the ranks of erased players stand, without a name, or close up.

    A `spread` game lives on all shards, by player, and not on one: for more events than one consumer can fold. Its boards
    order players by their own marks alone. It is spread from its first rules on, or never.
    """

    game: str
    boards: dict[str, Board]
    title: str | None = None
    time_zone: str = "UTC"
    week_starts: Weekday = "monday"
    metrics: dict[str, MetricType] = {}
    sources: dict[str, Source] = msgspec.field(default_factory=lambda: dict(DEFAULT_SOURCES))
    seasons: list[Season] = []
    erased: Literal["stand", "close"] = "stand"
    spread: bool = False


def rank_item(item: str) -> tuple[str, bool]:
    """(metric, descending) of a rank_by string such as "points", "time asc" or "reached"."""
    name, _, direction = item.partition(" ")
    return name, direction != "asc" and name != "reached"
