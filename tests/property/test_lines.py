"""Lines that are written straight as JSON: byte for byte what the structs of the same entries are encoded to."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from api.encode import friends_of, lines_of, ranks_among, shown_lines
from api.lines import friends_json, lines_json
from engine.boards import BoardPlan
from engine.keys import member, split, split_all
from engine.numbers import decode_int, encode_int, encode_order, first_ints
from engine.places import Entry, Lookup, Place, Told, Window, entries_of, rank_of, standings_of
from projections.answers import answer_of
from schemas.checks import good_id
from schemas.language import Board, Metric, MetricType, Ruleset, TieBreak, Tier
from tests.property.test_bytes import numbers

STYLES = ["competition", "dense", "ordinal", "modified"]
encode = msgspec.json.encode
msgpack = msgspec.msgpack.encode
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
ids = texts.filter(good_id) | st.sampled_from(
    ['"', "\\", 'a","b', "\\u0041", "</x>", "é\u200d", "\U0001f600", "\u00a0"]
)
NO_TIERS: st.SearchStrategy[list[Tier]] = st.just([])
ORDERS: list[list[Any]] = [
    ["x desc"],
    ["x asc"],
    ["x desc", "reached"],
    ["x asc", TieBreak(lot=7)],
    ["y desc", "x asc"],
    ["x desc", TieBreak(countback="position", places=2), "reached"],
]


@st.composite
def plans(draw: st.DrawFn, tiers: st.SearchStrategy[list[Tier]] = NO_TIERS) -> BoardPlan:
    """One whole number or several, decimals, large ones; what is ranked by and what only stands beside."""
    rank_by = draw(st.sampled_from(ORDERS))
    names = ["x", *(["y"] if "y desc" in rank_by or draw(st.booleans()) else []), *draw(st.sampled_from([[], ["z"]]))]
    types = {name: MetricType(scale=draw(st.sampled_from([0, 0, 2])), big=draw(st.booleans())) for name in names}
    metrics = {name: Metric(op="last", of=name) for name in names}
    style: Any = draw(st.sampled_from(STYLES))
    board = Board(rank_by=rank_by, metrics=metrics, ranks=style, tiers=draw(tiers))
    return BoardPlan("b", board, Ruleset(game="g", boards={"b": board}, metrics=types))


@st.composite
def lines(draw: st.DrawFn, plan: BoardPlan) -> list[tuple[bytes, str, bytes]]:
    """A whole ranking in its order: (prefix, player, extra). Few keys, so that many are level."""
    wide = draw(st.booleans())
    few = numbers if wide else st.sampled_from([None, -300, -1, 0, 1, 255, 256])
    held = []
    for player in draw(st.lists(ids, unique=True, max_size=12)):
        parts = []
        for kind, _ in plan.order:
            if kind == "lot":
                parts.append(draw(st.sampled_from([b"\0" * 8, b"\xff" * 8])))
            elif kind == "reached":
                parts.append(encode_order(draw(st.sampled_from([None, (5, 5, 5), (5, 6, 0)]))))
            elif kind == "countback":
                parts += [encode_int(draw(st.sampled_from([-1, 0]))) for _ in range(2)]
            else:
                parts.append(encode_int(draw(few)))
        held.append((b"".join(parts), player, plan.extra([draw(numbers) for _ in plan.metrics])))
    return sorted(held, key=lambda line: (line[0], line[1].encode()))


@st.composite
def windows(draw: st.DrawFn, tiers: st.SearchStrategy[list[Tier]] = NO_TIERS) -> tuple[BoardPlan, Window, Window]:
    """A board, and a window of it twice: by entries, and by columns as Redis' reply gives them."""
    plan = draw(plans(tiers))
    held = draw(lines(plan))
    prefixes = [prefix for prefix, _, _ in held]
    first = draw(st.integers(0, len(held)))
    part = held[first : first + draw(st.integers(0, 12))]
    ahead, dense, through = first, 0, first
    if part:
        ahead = sum(prefix < part[0][0] for prefix in prefixes)
        dense = len({prefix for prefix in prefixes if prefix < part[0][0]})
        through = sum(prefix <= part[-1][0] for prefix in prefixes)
    members = [member(prefix, player) for prefix, player, _ in part]
    values = [len(prefix).to_bytes(2, "big") + prefix + extra for prefix, _, extra in part] if plan.has_extra else []
    raw = [b"1", len(held), [], msgpack([]), [first, members, ahead, dense, through, values]]
    (window,) = answer_of(plan, [Lookup("top", 0, 12)], raw).found
    assert isinstance(window, Window)
    return plan, Window(first, len(held), entries_of(plan.style, part, first, ahead, dense, through)), window


@st.composite
def names_of(draw: st.DrawFn, players: list[str]) -> dict[str, str]:
    return {player: draw(texts | st.just("\x00\x1f\x7f")) for player in players if draw(st.booleans())}


@given(st.data())
def test_lines_are_the_structs(data: st.DataObject) -> None:
    plan, by_entries, by_columns = data.draw(windows())
    names = data.draw(names_of(by_columns.columns.players) | st.just({}))
    expected = encode(lines_of(plan, by_entries, names))
    assert lines_json(plan, by_columns, names) == expected
    assert lines_json(plan, by_entries, names) == expected
    assert encode(shown_lines(plan, by_columns, names)) == expected
    assert by_columns == by_entries


@given(st.data())
def test_lines_with_tiers_are_the_structs(data: st.DataObject) -> None:
    tiers = st.just([Tier(name="gold", top=2), Tier(name="rest", top=9)])
    plan, by_entries, by_columns = data.draw(windows(tiers))
    assert encode(shown_lines(plan, by_columns, {})) == encode(lines_of(plan, by_entries, {}))


@given(st.data())
def test_several_places_are_the_structs(data: st.DataObject) -> None:
    plan, window, _ = data.draw(windows())
    places = [
        Place(each.player, each.prefix, each.extra, each.ordinal, each.rank, 1 + each.tied, window.total, None)
        for each in window.entries
    ]
    names = data.draw(names_of(window.columns.players) | st.just({}))
    ranks = ranks_among(plan.style, window.columns.prefixes)
    assert friends_json(plan, places, ranks, names) == encode(friends_of(plan, places, ranks, window.total, names))


@given(st.data(), st.sampled_from(STYLES))
def test_standings_are_as_defined(data: st.DataObject, style: str) -> None:
    keys = sorted(data.draw(st.lists(st.sampled_from([b"a", b"b", b"c", b"d", b"e", b"f"]), max_size=9)))
    first = data.draw(st.integers(0, len(keys)))
    part = keys[first : data.draw(st.integers(first, len(keys)))]
    if not part:
        return
    ahead, dense = sum(key < part[0] for key in keys), len({key for key in keys if key < part[0]})
    ranks, tied = standings_of(style, part, first, ahead, dense, sum(key <= part[-1] for key in keys))
    assert list(tied) == [keys.count(key) > 1 for key in part]
    assert list(ranks) == [
        rank_of(style, at, sum(k < key for k in keys), keys.count(key), len({k for k in keys if k < key}))
        for at, key in enumerate(part, first)
    ]


@given(st.lists(st.tuples(numbers, st.binary(max_size=3)), max_size=8))
def test_the_first_numbers_of_keys_are_read_as_one_by_one(codes: list[tuple[int | None, bytes]]) -> None:
    keys = [encode_int(number) + rest for number, rest in codes]
    found = [decode_int(key, 0)[0] for key in keys]
    assert first_ints(keys) == found
    assert first_ints(keys, negated=True) == [None if number is None else -number for number in found]


@given(st.lists(st.tuples(st.binary(max_size=300), ids), max_size=8))
def test_members_are_split_as_one_by_one(held: list[tuple[bytes, str]]) -> None:
    members = [member(prefix, player) for prefix, player in held]
    assert list(zip(*split_all(members), strict=True)) == [split(data) for data in members]


def test_a_window_is_the_same_by_entries_and_as_it_is_told() -> None:
    members = [member(b"\x80", "a"), member(b"\x81\x01", "b")]
    told = Told("competition", members, ahead=2, dense=2, through=5, extras=[])
    entries = [Entry("a", b"\x80", b"", 2, 3, False), Entry("b", b"\x81\x01", b"", 3, 4, True)]
    assert Window(2, 9, told=told) == Window(2, 9, entries)
    assert Window(2, 9, entries).members == members
    assert Window(2, 9, entries).columns[:2] == (["a", "b"], [b"\x80", b"\x81\x01"])
    assert Window(0, 0).entries == Window(0, 0).members == []
    assert Window(0, 0).columns.players == []
    assert Window(0, 1) != Window(0, 0)
    assert repr(Window(0, 1, [])) == "Window(0, 1, [])"


@st.composite
def scores_of_a_size(draw: st.DrawFn) -> list[tuple[int, str]]:
    """Numbers of as many bytes, most of one sign, and ids that are mostly of one length."""
    size, length = draw(st.integers(0, 9)), draw(st.integers(1, 4))
    number = st.integers(256**size >> 8, 256**size - 1)
    if draw(st.booleans()):
        number = number.map(lambda value: -value)
    even = st.text(st.sampled_from('ab1"\\é'), min_size=length, max_size=length)
    players = even if draw(st.booleans()) else ids | even
    return draw(st.lists(st.tuples(number, players), unique_by=lambda line: line[0], max_size=12))


@given(st.sampled_from(STYLES), st.sampled_from(["x desc", "x asc"]), scores_of_a_size(), st.integers(0, 5))
def test_so_are_those_of_boards_where_nobody_is_level(
    style: Any, by: str, scores: list[tuple[int, str]], first: int
) -> None:
    metrics = {"x": Metric(op="last", of="x")}
    board = Board(rank_by=[by], metrics=metrics, ranks=style)
    plan = BoardPlan("b", board, Ruleset(game="g", boards={"b": board}, metrics={"x": MetricType()}))
    key = {player: encode_int(-points if by == "x desc" else points) for points, player in scores}
    members = sorted(member(prefix, player) for player, prefix in key.items())
    through = first + len(members)
    window = Window(first, 99, told=Told(style, members, first, first, through, []))
    assert lines_json(plan, window) == encode(lines_of(plan, Window(first, 99, window.entries), {}))
