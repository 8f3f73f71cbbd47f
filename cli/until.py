"""What --until can be: a number, a position, or a time."""

from datetime import datetime

from schemas.codec import epoch_ms
from schemas.errors import InvalidInput, Problem
from schemas.position import Position

DIGITS_MAX = 18


def number_of(text: str) -> int | None:
    """A whole number; None for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX else None


def instant_of(text: str, rule: str) -> Position | int:
    """A position, or a time with its zone in epoch milliseconds; raises InvalidInput with the rule."""
    try:
        return Position.parse(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError
    except ValueError:
        raise InvalidInput(Problem("--until", rule)) from None
    return epoch_ms(moment)
