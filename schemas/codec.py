"""Bytes to events and back: strict decoding whose errors name the field and the rule it breaks.

JSON or MessagePack, told apart by the first byte. Shape and limits are checked here; the ruleset's rules are the
engine's. `decode` is on the hot path: it makes one pass over a well-formed event and explains only what fails.
"""

import contextlib
import re
from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Context
from typing import Any

import msgspec

from schemas.allowed import allowed
from schemas.checks import check, good_name, plainly_good
from schemas.errors import InvalidEvent, Problem
from schemas.events import (
    AnyEvent,
    Event,
    Score,
)
from schemas.upcast import VERSION, upcast

EVENT_BYTES_MAX = 256 * 1024
DEPTH_RULE = "too deeply nested"

_json = msgspec.json.Decoder(AnyEvent)
# What no decimal can hold becomes NaN or Infinity, which are refused wherever a number may stand.
_json_exact = msgspec.json.Decoder(Any, float_hook=Context(prec=100, traps=[]).create_decimal)
_json_any = msgspec.json.Decoder()
_msgpack_any = msgspec.msgpack.Decoder()
_encoder = msgspec.json.Encoder(order="deterministic")
_SCORES = {Score}
_PATH = re.compile(r" - at `\$(?P<path>[^`]*)`$")


def encode(event: Event) -> bytes:
    """The canonical wire form: JSON without defaults, its tables' keys sorted. Equal events give equal bytes."""
    return _encoder.encode(event)


def decode(body: bytes) -> AnyEvent:
    """One event from its wire form; raises InvalidEvent."""
    if len(body) > EVENT_BYTES_MAX:
        raise InvalidEvent(Problem("", f"an event is at most {EVENT_BYTES_MAX} bytes, this one has {len(body)}"))
    try:
        event: AnyEvent = _json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        event = _decode_otherwise(body, error)
    check(event)
    return event


def decode_plain(bodies: Sequence[bytes]) -> list[Score] | None:
    """What `decode` gives, where all of these are scores in JSON that need no closer look; None where any is not."""
    try:
        events = list(map(_json.decode, bodies))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if set(map(type, events)) != _SCORES or max(map(len, bodies)) > EVENT_BYTES_MAX:
        return None
    return events if all(map(plainly_good, events)) else None


def _decode_otherwise(body: bytes, error: Exception) -> AnyEvent:
    """The event of a body that is no JSON of the present shape: MessagePack, an older version, or a clear error."""
    if body[:1] not in b"{ \t\r\n":
        return _from_msgpack(body)
    if isinstance(error, msgspec.DecodeError):
        return _retry_older(body, error)
    raise InvalidEvent(Problem("", DEPTH_RULE if isinstance(error, RecursionError) else "text is UTF-8")) from None


def named_game(body: bytes) -> str | None:
    """The game that a body names, whatever else is wrong with it; None when that cannot be told."""
    decoder = _msgpack_any if body[:1] not in b"{ \t\r\n" else _json_any
    try:
        content = decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    game = content.get("game") if isinstance(content, dict) else None
    return game if isinstance(game, str) and good_name(game) else None


def decode_archived(body: bytes) -> AnyEvent:
    """One event that was accepted before, from its wire form: the limits were checked then, so only the shape is."""
    try:
        event: AnyEvent = _json.decode(body)
    except msgspec.DecodeError:
        # MessagePack, or an older version.
        return decode(body)
    return event


def decode_all_archived(bodies: Collection[bytes]) -> list[AnyEvent]:
    """`decode_archived` of each."""
    try:
        return list(map(_json.decode, bodies))
    except msgspec.DecodeError:
        return list(map(decode_archived, bodies))


def convert(raw: Any) -> AnyEvent:
    """One event from a decoded JSON value, for bodies that hold many; raises InvalidEvent."""
    if not isinstance(raw, dict):
        raise InvalidEvent(Problem("", "an event is an object"))
    event = _generic(raw)
    check(event)
    return event


def decode_json(body: bytes) -> Any:
    """A generic JSON value whose numbers are int or Decimal; raises InvalidEvent when it is not JSON."""
    try:
        return _json_exact.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidEvent(Problem("", f"the body is JSON: {error}")) from None


def _retry_older(body: bytes, error: msgspec.DecodeError) -> AnyEvent:
    """What the present shape refuses may be an older version; if it is not, the first error explains it."""
    if isinstance(error, msgspec.ValidationError):
        raw: Any = None
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raw = _json_exact.decode(body)
        if isinstance(raw, dict) and raw.get("v", VERSION) != VERSION:
            return _generic(raw)
        raise InvalidEvent(problem_of(error)) from None
    raise InvalidEvent(Problem("", f"not valid JSON: {error}")) from None


def _from_msgpack(body: bytes) -> AnyEvent:
    try:
        raw = _msgpack_any.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise InvalidEvent(Problem("", f"neither JSON nor MessagePack: {error}")) from None
    if not isinstance(raw, dict) or not all(isinstance(key, str) for key in raw):
        raise InvalidEvent(Problem("", "an event is an object"))
    return _generic(raw)


def _generic(raw: dict[str, Any]) -> AnyEvent:
    """The event of a decoded value, of whichever version it is."""
    try:
        _refuse_floats(raw, "")
        event: AnyEvent = msgspec.convert(upcast(raw), AnyEvent, strict=True)
    except msgspec.ValidationError as error:
        raise InvalidEvent(problem_of(error)) from None
    except RecursionError:
        raise InvalidEvent(Problem("", DEPTH_RULE)) from None
    return event


def _refuse_floats(value: Any, path: str) -> None:
    if isinstance(value, float):
        raise InvalidEvent(Problem(path, "a binary float is not exact; send an integer or a decimal string"))
    if isinstance(value, dict):
        for key, item in value.items():
            _refuse_floats(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _refuse_floats(item, f"{path}[{index}]")


def problem_of(error: msgspec.ValidationError, shape: Any = AnyEvent) -> Problem:
    """The field and the rule out of msgspec's message, with what may stand there where that is a list of words."""
    text = str(error)
    found = _PATH.search(text)
    path = found["path"].lstrip(".") if found else ""
    rule = text[: found.start()] if found else text
    named = re.search(r"(?:required field|unknown field) `([^`]+)`", rule)
    if named:
        path = f"{path}.{named[1]}" if path else named[1]
    elif rule.startswith("Invalid value") and not path:
        path = "type"
    words = allowed(shape, path) if rule.startswith("Invalid") else ()
    return Problem(path, rule[:1].lower() + rule[1:] + (f"; one of {', '.join(words)}" if words else ""))


def epoch_ms(moment: datetime | int) -> int:
    """Milliseconds since 1970; finer digits of an RFC 3339 time are cut off. Exact: no float is involved."""
    if isinstance(moment, int):
        return moment
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
