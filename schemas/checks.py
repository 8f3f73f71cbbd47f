"""The limits that the types of events cannot say: ids, names, numbers, times, sizes.

One check a type, which names every field and rule at once. Shape is the codec's, the ruleset's rules are the engine's.
"""

import functools
import re
import unicodedata
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from schemas.errors import InvalidEvent, Problem
from schemas.events import (
    Adjustment,
    Close,
    Event,
    Fixture,
    Freeze,
    Number,
    Pick,
    Player,
    Reinstate,
    Result,
    RulesetChange,
    Score,
    Thaw,
    Tick,
    Void,
)
from schemas.upcast import VERSION

ID_BYTES_MAX = 128
TEXT_CHARS_MAX = 1_000
VALUES_MAX = 64
NUMBER_BITS_MAX = 95
"""A scaled number needs at most this many bits, so that a sum of 2**32 of them still fits 16 bytes."""

DIGITS_MAX = 28
EXPONENT_MIN = -12
TIME_MS_MAX = 253_402_300_799_999  # the end of the year 9999
TIME_MS_MIN = -62_135_596_800_000  # the start of the year 1

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")


@functools.lru_cache(maxsize=4096)
def good_name(text: str) -> bool:
    """Whether `text` can name a game, a board, a metric or an attribute. The same few names come all the time."""
    return NAME.match(text) is not None


NAME_RULE = "a name is [a-z0-9][a-z0-9._-]{0,63}"
ID_RULE = f"an id is 1 to {ID_BYTES_MAX} UTF-8 bytes without control characters or line separators"
_CONTROL = frozenset(("Cc", "Cs", "Zl", "Zp"))


def check(event: Event) -> None:
    """The limits that types cannot say; raises InvalidEvent with every problem found."""
    if type(event) is Score and plainly_good(event):
        return
    problems = list(_envelope_problems(event)) or list(_CHECKS[type(event)](event))
    if problems:
        raise InvalidEvent(*problems)


def plainly_good(event: Score) -> bool:
    """Whether a score has nothing that needs a closer look. Written out because nearly every event is such a one."""
    identity, player, values = event.id, event.player, event.values
    if not (identity.isascii() and identity.isprintable() and player.isascii() and player.isprintable()):
        return False
    if not (0 < len(identity) <= ID_BYTES_MAX and 0 < len(player) <= ID_BYTES_MAX and good_name(event.game)):
        return False
    if event.attributes is not None or event.round is not None or event.occurred_at is not None or event.v != VERSION:
        return False
    for name, value in values.items():
        if type(value) is not int or not -(1 << 53) < value < 1 << 53 or not good_name(name):
            return False
    return 0 < len(values) <= VALUES_MAX


def good_id(text: str) -> bool:
    """Whether `text` can be a player's, a fixture's or an event's id."""
    if text.isascii():
        return 0 < len(text) <= ID_BYTES_MAX and text.isprintable()
    try:
        fits = len(text.encode()) <= ID_BYTES_MAX
    except UnicodeEncodeError:
        return False
    return fits and (text.isprintable() or not any(unicodedata.category(char) in _CONTROL for char in text))


def _envelope_problems(event: Event) -> Iterator[Problem]:
    if event.v != VERSION:
        yield Problem("v", f"this version of Rankfold reads schema versions 1 to {VERSION}")
    if not good_id(event.id):
        yield Problem("id", ID_RULE)
    if not good_name(event.game):
        yield Problem("game", NAME_RULE)
    if event.occurred_at is not None:
        yield from _time_problems("occurred_at", event.occurred_at)


def _time_problems(field: str, moment: datetime | int) -> Iterator[Problem]:
    if isinstance(moment, datetime):
        if moment.tzinfo is None:
            yield Problem(field, "a time carries its offset, such as 2026-02-08T18:30:00Z")
    elif not TIME_MS_MIN <= moment <= TIME_MS_MAX:
        yield Problem(field, "epoch milliseconds lie within the years 1 to 9999")


def _id_problems(field: str, text: str | None) -> Iterator[Problem]:
    if text is not None and not good_id(text):
        yield Problem(field, ID_RULE)


def _text_problems(field: str, text: str | None, *, required: bool = False) -> Iterator[Problem]:
    if text is None:
        return
    if (required and not text) or len(text) > TEXT_CHARS_MAX:
        yield Problem(field, f"a text of {1 if required else 0} to {TEXT_CHARS_MAX} characters")
    elif "\0" in text:
        yield Problem(field, "a text holds no NUL character")


def _name_problems(field: str, text: str | None) -> Iterator[Problem]:
    if text is not None and not good_name(text):
        yield Problem(field, NAME_RULE)


def number_problems(field: str, value: Number) -> Iterator[Problem]:
    """Finite, at most 28 digits, at most 12 of them behind the point, exponent bounded before any scaling."""
    if isinstance(value, int):
        if value.bit_length() > NUMBER_BITS_MAX:
            yield Problem(field, f"a number needs at most {NUMBER_BITS_MAX} bits")
        return
    if not value.is_finite():
        yield Problem(field, "a number is finite: NaN and Infinity are refused")
        return
    digits, exponent = value.as_tuple()[1:]
    if (
        not isinstance(exponent, int)
        or exponent < EXPONENT_MIN
        or max(len(digits) + exponent, len(digits)) > DIGITS_MAX
    ):
        yield Problem(field, f"a decimal has at most {DIGITS_MAX} digits, {-EXPONENT_MIN} of them behind the point")


def _values_problems(field: str, values: dict[str, Number] | None) -> Iterator[Problem]:
    if values is None:
        return
    if not 1 <= len(values) <= VALUES_MAX:
        yield Problem(field, f"holds 1 to {VALUES_MAX} metrics")
        return
    for name, value in values.items():
        yield from _name_problems(f"{field}.{name[:64]}", name)
        yield from number_problems(f"{field}.{name[:64]}", value)


def _attributes_problems(field: str, attributes: dict[str, Any] | None) -> Iterator[Problem]:
    if attributes is None:
        return
    if len(attributes) > 64:
        yield Problem(field, "holds at most 64 attributes")
    for name, value in attributes.items():
        yield from _name_problems(f"{field}.{name[:64]}", name)
        if isinstance(value, str) and (len(value.encode("utf-8", "replace")) > 256 or "\0" in value):
            yield Problem(f"{field}.{name[:64]}", "a text of at most 256 bytes without NUL")
        if type(value) is int and value.bit_length() > 63:
            yield Problem(f"{field}.{name[:64]}", "a 64-bit integer")


def _round_problems(value: str | int | None) -> Iterator[Problem]:
    if isinstance(value, int):
        if not 0 <= value < 1 << 31:
            yield Problem("round", "a round number lies between 0 and 2147483647")
    elif value is not None and not good_name(value):
        yield Problem("round", f"a round is a number or a name; {NAME_RULE}")


def _score(event: Score) -> Iterator[Problem]:
    yield from _id_problems("player", event.player)
    yield from _values_problems("values", event.values)
    yield from _round_problems(event.round)
    yield from _attributes_problems("attributes", event.attributes)


def _pick(event: Pick) -> Iterator[Problem]:
    yield from _id_problems("player", event.player)
    yield from _id_problems("fixture", event.fixture)
    yield from _name_problems("market", event.market)
    choices = event.choice if isinstance(event.choice, list) else [event.choice]
    if not 1 <= len(choices) <= 256:
        yield Problem("choice", "1 to 256 choices")
    for index, choice in enumerate(choices):
        yield from _id_problems(f"choice[{index}]" if isinstance(event.choice, list) else "choice", choice)
    if event.stake is not None:
        yield from number_problems("stake", event.stake)


def _fixture(event: Fixture) -> Iterator[Problem]:
    yield from _id_problems("fixture", event.fixture)
    yield from _round_problems(event.round)
    yield from _time_problems("starts_at", event.starts_at)
    if event.locks_at is not None:
        yield from _time_problems("locks_at", event.locks_at)
    for index, side in enumerate(event.sides or ()):
        yield from _id_problems(f"sides[{index}]", side)
    yield from _attributes_problems("attributes", event.attributes)


def _result(event: Result) -> Iterator[Problem]:
    yield from _id_problems("fixture", event.fixture)
    yield from _round_problems(event.round)
    if not 1 <= event.revision < 1 << 31:
        yield Problem("revision", "a revision lies between 1 and 2147483647")
    if event.score is not None and (len(event.score) != 2 or not all(0 <= goals < 100_000 for goals in event.score)):
        yield Problem("score", "two numbers between 0 and 99999")
    yield from _attributes_problems("attributes", event.attributes)
    yield from _text_problems("reason", event.reason, required=True)
    yield from _text_problems("author", event.author)
    for index, placement in enumerate(event.placements or ()):
        at = f"placements[{index}]"
        yield from _id_problems(f"{at}.player", placement.player)
        if placement.position is not None and not 1 <= placement.position <= 100_000:
            yield Problem(f"{at}.position", "a position lies between 1 and 100000")
        yield from _text_problems(f"{at}.status", placement.status)
        yield from _id_problems(f"{at}.seat", placement.seat)
        yield from _values_problems(f"{at}.values", placement.values)
        yield from _attributes_problems(f"{at}.attributes", placement.attributes)


def _adjustment(event: Adjustment) -> Iterator[Problem]:
    yield from _id_problems("player", event.player)
    yield from _values_problems("values", event.values)
    yield from _text_problems("reason", event.reason, required=True)
    yield from _text_problems("author", event.author)
    yield from _round_problems(event.round)
    yield from _name_problems("board", event.board)


def _reference(event: Void | Reinstate) -> Iterator[Problem]:
    yield from _id_problems("event", event.event)
    yield from _text_problems("reason", event.reason, required=True)


def _player(event: Player) -> Iterator[Problem]:
    yield from _id_problems("player", event.player)
    yield from _text_problems("name", event.name)
    yield from _text_problems("reason", event.reason)
    yield from _attributes_problems("attributes", event.attributes)


def _view(event: Any) -> Iterator[Problem]:
    yield from _name_problems("board", event.board)
    if event.period is not None and (len(event.period) > 80 or not event.period.isprintable()):
        yield Problem("period", "a period id such as all, round:7 or daily:2026-02-08")


def _ruleset(event: RulesetChange) -> Iterator[Problem]:
    if not 1 <= event.version < 1 << 31:
        yield Problem("version", "a version lies between 1 and 2147483647")
    yield from _round_problems(event.from_round)
    if event.from_time is not None:
        yield from _time_problems("from_time", event.from_time)


_CHECKS: dict[type[Event], Callable[[Any], Iterator[Problem]]] = {
    Score: _score,
    Pick: _pick,
    Fixture: _fixture,
    Result: _result,
    Adjustment: _adjustment,
    Void: _reference,
    Reinstate: _reference,
    Player: _player,
    RulesetChange: _ruleset,
    Tick: lambda event: _time_problems("at", event.at),
    Freeze: _view,
    Thaw: _view,
    Close: _view,
}
