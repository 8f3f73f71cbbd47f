"""The wire: what was encoded decodes to the same, the same bytes for the same event, and no bytes break the decoder."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas import events
from schemas.checks import good_id
from schemas.codec import convert, decode, decode_json, encode
from schemas.errors import InvalidEvent
from schemas.events import EVENT_TYPES, AnyEvent
from schemas.position import Position

ids = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=32).filter(good_id)
names = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,8}", fullmatch=True)
whole = st.integers(1 - (1 << 95), (1 << 95) - 1)
decimals = st.builds(
    lambda digits, places: Decimal(digits).scaleb(-places), st.integers(-(10**15), 10**15), st.integers(0, 12)
)
numbers = whole | decimals
times = st.integers(-62_135_596_800_000, 253_402_300_799_999) | st.datetimes(
    min_value=datetime(1900, 1, 1),
    max_value=datetime(2200, 1, 1),
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5.5))]),
)
attributes = st.dictionaries(names, st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | ids, max_size=3)
values = st.dictionaries(names, numbers, min_size=1, max_size=3)
rounds = st.integers(0, (1 << 31) - 1) | names
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
common: dict[str, Any] = {"id": ids, "game": names, "occurred_at": st.none() | times}
placements = st.builds(
    events.Placement,
    player=ids,
    position=st.none() | st.integers(1, 99),
    seat=st.none() | ids,
    values=st.none() | values,
)
anything = st.one_of(
    st.builds(
        events.Score, **common, player=ids, values=values, round=st.none() | rounds, attributes=st.none() | attributes
    ),
    st.builds(events.Pick, **common, player=ids, fixture=ids, choice=ids | st.lists(ids, min_size=1, max_size=3)),
    st.builds(
        events.Fixture,
        **common,
        fixture=ids,
        round=rounds,
        starts_at=times,
        sides=st.none() | st.lists(ids, max_size=2),
    ),
    st.builds(events.Result, **common, fixture=ids, placements=st.none() | st.lists(placements, max_size=3)),
    st.builds(events.Adjustment, **common, player=ids, values=values, reason=texts),
    st.builds(events.Void, **common, event=ids, reason=texts),
    st.builds(events.Player, **common, player=ids, name=st.none() | texts, attributes=st.none() | attributes),
    st.builds(events.RulesetChange, **common, version=st.integers(1, 99), text=texts),
    st.builds(events.Tick, **common, at=times),
)


@given(anything)
def test_an_event_survives_the_wire(event: AnyEvent) -> None:
    body = encode(event)
    assert decode(body) == event
    assert encode(decode(body)) == body
    assert convert(decode_json(body)) == event
    assert attempt(decode, packed(msgspec.json.decode(body))) in (event, None)


@given(st.dictionaries(names, numbers, min_size=2, max_size=5), st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_show_in_the_canonical_form(held: dict[str, Any], chance: Any) -> None:
    items = list(held.items())
    chance.shuffle(items)
    one, other = (events.Score(id="e", game="g", player="p", values=dict(made)) for made in (held.items(), items))
    assert encode(one) == encode(other)


leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
branches = st.lists(leaves, max_size=3) | st.dictionaries(st.text(max_size=5), leaves, max_size=3)
json_values = leaves | branches | st.lists(branches, max_size=2)
FIELDS = sorted({field for kind in EVENT_TYPES for field in kind.__struct_fields__} | {"type"})
TAGS = [kind.__struct_config__.tag for kind in EVENT_TYPES]
odd_events = st.builds(
    lambda tag, more, odd: {"type": tag, "id": "e", "game": "g", "player": "p", **more, **odd},
    st.sampled_from(TAGS) | json_values,
    st.sampled_from([{}, {"values": {"points": 1}}, {"fixture": "f"}, {"event": "x", "reason": "y"}]),
    st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), json_values, max_size=3),
)


def attempt(call: Any, *arguments: Any) -> AnyEvent | None:
    """An event, or None when it was refused in the proper way."""
    try:
        event: AnyEvent = call(*arguments)
    except InvalidEvent as refusal:
        problems = refusal.problems
    else:
        return event
    assert problems
    assert all(problem.rule for problem in problems)
    return None


def packed(raw: Any) -> bytes:
    """MessagePack, where integers that it cannot hold are text."""

    def small(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: small(item) for key, item in value.items()}
        if isinstance(value, list):
            return [small(item) for item in value]
        return str(value) if type(value) is int and not -(1 << 63) <= value < 1 << 64 else value

    return msgspec.msgpack.encode(small(raw))


@given(odd_events)
def test_odd_events_are_decoded_or_refused_and_never_fail_otherwise(raw: Any) -> None:
    body = msgspec.json.encode(raw)
    event = attempt(decode, body)
    assert attempt(convert, attempt(decode_json, body)) == event
    if event is not None:
        assert decode(encode(event)) == event
    attempt(decode, packed(raw))


@given(st.binary(max_size=60) | st.binary(max_size=40).map(lambda data: b"{" + data))
def test_no_bytes_break_the_decoder(body: bytes) -> None:
    attempt(decode, body)
    attempt(decode_json, body)


@given(anything, st.data())
def test_a_flipped_byte_is_an_event_or_refused(event: AnyEvent, data: st.DataObject) -> None:
    body = bytearray(encode(event))
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    attempt(decode, bytes(body))
    body = bytearray(packed(msgspec.json.decode(encode(event))))
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    attempt(decode, bytes(body))


@given(st.tuples(*[st.integers(0, (1 << top) - 1) for top in (31, 31, 63, 63)]).map(lambda parts: Position(*parts)))
def test_positions_are_read_back(position: Position) -> None:
    assert Position.parse(str(position)) == position


@given(st.text("0123456789.- +", max_size=12))
def test_a_position_has_one_text(text: str) -> None:
    try:
        position = Position.parse(text)
    except ValueError:
        return
    assert str(position) == text
