"""Exact numbers, byte codes and members: the edges; tests/property says the rest."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from engine.keys import PREFIX_BYTES_MAX, PREFIX_END, member, split
from engine.numbers import (
    ORDER_BYTES,
    as_decimal,
    decode_int,
    encode_int,
    encode_order,
    round_half_up,
    scaled,
    scaled_rounding,
    unscaled,
)


@pytest.mark.parametrize(
    ("value", "scale", "expected"),
    [
        (7, 0, 7),
        (7, 3, 7_000),
        (Decimal("1.25"), 2, 125),
        (Decimal("-1.25"), 2, -125),
        (Decimal("1.25"), 1, None),
        (Decimal("1.50"), 1, 15),
        (Decimal("5.0"), 0, 5),
        (Decimal("1e27"), 0, 10**27),
        (Decimal("1e27"), 12, 10**39),
        (Decimal("-0.0"), 0, 0),
        (Decimal("0.000000000001"), 12, 1),
    ],
)
def test_scaled(value: Any, scale: int, expected: int | None) -> None:
    assert scaled(value, scale) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [("0.5", 1), ("-0.5", 0), ("1.4999", 1), ("1.5", 2), ("-1.5", -1), ("-1.51", -2), ("3", 3)]
)
def test_halves_go_towards_plus_infinity(value: str, expected: int) -> None:
    assert round_half_up(Fraction(value)) == expected
    assert scaled_rounding(Decimal(value), 0) == expected


@pytest.mark.parametrize(
    ("value", "scale", "text"),
    [
        (5, 0, "5"),
        (-5, 0, "-5"),
        (5, 2, "0.05"),
        (-5, 2, "-0.05"),
        (1250, 2, "12.50"),
        (-1250, 2, "-12.50"),
        (0, 1, "0.0"),
    ],
)
def test_unscaled(value: int, scale: int, text: str) -> None:
    assert unscaled(value, scale) == text
    assert as_decimal(value, scale) == Decimal(text)


ASCENDING = [
    -(1 << 800), -(1 << 127), -(1 << 64) - 1, -(1 << 64), -(1 << 64) + 1, -65_536, -65_535, -256, -255, -2, -1,
    0, 1, 2, 255, 256, 65_535, 65_536, (1 << 53) + 1, (1 << 64) - 1, 1 << 64, 1 << 127, 1 << 800, None,
]  # fmt: skip


def test_codes_of_integers_sort_like_the_integers_and_none_is_last() -> None:
    codes = [encode_int(value) for value in ASCENDING]
    assert codes == sorted(codes)
    assert len(set(codes)) == len(codes)


def test_codes_stand_one_after_another() -> None:
    data, start, found = b"".join(map(encode_int, ASCENDING)), 0, []
    while start < len(data):
        value, start = decode_int(data, start)
        found.append(value)
    assert found == ASCENDING


def test_orders_sort_by_time_then_by_place_in_the_log_and_none_is_last() -> None:
    ascending = [
        (-62_135_596_800_000, 0, 0), (-1, 9, 9), (0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0),
        (1_770_575_400_000, 1_770_575_400_001, 3), (253_402_300_799_999, 253_402_300_799_999, 1 << 31), None,
    ]  # fmt: skip
    codes = [encode_order(order) for order in ascending]
    assert codes == sorted(codes)
    assert len(set(codes)) == len(codes)
    assert {len(code) for code in codes} == {ORDER_BYTES}


def test_a_member_is_prefix_player_and_length() -> None:
    assert member(b"\x81\x05", "ann") == b"\x81\x05ann\x00\x02"
    assert split(b"\x81\x05ann\x00\x02") == (b"\x81\x05", "ann")
    longest = bytes(PREFIX_BYTES_MAX)
    assert split(member(longest, "é")) == (longest, "é")


@pytest.mark.parametrize("data", [b"", b"\x00", b"ab\x00\x03", b"\xff\xff"])
def test_what_is_no_member_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        split(data)


def test_a_player_whose_id_begins_with_anothers_ranks_behind_him_on_a_tie() -> None:
    prefix = encode_int(-5)
    players = ["a", "a ", "a!", "ab", "é", "🎯"]
    members = [member(prefix, player) for player in players]
    assert members == sorted(members)
    assert all(data < prefix + PREFIX_END for data in members)
