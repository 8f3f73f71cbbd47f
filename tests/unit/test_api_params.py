"""Paths, queries and cursors: what clients may say in a URL, and how they are told what is wrong."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.params import cursor_of, live_query, member_of, name_of, page_query, parameters, place_query, player_of
from api.problems import RefusedError
from engine.keys import member
from schemas.checks import good_id
from schemas.errors import NotFound
from schemas.position import Position

CURSOR = cursor_of(member(b"\x80\x01", "ada"))


def refusal(call: Any, *arguments: Any) -> tuple[str, str]:
    with pytest.raises(RefusedError) as caught:
        call(*arguments)
    (item,) = caught.value.items
    return item.field, item.rule


def test_a_page_query_has_defaults() -> None:
    assert page_query("") == (None, None, 50, *[None] * 8)


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1770575400123", 1_770_575_400_123),
        ("1.0.1770575400123-7", 1_770_575_400_123),
        ("2026-02-08T18:30:00.123Z", 1_770_575_400_123),
        ("2026-02-08T19:30:00.123%2B01:00", 1_770_575_400_123),
        ("2026-02-08T19:30:00.123+01:00", 1_770_575_400_123),
    ],
)
def test_an_instant_is_a_time_or_a_position(text: str, ms: int) -> None:
    known_at = page_query(f"known_at={text}").known_at
    assert known_at is not None
    assert known_at.ms == ms


@pytest.mark.parametrize("text", ["", "now", "2026-02-08T18:30:00", "-1", "1.0.x-7", "9" * 30, "1.0.07-1"])
def test_what_is_no_instant_is_refused(text: str) -> None:
    assert refusal(page_query, f"known_at={text}")[0] == "known_at"


def test_a_page_query_reads_everything() -> None:
    query = page_query(f"period=daily:2026-02-08&limit=1000&after={CURSOR}&min_position=1.0.7-3")
    assert query.period == "daily:2026-02-08"
    assert query.limit == 1000
    assert query.after == member(b"\x80\x01", "ada")
    assert query.min_position == (Position(1, 0, 7, 3),)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("limit=", "limit"),
        ("limit=1e2", "limit"),
        ("limit=٣", "limit"),
        ("limit=99999999999999999999999", "limit"),
        ("limit=1&limit=2", "limit"),
        ("colour=red", "colour"),
        ("after=!!!", "after"),
        ("after=AAAAA", "after"),
        ("after=", "after"),
        ("after=_____w", "after"),
        ("before=" + "A" * 20_000, "before"),
        (f"after={CURSOR}&before={CURSOR}", "before"),
        ("min_position=7", "min_position"),
        ("min_position=1.0.7-99999999999999999999", "min_position"),
        ("period=%ff", ""),
        ("&".join(f"p{number}=1" for number in range(40)), ""),
    ],
)
def test_a_bad_page_query_names_its_parameter(query: str, field: str) -> None:
    assert refusal(page_query, query)[0] == field


@pytest.mark.parametrize("query", ["around=51", "around=-1", "around=x", "limit=3"])
def test_a_bad_place_query_names_its_parameter(query: str) -> None:
    assert refusal(place_query, query)[0] == query.partition("=")[0]


def test_numbers_of_place_queries() -> None:
    assert place_query("around=50").number == 50
    assert place_query("limit=7", "limit").number == 7
    assert refusal(place_query, "around=1", None)[0] == "around"


def test_unknown_parameters_are_told_the_known_ones() -> None:
    assert refusal(parameters, "waits=1", "wait") == ("waits", "unknown parameter; known: wait")


@given(prefix=st.binary(max_size=80), player=st.text(min_size=1, max_size=40).filter(good_id))
def test_a_cursor_brings_its_member_back(prefix: bytes, player: str) -> None:
    data = member(prefix, player)
    cursor = cursor_of(data)
    assert member_of(cursor, "after") == data
    assert cursor.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize("data", [b"\0\0", b"\0\0\0", member(b"\x80", "a\0b"), b"\x80\xff\0\1", member(b"", "x" * 200)])
def test_a_member_without_a_player_is_no_cursor(data: bytes) -> None:
    assert refusal(page_query, f"before={cursor_of(data)}")[0] == "before"


@given(st.text(max_size=60))
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    with contextlib.suppress(RefusedError):
        member_of(text, "after")


@pytest.mark.parametrize(
    ("segment", "player"),
    [
        ("ada", "ada"),
        ("a%2Fb", "a/b"),
        ("a%20b", "a b"),
        ("100%25", "100%"),
        ("%2525", "%25"),
        ("a+b", "a+b"),
        ("%C3%A9t%C3%A9", "été"),
        ("été", "été"),
        ("%E6%97%A5%E6%9C%AC", "日本"),
        ("..", ".."),
        ("a%3Fb%23c", "a?b#c"),
    ],
)
def test_a_players_segment_is_decoded_once(segment: str, player: str) -> None:
    assert player_of(segment) == player


@pytest.mark.parametrize(
    "segment", ["", "a" * 129, "%C3%A9" * 65, "%ff", "a%00b", "a%0Ab", "%E2%80%A8", "\udcff", "%7F"]
)
def test_what_cannot_be_a_player_is_refused(segment: str) -> None:
    assert refusal(player_of, segment)[0] == "player"


@pytest.mark.parametrize("segment", ["", "Arcade", "a%20b", "..", "a" * 65, "%c3%a9", "\udcff", "-x"])
def test_what_cannot_be_a_name_does_not_exist(segment: str) -> None:
    with pytest.raises(NotFound):
        name_of(segment, "game")


def test_a_live_query_follows_players_or_the_first_entries() -> None:
    assert live_query("") == (None, None, (), 10, None, False, None)
    assert live_query("top=3&period=round:7&segment=a:b&last_event_id=1.2.3.4") == (
        "round:7",
        "a:b",
        (),
        3,
        "1.2.3.4",
        False,
        None,
    )
    # In whatever order and however often they are named, it is one feed.
    assert live_query("player=bob&player=ann&player=bob").players == ("ann", "bob")
    assert live_query("", "ann") == (None, None, ("ann",), 0, None, True, None)


@pytest.mark.parametrize(
    "query",
    [
        "top=0",
        "top=101",
        "top=1&top=2",
        "player=ann&top=3",
        "player=",
        "q=a",
        "&".join(f"player=p{number}" for number in range(101)),
    ],
)
def test_what_a_live_query_cannot_be(query: str) -> None:
    with pytest.raises(RefusedError):
        live_query(query)


def test_a_players_own_stream_takes_no_others() -> None:
    with pytest.raises(RefusedError):
        live_query("player=bob", "ann")
