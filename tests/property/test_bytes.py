"""Codes of numbers, sort keys and members: their bytes compare as what they stand for."""

import itertools
from decimal import Context
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.boards import BoardPlan
from engine.keys import PREFIX_END, member, split
from engine.numbers import decode_int, encode_int, encode_order, scaled, unscaled
from schemas.checks import good_id
from schemas.language import Board, Metric, MetricType, Ruleset, TieBreak

small = st.integers(-300, 300)
integers = (
    small | st.integers() | st.integers(-(1 << 127), 1 << 127) | st.builds(lambda bits: 1 << bits, st.integers(0, 130))
)
numbers = integers | st.none()
times = st.integers(-62_135_596_800_000, 253_402_300_799_999)
orders = st.tuples(times, st.integers(0, 253_402_300_799_999), st.integers(0, (1 << 32) - 2))
ids = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=40).filter(good_id)


def none_last(value: Any) -> tuple[bool, Any]:
    """A key for sorted() that puts None behind everything."""
    return value is None, value


@given(numbers, numbers)
def test_codes_compare_like_the_numbers(one: int | None, other: int | None) -> None:
    codes = encode_int(one), encode_int(other)
    assert (codes[0] < codes[1]) == (none_last(one) < none_last(other) if one != other else False)
    assert (codes[0] == codes[1]) == (one == other)


@given(st.lists(numbers, max_size=8))
def test_codes_in_a_row_are_read_back(values: list[int | None]) -> None:
    data, start, found = b"".join(map(encode_int, values)), 0, []
    while start < len(data):
        value, start = decode_int(data, start)
        found.append(value)
    assert found == values


@given(st.lists(orders | st.none(), min_size=2, max_size=8))
def test_codes_of_orders_sort_like_the_orders(values: list[Any]) -> None:
    assert sorted(values, key=encode_order) == sorted(values, key=none_last)


@given(integers, st.integers(0, 12))
def test_scaled_numbers_are_read_back(value: int, scale: int) -> None:
    text = unscaled(value, scale)
    assert scaled(Context(prec=400).create_decimal(text), scale) == value


criteria = st.lists(st.sampled_from(["x desc", "x asc", "y desc", "y asc", "z", "reached", "countback"]), max_size=5)
rows = st.tuples(
    st.tuples(numbers, numbers, numbers), orders | st.none(), st.lists(st.integers(0, 300), min_size=3, max_size=3)
)


@given(criteria, st.lists(rows, min_size=2, max_size=12))
def test_sort_keys_order_players_like_the_tuples_of_their_metrics(more: list[str], players: list[Any]) -> None:
    rank_by = ["x desc", *more]
    plan = BoardPlan("b", board(rank_by), RULES)

    def tuple_of(row: Any) -> list[Any]:
        values, reached, counts = row
        key: list[Any] = []
        for item in rank_by:
            if item == "countback":
                key.append([-count for count in counts])
            elif item == "reached":
                key.append(none_last(reached))
            else:
                value = values["xyz".index(item[0])]
                key.append(none_last(value if value is None or item.endswith("asc") else -value))
        return key

    def bytes_of(row: Any) -> bytes:
        values, reached, counts = row
        key = plan.key(list(values), reached, [counts] * rank_by.count("countback"))
        assert key is not None
        return key

    ordered = sorted(players, key=bytes_of)
    assert [tuple_of(row) for row in ordered] == sorted(tuple_of(row) for row in players)
    for one, other in itertools.pairwise(ordered):
        assert (bytes_of(one) == bytes_of(other)) == (tuple_of(one) == tuple_of(other))
        assert not (bytes_of(other).startswith(bytes_of(one)) and bytes_of(other) != bytes_of(one))
    for values, _, _ in players:
        found = plan.values(bytes_of((values, *players[0][1:])), plan.extra(list(values)))
        assert found == list(values)


RULES = Ruleset(game="g", boards={}, metrics={name: MetricType() for name in "xyz"})


def board(rank_by: list[str]) -> Board:
    """A board over x, y and z."""
    items = [TieBreak(countback="position", places=3) if item == "countback" else item for item in rank_by]
    return Board(rank_by=items, metrics={name: Metric(op="sum", of=name) for name in "xyz"})


prefixes = st.lists(numbers, min_size=2, max_size=2).map(lambda values: b"".join(map(encode_int, values)))


@given(prefixes, ids)
def test_a_member_is_taken_apart_again(prefix: bytes, player: str) -> None:
    assert split(member(prefix, player)) == (prefix, player)


@given(st.lists(st.tuples(prefixes | st.just(b"\x80\x80"), ids), min_size=2, max_size=12))
def test_members_sort_by_prefix_then_by_the_bytes_of_the_player(lines: list[tuple[bytes, str]]) -> None:
    members = sorted(member(*line) for line in lines)
    assert [split(data) for data in members] == sorted(lines, key=lambda line: (line[0], line[1].encode()))
    for data in members:
        for prefix, _ in lines:
            # What counts the players up to a prefix finds exactly those.
            assert (data < prefix + PREFIX_END) == (split(data)[0] <= prefix)
            assert (data < prefix) == (split(data)[0] < prefix)
