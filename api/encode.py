"""What reads answer: the structs, and how places become them. A metric's JSON type never varies.

`position` comes first in every answer, so that the rest of a page can be kept as bytes while the position moves on.
"""

from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import cast

import msgspec

from api.badges import Badges
from api.lines import friends_json, lines_json
from api.movement import STILL, Moves
from api.names import Names
from api.params import cursor_of
from api.progress import RankLine
from api.view import Past, View
from engine.boards import BoardPlan
from engine.places import Entry, Place, Window, ahead_of
from projections.history import HistoryRow

Metrics = dict[str, int | str | None]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_encode = msgspec.json.Encoder().encode


class Line(msgspec.Struct, frozen=True, gc=False):
    """An entry of a board. `tied`: others have the same sort key. `name` is there for who has one."""

    rank: int
    player: str
    metrics: Metrics
    tied: bool
    name: str | msgspec.UnsetType = msgspec.UNSET


class MarkedLine(Line, frozen=True, gc=False):
    """An entry of a board that has tiers or movement, or of whoever has a name.

    `movement` says how many ranks were gained (or, negative, lost) against the ranking before the present round or
    stretch of time; null for who was not ranked there.
    """

    tier: str | msgspec.UnsetType | None = msgspec.UNSET
    movement: int | msgspec.UnsetType | None = msgspec.UNSET


class Page(msgspec.Struct, frozen=True):
    """A stretch of a board; `next` and `previous` are cursors for `after` and `before`. The position comes in front.

    Of a search, `matches` counts the players found, and `complete` is false where there may be more than were looked at.
    """

    game: str
    board: str
    title: str
    period: str
    ranks: str
    total: int
    entries: list[Line]
    next: str | None
    previous: str | None
    segment: str | msgspec.UnsetType = msgspec.UNSET
    q: str | msgspec.UnsetType = msgspec.UNSET
    matches: int | msgspec.UnsetType = msgspec.UNSET
    complete: bool | msgspec.UnsetType = msgspec.UNSET
    known_at: str | msgspec.UnsetType = msgspec.UNSET
    frozen: datetime | msgspec.UnsetType = msgspec.UNSET
    final: bool | msgspec.UnsetType = msgspec.UNSET
    effective_at: str | msgspec.UnsetType = msgspec.UNSET


class PlayerPlace(msgspec.Struct, frozen=True, gc=False):
    """A player's place. `ordinal` counts from 1 and tells even the tied apart; `tied` counts who shares the sort key.

    `top_percent`: the smallest top x % that he belongs to. `percentile`: the share of players that is not ahead of him.
    `next` and `previous` are there with `around`: cursors for pages of the board behind and in front of those.
    `hidden` is there, and true, for who is shown to nobody else: the place is the one that he would have. `badges` are there
    on boards with badges, and null when they could not be looked up.
    """

    position: str
    game: str
    board: str
    period: str
    player: str
    rank: int
    ordinal: int
    tied: int
    total: int
    top_percent: float
    percentile: float
    metrics: Metrics
    around: list[Line]
    tier: str | msgspec.UnsetType | None = msgspec.UNSET
    segment: str | msgspec.UnsetType = msgspec.UNSET
    name: str | msgspec.UnsetType = msgspec.UNSET
    hidden: bool | msgspec.UnsetType = msgspec.UNSET
    movement: int | msgspec.UnsetType | None = msgspec.UNSET
    badges: Badges = msgspec.UNSET
    next: str | msgspec.UnsetType | None = msgspec.UNSET
    previous: str | msgspec.UnsetType | None = msgspec.UNSET
    known_at: str | msgspec.UnsetType = msgspec.UNSET
    frozen: datetime | msgspec.UnsetType = msgspec.UNSET
    final: bool | msgspec.UnsetType = msgspec.UNSET
    effective_at: str | msgspec.UnsetType = msgspec.UNSET


class FriendPlace(msgspec.Struct, frozen=True):
    """One of several players: his place in the board, and his rank among those asked for."""

    player: str
    rank: int
    ordinal: int
    tied: int
    rank_among: int
    metrics: Metrics
    tier: str | msgspec.UnsetType | None = msgspec.UNSET
    name: str | msgspec.UnsetType = msgspec.UNSET
    movement: int | msgspec.UnsetType | None = msgspec.UNSET


class FriendPlaces(msgspec.Struct, frozen=True):
    """Several players' places, best first; `missing` are those who are not ranked."""

    position: str
    game: str
    board: str
    period: str
    ranks: str
    total: int
    players: list[FriendPlace]
    missing: list[str]
    segment: str | msgspec.UnsetType = msgspec.UNSET
    known_at: str | msgspec.UnsetType = msgspec.UNSET
    frozen: datetime | msgspec.UnsetType = msgspec.UNSET
    final: bool | msgspec.UnsetType = msgspec.UNSET
    effective_at: str | msgspec.UnsetType = msgspec.UNSET


class HistoryLine(msgspec.Struct, frozen=True, rename={"from_at": "from", "to_at": "to"}):
    """What was shown of a player from `from` until `to` (null: it still is), brought about at `position`.

    `hidden` is there, and true, while he was shown to nobody else.
    """

    from_at: datetime
    to_at: datetime | None
    position: str
    ranked: bool
    metrics: Metrics
    hidden: bool | msgspec.UnsetType = msgspec.UNSET


class History(msgspec.Struct, frozen=True):
    """The places that a player has held in a board, newest first."""

    position: str
    game: str
    board: str
    period: str
    player: str
    history: list[HistoryLine]
    segment: str | msgspec.UnsetType = msgspec.UNSET
    known_at: str | msgspec.UnsetType = msgspec.UNSET
    frozen: datetime | msgspec.UnsetType = msgspec.UNSET
    final: bool | msgspec.UnsetType = msgspec.UNSET
    ranks: list[RankLine] | msgspec.UnsetType = msgspec.UNSET


def shown_lines(plan: BoardPlan, window: Window | None, names: Names, moves: Moves = STILL) -> list[Line]:
    """A window's entries as they are shown, for the field of an answer; as JSON already where that is the shorter way."""
    if window is None:
        return []
    if plan.tiers is not None or moves.ranks is not None:
        return lines_of(plan, window, names, moves)
    return cast("list[Line]", msgspec.Raw(lines_json(plan, window, names)))


def lines_of(plan: BoardPlan, window: Window, names: Names, moves: Moves = STILL) -> list[Line]:
    """The same, always as structs."""
    decode = plan.decode
    if plan.tiers is not None or names or moves.ranks is not None:
        return [_marked(plan, entry, window.total, names, moves) for entry in window.entries]
    return [Line(entry.rank, entry.player, decode(entry.prefix, entry.extra), entry.tied) for entry in window.entries]


def _marked(plan: BoardPlan, entry: Entry, total: int, names: Names, moves: Moves) -> Line:
    metrics, name = plan.decode(entry.prefix, entry.extra), names.get(entry.player, msgspec.UNSET)
    tier = tier_of(plan, entry, total)
    return MarkedLine(entry.rank, entry.player, metrics, entry.tied, name, tier, moves.of(entry))


def tier_of(plan: BoardPlan, place: Entry | Place, total: int) -> str | msgspec.UnsetType | None:
    """The tier of a place, unset on boards without tiers."""
    return msgspec.UNSET if plan.tiers is None else plan.tiers.of(place, total)


def page_bytes(view: View, window: Window, names: Names, moves: Moves = STILL) -> bytes:
    """A page as JSON, all but its position."""
    info, plan, period, _, segment, past, *_ = view
    page = Page(
        info.name,
        plan.name,
        plan.title,
        period,
        plan.style,
        window.total,
        shown_lines(plan, window, names, moves),
        *_cursors(window),
        segment or msgspec.UNSET,
        known_at=known_at(past),
        frozen=frozen(past),
        final=final(past),
        effective_at=effective_at(past),
    )
    return _encode(page)


def known_at(past: Past | None) -> str | msgspec.UnsetType:
    """The time or position that was asked for."""
    return msgspec.UNSET if past is None else past.known_at or msgspec.UNSET


def effective_at(past: Past | None) -> str | msgspec.UnsetType:
    """The time or position that was asked for as it truly was."""
    return msgspec.UNSET if past is None else past.effective_at or msgspec.UNSET


def frozen(past: Past | None) -> datetime | msgspec.UnsetType:
    """Since when the board is frozen, if it is."""
    if past is None or past.frozen_ms is None:
        return msgspec.UNSET
    return _EPOCH + timedelta(milliseconds=past.frozen_ms)


def final(past: Past | None) -> bool | msgspec.UnsetType:
    """Whether the period is closed; absent where it is not."""
    return (past is not None and past.final) or msgspec.UNSET


def with_position(position: str, rest: bytes) -> bytes:
    """A JSON object with its position in front."""
    return b'{"position":"' + position.encode() + b'",' + rest[1:]


def place_bytes(
    view: View, position: str, place: Place, names: Names, moves: Moves = STILL, badges: Badges = msgspec.UNSET
) -> bytes:
    """A player's place as JSON."""
    info, plan, period, _, segment, past, *_ = view
    return _encode(
        PlayerPlace(
            position,
            info.name,
            plan.name,
            period,
            place.player,
            place.rank,
            place.ordinal + 1,
            place.tied,
            place.total,
            *percentages(plan.style, place),
            plan.decode(place.prefix, place.extra),
            shown_lines(plan, place.around, names, moves),
            tier_of(plan, place, place.total),
            segment or msgspec.UNSET,
            names.get(place.player, msgspec.UNSET),
            place.hidden or msgspec.UNSET,
            moves.of(place),
            badges,
            *_cursors_around(place),
            known_at(past),
            frozen(past),
            final(past),
            effective_at(past),
        )
    )


def _cursors(window: Window) -> tuple[str | None, str | None]:
    """What `after` takes for the entries behind a window, and `before` for those in front of it; None where none are."""
    members = window.members
    if not members:
        return None, None
    more = window.first + len(members) < window.total
    return cursor_of(members[-1]) if more else None, cursor_of(members[0]) if window.first > 0 else None


def _cursors_around(place: Place) -> tuple[str | msgspec.UnsetType | None, str | msgspec.UnsetType | None]:
    return (msgspec.UNSET, msgspec.UNSET) if place.around is None else _cursors(place.around)


def percentages(style: str, place: Place) -> tuple[float, float]:
    """(the smallest top x % that he belongs to, the share of players that is not ahead of him)."""
    ahead, total = ahead_of(style, place), place.total
    return _percentage(ahead + 1, total), _percentage(total - ahead, total)


def _percentage(part: int, whole: int) -> float:
    """With four digits behind the point. In whole numbers, since to round a float takes thrice as long."""
    return (2_000_000 * part + whole) // (2 * whole) / 10_000


def friends_bytes(
    view: View, position: str, total: int, places: list[Place], missing: list[str], names: Names, moves: Moves = STILL
) -> bytes:
    """Several players' places as JSON."""
    info, plan, period, _, segment, past, *_ = view
    places = sorted(places, key=attrgetter("ordinal"))
    ranks = ranks_among(plan.style, [place.prefix for place in places])
    if plan.tiers is None and moves.ranks is None:
        friends = cast("list[FriendPlace]", msgspec.Raw(friends_json(plan, places, ranks, names)))
    else:
        friends = friends_of(plan, places, ranks, total, names, moves)
    return _encode(
        FriendPlaces(
            position,
            info.name,
            plan.name,
            period,
            plan.style,
            total,
            friends,
            missing,
            segment or msgspec.UNSET,
            known_at(past),
            frozen(past),
            final(past),
            effective_at(past),
        )
    )


def friends_of(
    plan: BoardPlan, places: list[Place], ranks: list[int], total: int, names: Names, moves: Moves = STILL
) -> list[FriendPlace]:
    """Several players' places, and their ranks among themselves, as structs."""
    return [
        FriendPlace(
            place.player,
            place.rank,
            place.ordinal + 1,
            place.tied,
            rank,
            plan.decode(place.prefix, place.extra),
            tier_of(plan, place, total),
            names.get(place.player, msgspec.UNSET),
            moves.of(place),
        )
        for place, rank in zip(places, ranks, strict=True)
    ]


def ranks_among(style: str, prefixes: list[bytes]) -> list[int]:
    """Ranks by a style from sort keys in their order: among a few, where all are at hand."""
    ranks: list[int] = []
    start, dense = 0, 0
    for at, prefix in enumerate(prefixes):
        if at and prefix != prefixes[at - 1]:
            start, dense = at, dense + 1
        if style == "ordinal":
            ranks.append(at + 1)
        elif style == "dense":
            ranks.append(dense + 1)
        elif style == "modified":
            end = at
            while end + 1 < len(prefixes) and prefixes[end + 1] == prefix:
                end += 1
            ranks.append(end + 1)
        else:
            ranks.append(start + 1)
    return ranks


def history_bytes(
    view: View, position: str, player: str, rows: list[HistoryRow], ranks: list[RankLine] | None = None
) -> bytes:
    """A player's history as JSON."""
    lines = [
        HistoryLine(row.from_at, row.to_at, str(row.position), row.ranked, row.metrics, row.hidden or msgspec.UNSET)
        for row in rows
    ]
    info, plan, period, _, segment, past, *_ = view
    seen = known_at(past), frozen(past), final(past)
    moves = msgspec.UNSET if ranks is None else ranks
    named = segment or msgspec.UNSET
    return _encode(History(position, info.name, plan.name, period, player, lines, named, *seen, moves))
