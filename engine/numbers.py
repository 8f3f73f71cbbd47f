"""Exact numbers: decimals as scaled integers, and integers as bytes that sort like them."""

from decimal import Decimal
from fractions import Fraction

from schemas.events import Number

_POWERS: tuple[int, ...] = tuple(10**exponent for exponent in range(41))
_NONE = 0xF0
_ZERO = 0x80
_HEADS = tuple(bytes((head,)) for head in range(256))
NONE_KEY = _HEADS[_NONE]
INFINITE = 1 << 320
"""What a number divided by zero is: larger than every quotient of numbers that a board can hold."""


def scaled(value: Number, scale: int) -> int | None:
    """`value` times 10**scale when that is a whole number, else None.

    The exponent must have been bounded before (schemas.checks.number_problems).
    """
    if isinstance(value, int):
        return value * _POWERS[scale]
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    magnitude = 0
    for digit in digits:
        magnitude = magnitude * 10 + digit
    shift = exponent + scale
    if shift >= 0:
        magnitude *= _POWERS[shift]
    else:
        magnitude, rest = divmod(magnitude, _POWERS[-shift])
        if rest:
            return None
    return -magnitude if sign else magnitude


def round_half_up(value: Fraction) -> int:
    """The nearest integer; halves go towards plus infinity."""
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def scaled_rounding(value: Number, scale: int) -> int:
    """`value` times 10**scale, rounded half up."""
    exact = scaled(value, scale)
    return round_half_up(Fraction(value) * _POWERS[scale]) if exact is None else exact


def unscaled(value: int, scale: int) -> str:
    """The decimal text of a scaled integer, with exactly `scale` digits behind the point."""
    if scale == 0:
        return str(value)
    whole, rest = divmod(abs(value), _POWERS[scale])
    return f"{'-' if value < 0 else ''}{whole}.{rest:0{scale}d}"


def as_decimal(value: int, scale: int) -> Decimal:
    """The decimal number of a scaled integer."""
    return Decimal(unscaled(value, scale))


def encode_int(value: int | None) -> bytes:
    """Bytes that compare like the integers do; None sorts behind every number.

    A head byte tells sign and length (128 + n for n magnitude bytes, 128 - n for a negative number), then the magnitude
    follows, big-endian, complemented for negative numbers. Self-delimiting, so that codes can stand one after another.
    Descending order is the code of the negated number.
    """
    if value is None:
        return NONE_KEY
    size = (value.bit_length() + 7) >> 3
    if value >= 0:
        return _HEADS[_ZERO + size] + value.to_bytes(size, "big")
    return _HEADS[_ZERO - size] + ((1 << (size << 3)) - 1 + value).to_bytes(size, "big")


ORDER_BYTES = 17
_ORDER_NONE = NONE_KEY + bytes(ORDER_BYTES - 1)
_OCCURRED_BIAS = 1 << 54
_SEQ_MAX = (1 << 32) - 1


def encode_order(order: tuple[int, int, int] | None) -> bytes:
    """17 bytes that compare like (occurred_ms, ms, seq) does; None sorts behind every order.

    7 bytes for the time it occurred, 6 for the entry's time, 4 for its number within that millisecond.
    """
    if order is None:
        return _ORDER_NONE
    occurred_ms, ms, seq = order
    number = (occurred_ms + _OCCURRED_BIAS) << 80 | ms << 32 | (min(_SEQ_MAX, seq))
    return number.to_bytes(ORDER_BYTES, "big")


def decode_order(data: bytes, start: int) -> tuple[int, int, int] | None:
    """(occurred_ms, ms, seq) of the order at `start`."""
    if data[start] == _NONE:
        return None
    number = int.from_bytes(data[start : start + ORDER_BYTES], "big")
    return (number >> 80) - _OCCURRED_BIAS, number >> 32 & ((1 << 48) - 1), number & _SEQ_MAX


def decode_int(data: bytes, start: int) -> tuple[int | None, int]:
    """(number, where the next code starts) of the code at `start`."""
    head = data[start]
    start += 1
    if head == _NONE:
        return None, start
    if head >= _ZERO:
        end = start + head - _ZERO
        return int.from_bytes(data[start:end], "big"), end
    size = _ZERO - head
    end = start + size
    return int.from_bytes(data[start:end], "big") - ((1 << (size << 3)) - 1), end


_MAGNITUDES = tuple(slice(1, 1 + abs(head - _ZERO)) for head in range(256))
_BIASES = tuple(0 if head >= _ZERO else 1 - (1 << ((_ZERO - head) << 3)) for head in range(256))


def first_ints(keys: list[bytes], *, negated: bool = False) -> list[int | None]:
    """The number that each key starts with, as `decode_int` reads it, or its opposite.

    Written out because every line of every page comes by here.
    """
    read, magnitudes, biases, sign = int.from_bytes, _MAGNITUDES, _BIASES, -1 if negated else 1
    return [
        (read(key[magnitudes[head]], "big") + biases[head]) * sign if (head := key[0]) != _NONE else None
        for key in keys
    ]


def form_of(head: int) -> tuple[slice, int] | None:
    """Where in a key that starts with this byte the number is, and what has to be added to it; None where there is none."""
    return None if head == _NONE else (_MAGNITUDES[head], _BIASES[head])
