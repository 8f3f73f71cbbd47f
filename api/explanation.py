"""An explanation as it is answered: the marks behind a player's metrics, what each gives, and who is next to him."""

from datetime import datetime
from typing import Any

import msgspec

from api.encode import Metrics
from api.rejections import Rejected
from engine.compare import Value
from schemas.events import Round


class MetricLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """A metric and how the parts make it: the sum, max, min, last or first of what the marks give, and adjustments added;
    average: their sum by how many there are; form: their letters in a row. What the marks give to a streak, to distinct
    groups and to attempts is by how much the number changed with them, so it adds up. A difference or ratio is made of the
    metrics `of` and `by`. `lapsed` is there for a streak that ended because time went on: what it had come to.
    """

    metric: str
    op: str
    value: int | str | None
    of: str | None = None
    by: str | None = None
    lapsed: int | str | None = None


class RevisionLine(msgspec.Struct, frozen=True):
    """A result of a fixture. `holds` is true for the one that counts; the others were replaced, or are void."""

    event: str
    revision: int
    position: str
    status: str
    holds: bool
    void: bool


class MarkLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """A mark: `number` counts from 1 in contest order. It comes from an `event`, or from the results of a `fixture`.

    `counts` is false where the board's `keep` drops it. `gives` are the metrics that it has a part in, `running` the
    first metric that the board ranks by, made of the marks up to this one.
    """

    number: int
    occurred_at: datetime
    values: Metrics
    counts: bool
    gives: Metrics
    running: int | str | None
    event: str | msgspec.UnsetType = msgspec.UNSET
    fixture: str | msgspec.UnsetType = msgspec.UNSET
    position: str | None = None
    round: Round | None = None
    verdict: str | None = None
    attributes: dict[str, Any] | None = None
    adjusts: bool = False
    reason: str | None = None
    results: list[RevisionLine] = []
    picks: list[str] = []


class RestLine(msgspec.Struct, frozen=True):
    """Marks that are not listed one by one: what they give together, what adjustments among them add, and of how many of
    them an average is."""

    marks: int
    gives: Metrics
    adjustments: Metrics
    averaged: dict[str, int]


class VoidLine(msgspec.Struct, frozen=True):
    """An event of the player that does not count any more, and by which event and why, where the archive tells."""

    event: str
    type: str
    position: str
    voided_by: str | None
    reason: str | None
    values: Metrics


class CriterionLine(msgspec.Struct, frozen=True):
    """What the player has on one criterion of the board: the tuple that decides ties. `value` is null for a lot, and for
    when the criteria before were reached, which `reached_at` tells."""

    criterion: str
    value: Value | list[Value]
    reached_at: datetime | msgspec.UnsetType = msgspec.UNSET


class NeighbourLine(msgspec.Struct, frozen=True):
    """Who stands next to him, and how he stands to that one: on what they are level, and what decides."""

    player: str
    rank: int
    metrics: Metrics
    level_on: list[str]
    decides: str | None
    words: str


class Explanation(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The marks behind a player's metrics, in contest order, and those `older` and `newer` summed up; together they make
    every metric. `complete` is false where the archive does not tell all: of an entrant such as a team on a board that does
    not keep its marks. `next` is for `after`: the marks before these. `rank` is null for who does not qualify. `rejections`
    are there for who may read them.
    """

    position: str
    game: str
    board: str
    period: str
    player: str
    ruleset_version: int
    rank: int | None
    tied: int | None
    total: int | None
    keep: str
    metrics: list[MetricLine]
    complete: bool
    marks: int
    older: RestLine | None
    parts: list[MarkLine]
    newer: RestLine | None
    next: str | None
    criteria: list[CriterionLine]
    ahead: NeighbourLine | None
    behind: NeighbourLine | None
    voided: list[VoidLine]
    rejections: list[Rejected] | msgspec.UnsetType = msgspec.UNSET
    segment: str | msgspec.UnsetType = msgspec.UNSET
    hidden: bool | msgspec.UnsetType = msgspec.UNSET
    known_at: str | msgspec.UnsetType = msgspec.UNSET
    frozen: datetime | msgspec.UnsetType = msgspec.UNSET
    final: bool | msgspec.UnsetType = msgspec.UNSET
    effective_at: str | msgspec.UnsetType = msgspec.UNSET
