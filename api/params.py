"""Reads what a URL says: path segments, query parameters, cursors. Whatever is wrong is refused by name and rule."""

import base64
import binascii
import functools
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

from aiohttp import web

from api.problems import invalid
from engine.keys import split
from schemas.checks import ID_RULE, good_id, good_name
from schemas.codec import epoch_ms
from schemas.errors import NotFound
from schemas.position import Position, Vector

PAGE_DEFAULT = 50
PAGE_MAX = 1_000
AROUND_MAX = 50
HISTORY_DEFAULT = 100
SEARCH_CHARS_MAX = 64
LIVE_DEFAULT = 10
LIVE_MAX = 100
CURSOR_CHARS_MAX = 12_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PAGE = (
    "period",
    "segment",
    "limit",
    "after",
    "before",
    "min_position",
    "q",
    "known_at",
    "effective_at",
    "view",
    "generation",
)
_LIVE = ("period", "segment", "last_event_id", "view")


class Target(NamedTuple):
    """A request's path, split at its slashes and still percent-encoded, and its query."""

    parts: list[str]
    query: str


class Instant(NamedTuple):
    """A time or a position of the past, and how it was written; of a spread game the positions of its parts."""

    text: str
    when: datetime | Position | Vector

    @property
    def ms(self) -> int:
        """Epoch milliseconds."""
        if isinstance(self.when, datetime):
            return epoch_ms(self.when)
        return max(position.ms for position in self.when) if isinstance(self.when, Vector) else self.when.ms

    def each(self, parts: int, name: str = "known_at") -> "list[Instant]":
        """The same for each part of a game."""
        if isinstance(self.when, datetime):
            return [self] * parts
        positions = self.when if isinstance(self.when, Vector) else Vector((self.when,))
        if parts == 1 < len(positions):
            raise invalid(name, "one position: this game is not spread over several shards")
        if parts > 1 and [position.shard for position in positions] != list(range(parts)):
            raise invalid(name, f"a time, or {parts} positions: of a spread game one of each of its shards")
        return [Instant(self.text, position) for position in positions]


class PageQuery(NamedTuple):
    """Which page of a board: the first, or the one behind or in front of a member; with `q`, of those who match."""

    period: str | None
    segment: str | None
    limit: int
    after: bytes | None
    before: bytes | None
    min_position: Vector | None
    q: str | None = None
    known_at: Instant | None = None
    view: str | None = None
    generation: int | None = None
    effective_at: Instant | None = None


class PlaceQuery(NamedTuple):
    """Which place of a player, or of several; `number` is how many entries around it, or how many rows."""

    period: str | None
    segment: str | None
    number: int
    min_position: Vector | None
    known_at: Instant | None = None
    view: str | None = None
    generation: int | None = None
    by: str | None = None
    effective_at: Instant | None = None


class LiveQuery(NamedTuple):
    """What to follow: `players`, or the first `top` entries. `alone`: one player's own stream."""

    period: str | None
    segment: str | None
    players: tuple[str, ...]
    top: int
    last_id: str | None
    alone: bool
    view: str | None = None


TARGET = web.RequestKey("target", Target)


def target(request: web.BaseRequest) -> Target:
    """The raw path and query: an encoded slash is part of a segment, so nothing is decoded before the split."""
    known = request.get(TARGET)
    if known is None:
        known = request[TARGET] = _target(request)
    return known


def _target(request: web.BaseRequest) -> Target:
    raw = request.raw_path
    if not raw.startswith("/"):
        raw = request.rel_url.raw_path_qs  # a whole URL, as sent to proxies
    path, _, query = raw.partition("?")
    return Target(path.split("/"), query)


def text_of(segment: str, field: str) -> str:
    """A decoded path segment."""
    if "%" not in segment:
        return segment
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError:
        raise invalid(field, "percent-encoded UTF-8") from None


def name_of(segment: str, what: str) -> str:
    """A game's or board's name; what cannot be one does not exist."""
    name = text_of(segment, what)
    if not good_name(name):
        raise NotFound(what, name[:64].encode("utf-8", "replace").decode())
    return name


def player_of(segment: str) -> str:
    """A player id, which may hold any printable character."""
    player = text_of(segment, "player")
    if not good_id(player):
        raise invalid("player", ID_RULE)
    return player


def cursor_of(member: bytes) -> str:
    """A member of a ranking as clients pass it back: opaque to them."""
    return binascii.b2a_base64(member, newline=False).translate(_URL_SAFE, b"=").decode()


_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def member_of(cursor: str, field: str) -> bytes:
    """The member that a cursor stands for. It need not be in the ranking any more."""
    try:
        if len(cursor) > CURSOR_CHARS_MAX:
            raise ValueError
        member = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        # A whole one: the database is asked for the player's id as text.
        if not good_id(split(member)[1]):
            raise ValueError
    except (ValueError, binascii.Error):
        raise invalid(field, "a cursor out of `next` or `previous` of a page of this board") from None
    return member


@functools.lru_cache(maxsize=4096)
def page_query(query: str) -> PageQuery:
    """The parameters of a page."""
    given = _parameters(query, PAGE)
    if "after" in given and "before" in given:
        raise invalid("before", "a page is either behind or in front of a cursor")
    return PageQuery(
        given.get("period"),
        given.get("segment"),
        number_of(given, "limit", PAGE_DEFAULT, 1, PAGE_MAX),
        member_of(given["after"], "after") if "after" in given else None,
        member_of(given["before"], "before") if "before" in given else None,
        vector_of(given),
        _search(given["q"]) if "q" in given else None,
        instant_of(given),
        given.get("view"),
        generation_of(given),
        effective_of(given),
    )


def _search(text: str) -> str:
    if not 1 <= len(text) <= SEARCH_CHARS_MAX or "\0" in text:
        raise invalid("q", f"the beginning of an id or a name, 1 to {SEARCH_CHARS_MAX} characters")
    return text


@functools.lru_cache(maxsize=4096)
def place_query(query: str, number: str | None = "around") -> PlaceQuery:
    """The parameters of a place; `number` names the one that holds a number, if there is one."""
    # A history is of what was displayed.
    beyond = ("by",) if number == "limit" else ("effective_at", "generation")
    known = ("period", "segment", "min_position", "known_at", "view", *beyond, *([number] if number else []))
    given = _parameters(query, known)
    if number == "around":
        count = number_of(given, "around", 0, 0, AROUND_MAX)
    else:
        count = number_of(given, number, HISTORY_DEFAULT, 1, PAGE_MAX) if number else 0
    copy = given.get("period"), given.get("segment")
    when, beside = (vector_of(given), instant_of(given)), (given.get("view"), generation_of(given))
    return PlaceQuery(*copy, count, *when, *beside, given.get("by"), effective_of(given))


def live_query(query: str, alone: str | None = None) -> LiveQuery:
    """The parameters of a live stream; `player` may be given more than once. `alone` is whose own stream it is."""
    of_board = () if alone is not None else ("player", "top")
    pairs = _pairs(query, LIVE_MAX + 8)
    players = tuple(sorted({value for name, value in pairs if name == "player" and of_board}))
    given = _once([pair for pair in pairs if pair[0] != "player" or not of_board], _LIVE + of_board)
    if len(players) > LIVE_MAX or not all(good_id(player) for player in players):
        raise invalid("player", f"at most {LIVE_MAX} player ids; {ID_RULE}")
    if players and "top" in given:
        raise invalid("top", "either players or the first entries")
    top = number_of(given, "top", LIVE_DEFAULT, 1, LIVE_MAX)
    return LiveQuery(
        given.get("period"),
        given.get("segment"),
        players if alone is None else (alone,),
        0 if players or alone is not None else top,
        given.get("last_event_id"),
        alone is not None,
        given.get("view"),
    )


def parameters(query: str, *known: str) -> dict[str, str]:
    """A query's parameters by name; unknown and repeated ones are refused."""
    return _parameters(query, known) if query else {}


def number_of(given: dict[str, str], name: str, default: int, low: int, high: int) -> int:
    """A whole number within bounds."""
    text = given.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= 9 and low <= int(text) <= high):
        raise invalid(name, f"a whole number from {low} to {high}")
    return int(text)


def _parameters(query: str, known: tuple[str, ...]) -> dict[str, str]:
    return _once(_pairs(query), known) if query else {}


def _pairs(query: str, most: int = 32) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=most)
    except ValueError:
        raise invalid("", f"a query of at most {most} parameters in percent-encoded UTF-8") from None


def _once(pairs: list[tuple[str, str]], known: tuple[str, ...]) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, value in pairs:
        if name not in known:
            raise invalid(name[:64], f"unknown parameter; known: {', '.join(known)}")
        if name in given:
            raise invalid(name, "given once")
        given[name] = value
    return given


def vector_of(given: dict[str, str]) -> Vector | None:
    """The position that an answer is to show at least, if it is given; of a spread game one for each of several shards."""
    text = given.get("min_position")
    if text is None:
        return None
    try:
        return Vector.parse(text)
    except ValueError as error:
        raise invalid("min_position", str(error)) from None


def position_of(given: dict[str, str], name: str) -> Position | None:
    """The position that a parameter holds, if it is given."""
    text = given.get(name)
    if text is None:
        return None
    try:
        return Position.parse(text)
    except ValueError as error:
        raise invalid(name, str(error)) from None


def instant_of(given: dict[str, str], name: str = "known_at") -> Instant | None:
    """The time or position that a parameter holds, if it is given."""
    text = given.get(name)
    if text is None:
        return None
    try:
        return Instant(text, _when(text))
    except (ValueError, OverflowError):
        rule = "a time (RFC 3339 with an offset, or epoch milliseconds) or a position such as 1.0.1763840000000-0"
        raise invalid(name, rule) from None


def generation_of(given: dict[str, str]) -> int | None:
    """The generation beside the live one that a parameter names, if it is given."""
    if "generation" in given and "known_at" in given:
        raise invalid("generation", "either a generation or what was displayed at a time")
    return number_of(given, "generation", 0, 1, 999_999_999) if "generation" in given else None


def effective_of(given: dict[str, str]) -> Instant | None:
    """The instant that is asked for as it truly was, if one is."""
    if "effective_at" in given and "known_at" in given:
        raise invalid("effective_at", "either what was displayed, known_at, or what was true")
    if "effective_at" in given and "generation" in given:
        raise invalid("effective_at", "not together with generation: it is under the rules of the live one")
    if "effective_at" in given and "q" in given:
        raise invalid("effective_at", "not together with q: a search looks at what is displayed")
    return instant_of(given, "effective_at")


def _when(text: str) -> datetime | Position | Vector:
    if text.isascii() and text.isdecimal():
        return _EPOCH + timedelta(milliseconds=int(text))
    if "," in text:
        return Vector.parse(text)
    if text.count(".") == 2 and ":" not in text:
        return Position.parse(text)
    # A + that was not percent-encoded has become a space.
    moment = datetime.fromisoformat(text.replace(" ", "+") if text.count(" ") == 1 and "T" in text else text)
    if moment.tzinfo is None:
        raise ValueError
    return moment.astimezone(UTC)
