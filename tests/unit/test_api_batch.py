"""The events of a publish request: every form is read, and everything wrong is named by index, field and rule."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from api.batch import Reading, check_events, read_events
from api.problems import Item, RefusedError
from engine.rules import Game, compile_ruleset
from schemas.codec import decode
from schemas.events import Score
from schemas.ruleset import parse

RULES = """
game = "arcade"
[metrics.points]
min = 0
max = 1000000
[metrics.seconds]
scale = 3
[boards.best]
rank_by = ["points desc"]
[boards.best.metrics.points]
op = "max"
of = "points"
"""
JSON = "application/json"


@pytest.fixture(scope="module")
def game() -> Game:
    return compile_ruleset(parse(RULES))


def score(id_: str = "e1", **fields: Any) -> dict[str, Any]:
    return {"id": id_, "type": "score", "player": "ada", "values": {"points": 1}} | fields


def encoded(value: Any) -> bytes:
    return msgspec.json.encode(value)


def checked(body: bytes, game: Game | None, media_type: str = JSON) -> Reading:
    reading = read_events(body, media_type, "arcade")
    check_events(reading, game, "arcade")
    return reading


def items(body: bytes, game: Game | None, media_type: str = JSON) -> list[Item]:
    with pytest.raises(RefusedError) as caught:
        checked(body, game, media_type)
    assert 400 <= caught.value.kind.status < 500
    return caught.value.items


TWO = [score("e1"), score("e2", game="arcade")]


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (encoded(TWO), JSON),
        (b" \n" + encoded(TWO), JSON),
        (encoded({"events": TWO}), JSON),
        (b"\n".join(map(encoded, TWO)), "application/x-ndjson"),
        (b"\n\r\n".join(map(encoded, TWO)) + b"\n", "application/jsonl"),
        (msgspec.msgpack.encode(TWO), "application/msgpack"),
        (msgspec.msgpack.encode({"events": TWO}), "application/x-msgpack"),
    ],
)
def test_every_form_gives_the_same_events(body: bytes, media_type: str, game: Game) -> None:
    reading = checked(body, game, media_type)
    assert [(event.id, event.game) for event in reading.events] == [("e1", "arcade"), ("e2", "arcade")]
    assert [decode(body) for body in reading.bodies] == reading.events


@pytest.mark.parametrize("media_type", ["", JSON])
def test_one_event_needs_no_array(media_type: str, game: Game) -> None:
    assert len(checked(encoded(score()), game, media_type).events) == 1


def test_the_same_event_has_one_canonical_body(game: Game) -> None:
    bodies = {
        checked(body, game).bodies[0]
        for body in (
            encoded(score(game="arcade")),
            encoded(score()),
            b'{"values":{"points":1},"player":"ada","v":1,"id":"e1","type":"score"}',
        )
    }
    assert len(bodies) == 1


def test_decimals_stay_exact(game: Game) -> None:
    for number in (b"1.005", b'"1.005"'):
        body = b'{"id":"e","type":"score","player":"ada","values":{"seconds":%b}}' % number
        (event,) = checked(body, game).events
        assert isinstance(event, Score)
        assert event.values["seconds"] == Decimal("1.005")


BAD: list[tuple[dict[str, Any], str]] = [
    ({"type": "scoer"}, "type"),
    ({"type": 5}, "type"),
    ({"colour": "red"}, "colour"),
    ({"game": "other"}, "game"),
    ({"game": None}, "game"),
    ({"v": 2}, "v"),
    ({"id": ""}, "id"),
    ({"id": "a\u0000b"}, "id"),
    ({"id": "a" * 129}, "id"),
    ({"id": 7}, "id"),
    ({"player": ""}, "player"),
    ({"player": "a" * 300}, "player"),
    ({"player": "é" * 65}, "player"),
    ({"player": "a\nb"}, "player"),
    ({"player": "a\u2028b"}, "player"),
    ({"player": "a\u001bb"}, "player"),
    ({"player": ["ada"]}, "player"),
    ({"values": {}}, "values"),
    ({"values": {"points": "NaN"}}, "values.points"),
    ({"values": {"points": "1e999999999"}}, "values.points"),
    ({"values": {"points": 10**40}}, "values.points"),
    ({"values": {"points": -1}}, "values.points"),
    ({"values": {"points": 1_000_001}}, "values.points"),
    ({"values": {"points": "0.5"}}, "values.points"),
    ({"values": {"points": True}}, "values"),
    ({"values": {"goals": 1}}, "values.goals"),
    ({"occurred_at": "yesterday"}, "occurred_at"),
    ({"occurred_at": "2026-02-08T10:00:00"}, "occurred_at"),
    ({"occurred_at": 10**18}, "occurred_at"),
]


@pytest.mark.parametrize(("change", "field"), BAD)
def test_a_bad_event_is_named_by_index_and_field(change: dict[str, Any], field: str, game: Game) -> None:
    found = items(encoded([score("e1"), score("e2") | change]), game)
    assert {item.index for item in found} == {1}
    assert any(item.field.startswith(field) for item in found), found
    assert all(item.rule for item in found)


# MessagePack has no integers of more than 64 bits.
@pytest.mark.parametrize(("change", "field"), [case for case in BAD if case[0] != {"values": {"points": 10**40}}])
def test_messagepack_is_checked_alike(change: dict[str, Any], field: str, game: Game) -> None:
    found = items(msgspec.msgpack.encode([score("e1"), score("e2") | change]), game, "application/msgpack")
    assert {item.index for item in found} == {1}
    assert any(item.field.startswith(field) for item in found), found


def test_every_bad_event_is_listed(game: Game) -> None:
    events = [score("e1", values={"goals": 1}), score("e2"), score("e3", player=""), {"id": "e4"}, 5, "x", None]
    found = items(encoded(events), game)
    assert [item.index for item in found] == [0, 2, 3, 4, 5, 6]


def test_binary_floats_are_refused(game: Game) -> None:
    body = msgspec.msgpack.encode(score(values={"points": 1.5}))
    assert items(body, game, "application/msgpack")[0].field == "values.points"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"  ",
        b"{",
        b"[",
        b"[]",
        b'{"events":[]}',
        b'{"events":5}',
        b'{"events":[],"more":1}',
        b"null",
        b"7",
        b'"text"',
        b"nonsense",
        b"\xff\xfe\x00",
        b'[{"id":"e1","type":"score","player":"ada","values":{"points":NaN}}]',
        b'{"id":"e1","type":"score","player":"\xff","values":{"points":1}}',
        b'{"id":"e1","type":"score","player":"\\ud800","values":{"points":1}}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'[{"id":"e1","type":"pick","player":"a","fixture":"f","choice":' + b"[" * 50_000 + b"]" * 50_000 + b"}]",
        b'{"id":"e1","type":"score","player":"ada","values":{"points":1}} trailing',
    ],
)
def test_a_bad_body_is_refused(body: bytes, game: Game) -> None:
    assert items(body, game)


@pytest.mark.parametrize(
    "body",
    [
        b"\xc1",
        b"\x81",
        b"\x91" * 100_000,
        msgspec.msgpack.encode({1: 2}),
        msgspec.msgpack.encode([{"id": b"e1", "type": "score"}]),
        b"\x81\xa2id\xa1\xff",
    ],
)
def test_bad_messagepack_is_refused(body: bytes, game: Game) -> None:
    assert items(body, game, "application/msgpack")


def test_a_request_has_a_thousand_events_at_most(game: Game) -> None:
    assert len(checked(encoded([score(f"e{n}") for n in range(1000)]), game).events) == 1000
    (item,) = items(encoded([score(f"e{n}") for n in range(1001)]), game)
    assert item.field == "events"
    assert "1001" in item.rule


def test_other_media_types_are_refused(game: Game) -> None:
    with pytest.raises(RefusedError) as caught:
        read_events(encoded(score()), "text/csv", "arcade")
    assert caught.value.kind.status == 415


def test_an_event_that_is_too_large_is_refused(game: Game) -> None:
    values = {f"m{n}": "1" for n in range(64)}
    big = {"id": "r", "type": "ruleset", "version": 1, "text": "#" * 300_000}
    assert items(encoded([score(values=values), big]), game)[-1].index == 1


def ruleset(text: str, id_: str = "r1") -> dict[str, Any]:
    return {"id": id_, "type": "ruleset", "version": 1, "text": text}


def test_a_new_game_begins_with_its_ruleset() -> None:
    reading = checked(encoded([ruleset(RULES), score("e1")]), None)
    assert reading.begins_with_ruleset
    assert items(encoded([ruleset(RULES), score("e1", values={"goals": 1})]), None)[0].field == "values.goals"


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("not toml", "text"),
        (RULES.replace('"arcade"', '"other"'), "text.game"),
        (RULES.replace('of = "points"', 'of = "goals"'), "text.boards.best.metrics.points.of"),
        (RULES + '[boards.best.metrics.again]\nop = "sum"\nof = "again"\n', "text.boards.best.metrics.again.of"),
        (RULES.replace("points desc", "goals desc"), "text.boards.best.rank_by[0]"),
        (RULES + "colour = 1\n", "text"),
    ],
)
def test_a_bad_ruleset_is_named_by_its_field(text: str, field: str, game: Game) -> None:
    (item,) = items(encoded(ruleset(text)), game)
    assert item.index == 0
    assert item.field.startswith(field)
