"""Why a player's metrics on a board are what they are: the marks behind them, what each gives, and who is next to him."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec
from aiohttp import web

from api.access import HOLDER, official
from api.effective import Effective
from api.encode import Metrics, effective_at, final, frozen, known_at
from api.explanation import (
    CriterionLine,
    Explanation,
    MarkLine,
    MetricLine,
    NeighbourLine,
    RestLine,
    RevisionLine,
    VoidLine,
)
from api.freshness import Shown
from api.params import (
    PAGE_MAX,
    effective_of,
    instant_of,
    name_of,
    number_of,
    parameters,
    player_of,
    target,
    vector_of,
)
from api.rejections import Rejected, rejected
from api.response import Ready, read_response
from api.view import Past, View, Wanted
from api.views import Views
from engine.boards import BoardPlan
from engine.compare import compare, tuple_of
from engine.explain import Part, Rest, Share, told_by_himself
from engine.marks import scale_values
from engine.metrics import MetricPlan
from engine.numbers import unscaled
from engine.places import Lookup, Place
from projections.behind import own
from projections.explain import Asked, Row, Settled, Voided, explained_row, explained_then, has_row
from projections.rejections import rejections
from schemas.errors import NotFound
from schemas.events import Adjustment, Pick
from schemas.language import MetricType, Ruleset
from schemas.position import Position

MARKS_DEFAULT = 100
NUMBER_MAX = 999_999_999
REJECTIONS_MAX = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Explaining:
    """The handler. Marks and metrics are of one snapshot of the database; rank and neighbours of the ranking as it is shown.
    Of the past all of it is as of one instant."""

    def __init__(self, views: Views, pool: asyncpg.Pool, effective: Effective) -> None:
        self._views = views
        self._pool = pool
        self._effective = effective

    async def explain(self, request: web.Request) -> Ready:
        """GET /v1/games/{game}/boards/{board}/players/{player}/explain"""
        (_, _, _, game, _, board, _, who, _), query = target(request)
        given = parameters(
            query, "period", "segment", "limit", "after", "min_position", "view", "known_at", "effective_at"
        )
        limit = number_of(given, "limit", MARKS_DEFAULT, 1, PAGE_MAX)
        before = number_of(given, "after", 0, 1, NUMBER_MAX) - 1 if "after" in given else None
        names = name_of(game, "game"), name_of(board, "board")
        player = player_of(who)
        seen = official(request, names[0], given.get("view"))
        wanted = Wanted(names[1], given.get("period"), given.get("segment"))
        instants = instant_of(given), effective_of(given)
        view, shown = await self._effective.look(names[0], wanted, vector_of(given), instants, official=seen)
        own = view.of(player)
        if own.ranking_id is None:
            raise NotFound("player", player)
        info, table = own.info, (view.plan.name, view.period, view.segment)
        home = "" if view.plan.copies(view.segment) else view.segment
        asked = Asked(info.game_id, info.generation_id, own.ranking_id, table, home, player, before, limit)
        row = await explained_row(self._pool, info.game, asked) if own.past is None else None
        answer = await self._views.ask(view, shown, [Lookup("player", player, 1)])
        place = answer.found[0]
        if own.past is not None:
            row = await self._row_then(own, own.past, asked, place)
        if row is None:
            raise NotFound("player", player)
        lines: list[Rejected] | msgspec.UnsetType = msgspec.UNSET
        if (holder := request.get(HOLDER)) is None or holder.may("read", info.name):
            bounds = [_known_before(own.past)]
            if not seen:
                # What a frozen board does not show another one does not tell either.
                bounds.append(self._views.told_before(own.named, shown.of(info.part)))
            bound = min((each for each in bounds if each is not None), default=None)
            found = await rejections(self._pool, info.generation_id, player, bound, REJECTIONS_MAX)
            lines = [rejected(line) for line in found]
        return read_response(request, _page(view, shown, player, row, place, lines))

    async def _row_then(self, view: View, past: Past, asked: Asked, place: object) -> Row | None:
        """His row as of an instant."""
        info, ranked = view.info, place if isinstance(place, Place) else None
        if ranked is None and past.truth is None and not await has_row(self._pool, asked):
            return None
        if past.final and past.truth is None and past.known_at is None:
            # Nothing may have happened to it since it was closed.
            row = await explained_row(self._pool, info.game, asked._replace(version=past.version))
            if row is not None:
                return row
        if past.truth is None and told_by_himself(info.game, view.plan):
            then = await own(self._pool, info.game, info.game_id, asked.player, past.position)
        else:
            then = (await self._effective.behind(info, past)).behind
        held = None if ranked is None else (ranked.prefix, ranked.extra)
        return await explained_then(self._pool, info.game, asked, then, held)


def _page(
    view: View,
    shown: Shown,
    player: str,
    row: Row,
    place: object,
    rejections: list[Rejected] | msgspec.UnsetType,
) -> Explanation:
    plan, found = view.plan, row.explained
    ranked = place if isinstance(place, Place) and row.prefix is not None else None
    ahead, behind = (None, None) if ranked is None else _neighbours(plan, row, ranked)
    parts = found.parts
    return Explanation(
        position=shown.text,
        game=view.info.name,
        board=plan.name,
        period=view.period,
        player=player,
        ruleset_version=view.info.ruleset_version,
        rank=None if ranked is None else ranked.rank,
        tied=None if ranked is None else ranked.tied,
        total=None if ranked is None else ranked.total,
        keep=_keep(plan),
        metrics=_metrics(plan, row),
        complete=row.prefix is None or plan.values(row.prefix, row.extra) == found.values,
        marks=found.marks,
        older=_rest(view, found.older),
        parts=[_mark(view, row, part) for part in parts],
        newer=_rest(view, found.newer),
        next=str(parts[0].number + 1) if parts and parts[0].number else None,
        criteria=[] if row.prefix is None else _criteria(plan, row.prefix),
        ahead=ahead,
        behind=behind,
        voided=[_voided(view, line) for line in row.voided],
        rejections=rejections,
        segment=view.segment or msgspec.UNSET,
        hidden=(ranked is not None and ranked.hidden) or msgspec.UNSET,
        known_at=known_at(view.past),
        frozen=frozen(view.past),
        final=final(view.past),
        effective_at=effective_at(view.past),
    )


def _known_before(past: Past | None) -> Position | None:
    """Before where in the log everything is that may be told; None for all that there is."""
    if past is None or (past.frozen_ms is None and past.known_at is None):
        return None
    return past.position._replace(seq=past.position.seq + 1)


def _metrics(plan: BoardPlan, row: Row) -> list[MetricLine]:
    """The metrics as they are displayed; of who does not qualify as they would be."""
    values = row.explained.values if row.prefix is None else plan.values(row.prefix, row.extra)
    lapsed = row.explained.lapsed
    made = [plan.board.metrics[metric.name] for metric in plan.metrics]
    return [
        MetricLine(metric.name, metric.op, metric.shown(value), of.of, of.by, metric.shown(lapsed.get(at)))
        for at, (metric, value, of) in enumerate(zip(plan.metrics, values, made, strict=True))
    ]


def _keep(plan: BoardPlan) -> str:
    """Which marks count, in words."""
    keep = plan.board.keep
    unit = "round" if keep.per == "round" else "mark"
    few = unit if keep.n == 1 and not keep.spans else f"{unit}s" if keep.spans else f"{keep.n} {unit}s"
    words = f"all {unit}s" if keep.mode == "all" else f"the {keep.mode} {few}"
    by = f" by {keep.by}" if keep.by is not None else ""
    spans = "".join(
        f", {'all' if span.n is None else span.n} of {span.first} to {'the last' if span.last is None else span.last}"
        for span in keep.spans
    )
    return words + by + (f", {keep.marks} of each" if keep.marks is not None else "") + spans


def _mark(view: View, row: Row, part: Part) -> MarkLine:
    mark, plan, rules = part.mark, view.plan, view.info.game.rules
    settled = row.contests.get(mark.origin) if not (mark.ms or mark.seq) else None
    of_event = bool(mark.ms or mark.seq)
    said = row.said.get(mark.origin) if of_event else None
    attributes = dict(mark.attributes or {})
    verdict = attributes.pop("verdict", None)
    running = next((at for kind, at in plan.order if kind in ("asc", "desc")), None)
    return MarkLine(
        part.number + 1,
        _EPOCH + timedelta(milliseconds=mark.occurred_ms),
        _values(rules, mark.values),
        part.counts,
        _given(view, ((metric, share.all) for metric, share in zip(plan.metrics, part.shares, strict=True))),
        None if running is None else plan.metrics[running].shown(part.running[running]),
        mark.origin if of_event else msgspec.UNSET,
        msgspec.UNSET if of_event else mark.origin,
        str(said[0]) if said is not None else None,
        mark.round,
        verdict,
        attributes or None,
        mark.adjusts,
        _reason(said[1] if said is not None else None, settled),
        [] if settled is None else _revisions(settled),
        [] if settled is None else settled.picks,
    )


def _reason(event: object, settled: Settled | None) -> str | None:
    if isinstance(event, Adjustment):
        return event.reason
    result = settled.contest.result if settled is not None else None
    return None if result is None else result.reason


def _revisions(settled: Settled) -> list[RevisionLine]:
    result = settled.contest.result
    holds = None if result is None else result.id
    return [
        RevisionLine(
            each.result.id,
            each.result.revision,
            str(each.position),
            each.result.status,
            holds == each.result.id,
            each.void,
        )
        for each in settled.revisions
    ]


def _rest(view: View, rest: Rest) -> RestLine | None:
    if not rest.marks:
        return None
    shares: list[tuple[MetricPlan, Share]] = list(zip(view.plan.metrics, rest.shares, strict=True))
    return RestLine(
        rest.marks,
        _given(view, ((metric, share.plain) for metric, share in shares)),
        _given(view, ((metric, share.added if share.adjustments else None) for metric, share in shares)),
        {metric.name: share.of for metric, share in shares if metric.op == "average" and share.of},
    )


def _given(view: View, values: Iterable[tuple[MetricPlan, int | None]]) -> Metrics:
    """What is given to metrics, as JSON shows it: to an average in the unit of what it is an average of."""
    declared = view.info.game.rules.metrics
    return {
        metric.name: _number(value, declared.get(metric.of)) if metric.op == "average" else metric.shown(value)
        for metric, value in values
        if value is not None
    }


def _values(rules: Ruleset, values: dict[str, int]) -> Metrics:
    return {name: _number(value, rules.metrics.get(name)) for name, value in values.items()}


def _number(value: int, metric: MetricType | None) -> int | str:
    plain = metric is None or (metric.scale == 0 and not metric.big)
    return value if plain or metric is None else unscaled(value, metric.scale)


def _criteria(plan: BoardPlan, prefix: bytes) -> list[CriterionLine]:
    lines = []
    for (kind, _), (name, value) in zip(plan.order, tuple_of(plan, prefix), strict=True):
        if kind == "reached":
            moment = _EPOCH + timedelta(milliseconds=value) if isinstance(value, int) else msgspec.UNSET
            lines.append(CriterionLine(name, None, moment))
        else:
            lines.append(CriterionLine(name, value))
    return lines


def _neighbours(plan: BoardPlan, row: Row, place: Place) -> tuple[NeighbourLine | None, NeighbourLine | None]:
    """Who is next to him, before and behind."""
    assert row.prefix is not None
    mine = (row.prefix, place.player)
    found: list[NeighbourLine | None] = [None, None]
    for entry in place.around.entries if place.around is not None else ():
        if entry.player == place.player:
            continue
        side = int((entry.prefix, entry.player) > mine)
        if side and found[side] is not None:
            continue
        level_on, decides, words = compare(plan, row.prefix, entry.prefix)
        metrics = plan.decode(entry.prefix, entry.extra)
        found[side] = NeighbourLine(entry.player, entry.rank, metrics, level_on, decides, words)
    return found[0], found[1]


def _voided(view: View, line: Voided) -> VoidLine:
    event, rules = line.event, view.info.game.rules
    given = {} if isinstance(event, Pick) else scale_values(event.values, rules.metrics)
    return VoidLine(
        event.id,
        type(event).__name__.lower(),
        str(line.position),
        None if line.by is None else line.by.id,
        None if line.by is None else line.by.reason,
        _values(rules, given),
    )
