"""Reads the events of a publish request, in any of its forms, and says everything that is wrong with them.

JSON: one event, an array of events, or {"events": [...]}. JSON lines: one event a line. MessagePack: as JSON.
An event may leave `game` out; the path says it.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from api.problems import INVALID_EVENT, UNSUPPORTED_MEDIA_TYPE, Item, RefusedError, items_of
from engine.rules import Game, compile_ruleset
from schemas.codec import EVENT_BYTES_MAX, convert, decode, decode_json, encode
from schemas.errors import InvalidEvent, InvalidInput, InvalidRuleset, Problem
from schemas.events import Event, RulesetChange
from schemas.ruleset import parse

EVENTS_MAX = 1_000
PROBLEMS_MAX = 1_000
APPENDED = "nothing was appended"
PREVIEWED = "there is no preview"

_raws = msgspec.json.Decoder(list[msgspec.Raw]).decode
_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_unpack = msgspec.msgpack.Decoder().decode
T = TypeVar("T")


class Reading:
    """The events of one request that can be decoded, and what is wrong with the others, by their indexes."""

    def __init__(self) -> None:
        self.indexes: list[int] = []
        self.events: list[Event] = []
        self.bodies: list[bytes] = []
        self.problems: list[Item] = []

    @property
    def begins_with_ruleset(self) -> bool:
        """Whether this request can create its game."""
        return self.indexes[:1] == [0] and isinstance(self.events[0], RulesetChange)

    def refuse(self, index: int, problems: list[Problem] | tuple[Problem, ...], at: str = "") -> None:
        """Notes what is wrong with one event; `at` is the field that it is in."""
        self.problems += items_of(problems, index, at)

    def raise_problems(self, so: str) -> None:
        """Refuses the whole request if anything of it is wrong; `so` is what follows from that."""
        if self.problems:
            self.problems.sort(key=lambda item: item.index or 0)
            bad = len({item.index for item in self.problems})
            detail = f"wrong: {bad} of the events; {so}"
            raise RefusedError(INVALID_EVENT, detail, self.problems[:PROBLEMS_MAX])


def read_events(body: bytes, media_type: str, path_game: str) -> Reading:
    """Decodes every event; raises RefusedError when the body cannot be taken apart, or has too many."""
    split, read = _FORMS.get(media_type, (None, None))
    if split is None or read is None:
        raise RefusedError(UNSUPPORTED_MEDIA_TYPE, f"send one of {', '.join(filter(None, _FORMS))}")
    raws = _guarded(split, body)
    if not 1 <= len(raws) <= EVENTS_MAX:
        rule = f"1 to {EVENTS_MAX} events in a request, this one has {len(raws)}"
        raise RefusedError(INVALID_EVENT, rule, [Item("events", rule)])
    reading = Reading()
    for index, raw in enumerate(raws):
        try:
            _add(reading, index, _shallow(read, raw, path_game), path_game)
        except InvalidInput as error:
            reading.refuse(index, error.problems)
    return reading


def check_events(reading: Reading, game: Game | None, path_game: str, so: str = APPENDED) -> None:
    """Checks every event against the ruleset; raises RefusedError with all problems of the request, and what follows: `so`.

    For a game that does not exist yet (None) the rules are those that the request begins with.
    """
    for index, event in zip(reading.indexes, reading.events, strict=True):
        if isinstance(event, RulesetChange):
            try:
                rules = parse(event.text, game=path_game)
                game = game or compile_ruleset(rules)
            except InvalidRuleset as error:
                reading.refuse(index, error.problems, "text")
        elif game is not None and (problems := game.check(event)):
            reading.refuse(index, problems)
    reading.raise_problems(so)


def _add(reading: Reading, index: int, event: Event, path_game: str) -> None:
    if event.game != path_game:
        raise InvalidEvent(Problem("game", f"the same as in the path, {path_game}, or left out"))
    body = encode(event)
    if len(body) > EVENT_BYTES_MAX:
        raise InvalidEvent(Problem("", f"an event is at most {EVENT_BYTES_MAX} bytes, this one has {len(body)}"))
    reading.indexes.append(index)
    reading.events.append(event)
    reading.bodies.append(body)


def _guarded(split: Callable[[bytes], T], body: bytes) -> T:
    """The parts of a body; what cannot even be taken apart has no index."""
    try:
        return split(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        rule = f"the body cannot be read: {error}"
        raise RefusedError(INVALID_EVENT, rule, [Item("", rule)]) from None
    except InvalidInput as error:
        raise RefusedError(INVALID_EVENT, str(error), items_of(error.problems)) from None


def _shallow(read: Callable[[Any, str], Event], raw: Any, game: str) -> Event:
    try:
        return read(raw, game)
    except RecursionError:
        raise InvalidEvent(Problem("", "nested too deeply")) from None


def _split_json(body: bytes) -> list[bytes]:
    if not body.strip():
        raise InvalidEvent(Problem("", "the body holds events"))
    if body.lstrip()[:1] == b"[":
        return [bytes(raw) for raw in _raws(body)]
    fields = _object(body)
    if "events" not in fields or "type" in fields:
        return [body]
    for name in fields:
        if name != "events":
            raise InvalidEvent(Problem(name[:64], "unknown field; a batch has only `events`"))
    return [bytes(raw) for raw in _raws(fields["events"])]


def _split_lines(body: bytes) -> list[bytes]:
    return [line for line in body.split(b"\n") if line.strip()]


def _split_msgpack(body: bytes) -> list[Any]:
    value = _unpack(body)
    if isinstance(value, dict) and "type" not in value and value.keys() == {"events"}:
        value = value["events"]
        if not isinstance(value, list):
            raise InvalidEvent(Problem("events", "an array of events"))
    return value if isinstance(value, list) else [value]


def _read_json(raw: bytes, game: str) -> Event:
    if raw.lstrip()[:1] != b"{":
        raise InvalidEvent(Problem("", "an event is an object"))
    try:
        return decode(raw)
    except InvalidEvent:
        value = decode_json(raw)
        if not isinstance(value, dict) or "game" in value:
            raise
    return convert({**value, "game": game})


def _read_msgpack(raw: Any, game: str) -> Event:
    if isinstance(raw, dict) and not all(isinstance(key, str) for key in raw):
        raise InvalidEvent(Problem("", "an event is an object with names as keys"))
    return convert({"game": game, **raw} if isinstance(raw, dict) else raw)


_JSON = (_split_json, _read_json)
_LINES = (_split_lines, _read_json)
_MSGPACK = (_split_msgpack, _read_msgpack)
_FORMS: dict[str, tuple[Callable[[bytes], list[Any]], Callable[[Any, str], Event]]] = {
    "": _JSON,
    "application/json": _JSON,
    "application/x-ndjson": _LINES,
    "application/ndjson": _LINES,
    "application/jsonl": _LINES,
    "application/msgpack": _MSGPACK,
    "application/x-msgpack": _MSGPACK,
    "application/vnd.msgpack": _MSGPACK,
}
