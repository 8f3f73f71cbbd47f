"""Decoding is strict: each thing that can be wrong with an event is named by field and rule, and nothing else escapes."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from schemas.checks import ID_RULE, NAME_RULE
from schemas.codec import EVENT_BYTES_MAX, convert, decode, decode_json, epoch_ms, named_game
from schemas.errors import InvalidEvent
from schemas.events import Adjustment, Result, Score

FINITE = "a number is finite: NaN and Infinity are refused"
DIGITS = "a decimal has at most 28 digits, 12 of them behind the point"
BITS = "a number needs at most 95 bits"
FLOAT = "a binary float is not exact; send an integer or a decimal string"
TEXT = "a text of 0 to 1000 characters"
TYPES = "score, pick, fixture, result, adjustment, void, reinstate, player, freeze, thaw, close, ruleset, tick"
SCORE: dict[str, Any] = {"type": "score", "id": "e", "game": "g", "player": "ann", "values": {"points": 1}}
RESULT: dict[str, Any] = {"type": "result", "id": "e", "game": "g", "fixture": "f"}
ADJUSTMENT: dict[str, Any] = {
    "type": "adjustment", "id": "e", "game": "g", "player": "ann", "values": {"points": 1}, "reason": "why"
}  # fmt: skip
PICK: dict[str, Any] = {"type": "pick", "id": "e", "game": "g", "player": "ann", "fixture": "f", "choice": "home"}
FIXTURE: dict[str, Any] = {"type": "fixture", "id": "e", "game": "g", "fixture": "f", "round": 1, "starts_at": 0}
VOID: dict[str, Any] = {"type": "void", "id": "e", "game": "g", "event": "x", "reason": "why"}
PLAYER: dict[str, Any] = {"type": "player", "id": "e", "game": "g", "player": "ann"}
FREEZE: dict[str, Any] = {"type": "freeze", "id": "e", "game": "g"}
RULESET: dict[str, Any] = {"type": "ruleset", "id": "e", "game": "g", "version": 1, "text": ""}
TICK: dict[str, Any] = {"type": "tick", "id": "e", "game": "g", "at": 0}


def problems(body: bytes) -> list[tuple[str, str]]:
    """Field and rule of everything that is wrong with a body."""
    with pytest.raises(InvalidEvent) as caught:
        decode(body)
    return [(problem.field, problem.rule) for problem in caught.value.problems]


def problems_of(fields: dict[str, Any]) -> list[tuple[str, str]]:
    """The same for JSON, MessagePack and a decoded value, which must agree."""
    found = problems(msgspec.json.encode(fields))
    assert problems(msgspec.msgpack.encode(fields)) == found
    with pytest.raises(InvalidEvent) as caught:
        convert(fields)
    assert [(problem.field, problem.rule) for problem in caught.value.problems] == found
    return found


GOOD_IDS = ["a", " ", "0", "a:b/c|d{e}", "日本", "x" * 128, "é" * 64, "🎯" * 32, "\N{ZERO WIDTH JOINER}"]
BAD_IDS = [
    "", "x" * 129, "é" * 65, "🎯" * 33, "x" * 300, "a\x00b", "a\nb", "\x1f", "\x7f", "\x85", "\u2028", "\u2029"
]  # fmt: skip


@pytest.mark.parametrize("good", GOOD_IDS)
def test_ids_are_1_to_128_bytes(good: str) -> None:
    event = decode(msgspec.json.encode({**SCORE, "id": good, "player": good}))
    assert isinstance(event, Score)
    assert (event.id, event.player) == (good, good)


@pytest.mark.parametrize("bad", BAD_IDS)
def test_other_ids_are_refused_wherever_an_id_stands(bad: str) -> None:
    assert problems_of({**SCORE, "id": bad}) == [("id", ID_RULE)]
    assert problems_of({**SCORE, "player": bad}) == [("player", ID_RULE)]
    assert problems_of({**VOID, "event": bad}) == [("event", ID_RULE)]
    assert problems_of({**PICK, "fixture": bad, "choice": ["x", bad]}) == [("fixture", ID_RULE), ("choice[1]", ID_RULE)]
    assert problems_of({**FIXTURE, "sides": ["x", bad]}) == [("sides[1]", ID_RULE)]
    assert problems_of({**RESULT, "placements": [{"player": "x"}, {"player": bad, "seat": bad}]}) == [
        ("placements[1].player", ID_RULE),
        ("placements[1].seat", ID_RULE),
    ]


@pytest.mark.parametrize("good", ["g", "0", "a.b_c-d", "x" * 64])
def test_names_of_games(good: str) -> None:
    assert decode(msgspec.json.encode({**SCORE, "game": good})).game == good


@pytest.mark.parametrize("bad", ["", "G", "-a", "a b", "é", "x" * 65, "a\n", "a/b"])
def test_other_names_are_refused_wherever_a_name_stands(bad: str) -> None:
    assert problems_of({**SCORE, "game": bad}) == [("game", NAME_RULE)]
    assert problems_of({**SCORE, "values": {bad: 1}}) == [(f"values.{bad[:64]}", NAME_RULE)]
    assert problems_of({**SCORE, "attributes": {bad: 1}}) == [(f"attributes.{bad[:64]}", NAME_RULE)]
    assert problems_of({**ADJUSTMENT, "board": bad}) == [("board", NAME_RULE)]
    assert problems_of({**PICK, "market": bad}) == [("market", NAME_RULE)]
    assert problems_of({**SCORE, "round": bad}) == [("round", f"a round is a number or a name; {NAME_RULE}")]


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({}, [("type", "object missing required field `type`")]),
        ({"type": "nope"}, [("type", f"invalid value 'nope'; one of {TYPES}")]),
        ({"type": "tick", "game": "g", "at": 0}, [("id", "object missing required field `id`")]),
        ({**SCORE, "extra": 1}, [("extra", "object contains unknown field `extra`")]),
        ({**RESULT, "placements": [{"player": "a"}, {"player": "a", "extra": 1}]},
         [("placements[1].extra", "object contains unknown field `extra`")]),
        ({**SCORE, "player": 7}, [("player", "expected `str`, got `int`")]),
        ({**SCORE, "player": None}, [("player", "expected `str`, got `null`")]),
        ({**SCORE, "values": None}, [("values", "expected `object`, got `null`")]),
        ({**SCORE, "values": {}}, [("values", "holds 1 to 64 metrics")]),
        ({**SCORE, "values": {f"m{n}": 1 for n in range(65)}}, [("values", "holds 1 to 64 metrics")]),
        ({**SCORE, "attributes": {f"m{n}": 1 for n in range(65)}}, [("attributes", "holds at most 64 attributes")]),
        ({**SCORE, "attributes": {"a": "é" * 129}}, [("attributes.a", "a text of at most 256 bytes without NUL")]),
        ({**SCORE, "attributes": {"a": "\x00"}}, [("attributes.a", "a text of at most 256 bytes without NUL")]),
        ({**SCORE, "attributes": {"a": 1 << 63}}, [("attributes.a", "a 64-bit integer")]),
        ({**SCORE, "v": 0}, [("v", "this version of Rankfold reads schema versions 1 to 1")]),
        ({**SCORE, "v": 2}, [("v", "this version of Rankfold reads schema versions 1 to 1")]),
        ({**SCORE, "v": 2, "new": 1}, [("v", "this version of Rankfold reads schema versions 1 to 1")]),
        ({**SCORE, "round": -1}, [("round", "a round number lies between 0 and 2147483647")]),
        ({**SCORE, "round": 1 << 31}, [("round", "a round number lies between 0 and 2147483647")]),
        ({**SCORE, "occurred_at": "2026-02-08T19:30:00"},
         [("occurred_at", "a time carries its offset, such as 2026-02-08T18:30:00Z")]),
        ({**SCORE, "occurred_at": 253_402_300_800_000},
         [("occurred_at", "epoch milliseconds lie within the years 1 to 9999")]),
        ({**SCORE, "occurred_at": "yesterday"}, [("occurred_at", "invalid RFC3339 encoded datetime")]),
        ({**FIXTURE, "locks_at": "2026-02-08T19:30:00"},
         [("locks_at", "a time carries its offset, such as 2026-02-08T18:30:00Z")]),
        ({**TICK, "at": -62_135_596_800_001}, [("at", "epoch milliseconds lie within the years 1 to 9999")]),
        ({**PICK, "choice": []}, [("choice", "1 to 256 choices")]),
        ({**PICK, "stake": "NaN"}, [("stake", FINITE)]),
        ({**RESULT, "revision": 0}, [("revision", "a revision lies between 1 and 2147483647")]),
        ({**RESULT, "status": "over"}, [("status", "invalid enum value 'over'")]),
        ({**RESULT, "score": [1]}, [("score", "two numbers between 0 and 99999")]),
        ({**RESULT, "score": [1, -1]}, [("score", "two numbers between 0 and 99999")]),
        ({**RESULT, "placements": [{"player": "a", "position": 0}]},
         [("placements[0].position", "a position lies between 1 and 100000")]),
        ({**RESULT, "placements": [{"player": "a", "values": {"x": "inf"}}]}, [("placements[0].values.x", FINITE)]),
        ({**RESULT, "placements": [{"player": "a", "status": "x" * 1001}]}, [("placements[0].status", TEXT)]),
        ({**ADJUSTMENT, "reason": ""}, [("reason", "a text of 1 to 1000 characters")]),
        ({**ADJUSTMENT, "author": "a\x00"}, [("author", "a text holds no NUL character")]),
        ({**RESULT, "reason": ""}, [("reason", "a text of 1 to 1000 characters")]),
        ({**RESULT, "author": "a\x00"}, [("author", "a text holds no NUL character")]),
        ({**VOID, "reason": ""}, [("reason", "a text of 1 to 1000 characters")]),
        ({**PLAYER, "status": "gone"}, [("status", "invalid enum value 'gone'")]),
        ({**PLAYER, "name": "x" * 1001}, [("name", TEXT)]),
        ({**FREEZE, "period": "x" * 81}, [("period", "a period id such as all, round:7 or daily:2026-02-08")]),
        ({**FREEZE, "period": "a\n"}, [("period", "a period id such as all, round:7 or daily:2026-02-08")]),
        ({**RULESET, "version": 0}, [("version", "a version lies between 1 and 2147483647")]),
        ({**RULESET, "from_time": 1 << 60}, [("from_time", "epoch milliseconds lie within the years 1 to 9999")]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_field_and_rule(fields: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert problems_of(fields) == found


def test_all_problems_are_named_at_once() -> None:
    assert problems_of({**SCORE, "player": "", "values": {"A": 1, "b": "NaN"}, "round": -1}) == [
        ("player", ID_RULE),
        ("values.A", NAME_RULE),
        ("values.b", FINITE),
        ("round", "a round number lies between 0 and 2147483647"),
    ]
    assert problems_of({**SCORE, "id": "", "game": "G"}) == [("id", ID_RULE), ("game", NAME_RULE)]


def number(text: str) -> bytes:
    """A score whose value is written just so."""
    return b'{"type":"score","id":"e","game":"g","player":"p","values":{"points":%b}}' % text.encode()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-0", 0),
        ("9007199254740993", 9_007_199_254_740_993),
        ("18446744073709551616", 1 << 64),
        (str((1 << 95) - 1), (1 << 95) - 1),
        (str(1 - (1 << 95)), 1 - (1 << 95)),
        ("0.1", Decimal("0.1")),
        ("1e27", Decimal("1e27")),
        ('"0.1"', Decimal("0.1")),
        ('"-12.500"', Decimal("-12.500")),
        ('"0.000000000001"', Decimal("1e-12")),
    ],
)
def test_numbers_are_exact(text: str, value: Any) -> None:
    event = decode(number(text))
    assert isinstance(event, Score)
    assert event.values == {"points": value}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ('"NaN"', FINITE),
        ('"sNaN"', FINITE),
        ('"-Infinity"', FINITE),
        ("1e400", DIGITS),
        ("1e-400", DIGITS),
        ("1e28", DIGITS),
        ("0.0000000000001", DIGITS),
        ('"' + "9" * 5_000 + '"', DIGITS),
        (str(1 << 95), BITS),
        (str(-(1 << 95)), BITS),
        ("9" * 40, BITS),
    ],
)
def test_numbers_out_of_range_are_refused(text: str, rule: str) -> None:
    assert problems(number(text)) == [("values.points", rule)]


@pytest.mark.parametrize(
    "text", ["true", "null", '""', '"one"', "[1]", "1e99999999999999999999", '"1e99999999999999999999"']
)
def test_what_is_no_number_is_refused(text: str) -> None:
    assert [field for field, _ in problems(number(text))] == ["values.points"]


def test_what_not_even_a_generic_value_can_hold_is_refused_without_its_key() -> None:
    assert [field for field, _ in problems(number("9" * 5_000))] == ["values[...]"]


@pytest.mark.parametrize("text", ["1e400", "-1e99999999999999999999", "1e-99999999999999999999"])
def test_bodies_that_hold_many_events_name_the_number_out_of_range(text: str) -> None:
    with pytest.raises(InvalidEvent) as caught:
        convert(decode_json(number(text)))
    assert [problem.field for problem in caught.value.problems] == ["values.points"]


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "01", "1.", ".5", "+1", "0x1", "1_000", "'1'", ""])
def test_what_is_not_json_is_said_to_be_so(text: str) -> None:
    ((field, rule),) = problems(number(text))
    assert (field, rule[:14]) == ("", "not valid JSON")


@pytest.mark.parametrize("body", [b"", b"{", b"{,}", msgspec.json.encode(SCORE) + b"{}", b"{'a':1}", b'{"id"}'])
def test_broken_json_is_refused(body: bytes) -> None:
    ((field, rule),) = problems(body)
    assert (field, rule[:14]) == ("", "not valid JSON")


def test_text_must_be_utf8() -> None:
    assert problems(b'{"type":"score","id":"e\xff","game":"g","player":"p","values":{"points":1}}') == [
        ("", "text is UTF-8")
    ]


@pytest.mark.parametrize("name", [b"\xff", b"\x80\x80", b"a\xed\xa0\x80"])
def test_text_must_be_utf8_where_nobody_looks_too(name: bytes) -> None:
    assert problems(b'{"id":"e","%b":1}' % name) == [("type", "object missing required field `type`")]
    assert problems(b'{"type":"tick","id":"e","%b":1}' % name)


@pytest.mark.parametrize("escape", [rb"\ud800", rb"\udfff", rb"\udc00\ud800", rb"a\ud83d"])
def test_lone_surrogates_are_refused_in_any_text(escape: bytes) -> None:
    for body in (
        b'{"type":"score","id":"e","game":"g","player":"%b","values":{"points":1}}' % escape,
        b'{"type":"player","id":"e","game":"g","player":"p","name":"%b"}' % escape,
        b'{"type":"player","id":"e","game":"g","player":"p","attributes":{"a":"%b"}}' % escape,
        b'{"type":"result","id":"e","game":"g","fixture":"f","outcomes":{"a":["%b"]}}' % escape,
    ):
        assert problems(body)
        with pytest.raises(InvalidEvent):
            convert(decode_json(body))


@pytest.mark.parametrize("depth", [900, 980, 2_000, 60_000])
@pytest.mark.parametrize("head", [b'{"x":', b'{"id":', b'{"type":"score","values":'])
def test_deep_nesting_is_refused_in_every_form(head: bytes, depth: int) -> None:
    assert problems(head + b"[" * depth)
    assert problems(head + b"[" * depth + b"]" * depth + b',"type":"score"}')
    assert problems(b"\x81\xa1x" + b"\x91" * depth + b"\x01")
    with pytest.raises(InvalidEvent):
        convert(decode_json(head + b"[" * depth + b"]" * depth + b"}"))


def test_an_event_has_at_most_256_kib() -> None:
    body = b'{"type":"tick","id":"e","game":"g","at":0' + b" " * EVENT_BYTES_MAX
    fits = body[: EVENT_BYTES_MAX - 1] + b"}"
    assert decode(fits).id == "e"
    assert problems(fits[:-1] + b" }") == [("", "an event is at most 262144 bytes, this one has 262145")]


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({**SCORE, "values": {"points": 1.0}}, "values.points"),
        ({**SCORE, "values": {"points": float("nan")}}, "values.points"),
        ({**RESULT, "placements": [{"player": "a"}, {"player": "b", "values": {"x": 0.5}}]}, "placements[1].values.x"),
        ({**TICK, "at": 1e12}, "at"),
        ({**SCORE, "unknown": [[1.5]]}, "unknown[0][0]"),
    ],
)
def test_binary_floats_are_refused_in_messagepack(raw: dict[str, Any], field: str) -> None:
    assert problems(msgspec.msgpack.encode(raw)) == [(field, FLOAT)]


@pytest.mark.parametrize(
    "body",
    [
        b"\x00",
        b"\xc0",
        b"[]",
        b"score",
        b"\xef\xbb\xbf{}",
        msgspec.msgpack.encode([SCORE]),
        b"\x81\x01\x02",
        b"\x80\x80",
    ],
)
def test_what_is_no_object_is_refused(body: bytes) -> None:
    ((field, rule),) = problems(body)
    assert field == ""
    assert rule == "an event is an object" or rule.startswith("neither JSON nor MessagePack")


@pytest.mark.parametrize(
    "body",
    [
        b"\x81\x80\x01",  # a map as a key
        b"\x81\xa1x\xa3\xed\xa0\x80",  # a surrogate in UTF-8
        b"\x81\xa1x\xd7\xff" + b"\xff" * 8,  # a timestamp out of range
        b"\x81\xa1x\xc7\x00\x05",  # an extension type
        b"\x81\xa1x\xdd\xff\xff\xff\xff",  # an array that claims four billion items
        b"\xdf\xff\xff\xff\xff",
        msgspec.msgpack.encode({**SCORE, "player": b"ann"}),
        msgspec.msgpack.encode({**SCORE, "values": {1: 1}}),
        msgspec.msgpack.encode(SCORE)[:-1],
        msgspec.msgpack.encode(SCORE) + b"\x00",
    ],
)
def test_odd_messagepack_is_refused(body: bytes) -> None:
    assert problems(body)


@pytest.mark.parametrize("size", range(1, 60, 7))
def test_every_beginning_of_an_event_is_refused(size: int) -> None:
    assert problems(msgspec.json.encode(SCORE)[:-size])
    assert problems(msgspec.msgpack.encode(SCORE)[:-size])


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ('"1970-01-01T00:00:00Z"', 0),
        ('"2026-02-08T19:30:00.125999+01:00"', 1_770_575_400_125),
        ('"1969-12-31T23:59:59.999Z"', -1),
        ('"1969-12-31T23:59:59.9991Z"', -1),
        ('"0001-01-01T00:00:00Z"', -62_135_596_800_000),
        ("-62135596800000", -62_135_596_800_000),
        ("253402300799999", 253_402_300_799_999),
        ('"9999-12-31T23:59:59.999999Z"', 253_402_300_799_999),
    ],
)
def test_times_are_exact_to_the_millisecond(text: str, ms: int) -> None:
    event = decode(b'{"type":"tick","id":"e","game":"g","at":0,"occurred_at":%b}' % text.encode())
    assert event.occurred_at is not None
    assert epoch_ms(event.occurred_at) == ms


def test_what_may_be_left_out_has_its_default() -> None:
    event = decode(msgspec.json.encode(RESULT))
    assert isinstance(event, Result)
    assert (event.revision, event.status, event.placements, event.v, event.occurred_at) == (1, "final", None, 1, None)
    other = decode(msgspec.json.encode(ADJUSTMENT))
    assert isinstance(other, Adjustment)
    assert (other.board, other.round, other.author) == (None, None, None)


@pytest.mark.parametrize(
    ("body", "game"),
    [
        (b'{"game": "arcade", "type": 7}', "arcade"),
        (msgspec.msgpack.encode({"game": "arcade"}), "arcade"),
        (b'{"game": "arcade"', None),
        (b'{"game": "Ar Cade"}', None),
        (b'{"game": ["arcade"]}', None),
        (b'["game"]', None),
        (b"[" * 100_000, None),
        (b'{"game":' * 100_000, None),
        (b'{"game": "\xff"}', None),
        (b"", None),
    ],
)
def test_the_game_that_a_broken_event_names(body: bytes, game: str | None) -> None:
    assert named_game(body) == game
