"""Segments over HTTP: copies of a board by the value of an attribute of its marks."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.integration.api_stack import Stack, ruleset, running, score

pytestmark = pytest.mark.services
RULES = """
game = "arcade"
[metrics.points]
[boards.best]
rank_by = ["points desc"]
periods = ["all", "daily"]
segments = { repo = "mark", bot = "mark" }
[boards.best.metrics]
points = { op = "sum", of = "points" }
[boards.plain]
rank_by = ["points desc"]
[boards.plain.metrics]
points = { op = "sum", of = "points" }
"""
BOARD = "/v1/games/arcade/boards/best"


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    async with running(database_url, redis_log_url, redis_rankings_url) as stack:
        await stack.publish(ruleset(RULES))
        yield stack


async def publish_some(stack: Stack) -> None:
    await stack.publish(
        score("e1", "ada", 5, attributes={"repo": "acme/tools"}),
        score("e2", "bob", 3, attributes={"repo": "acme/tools", "bot": True}),
        score("e3", "bob", 4, attributes={"repo": "b&c"}),
        score("e4", "cyd", 9),
    )


def lines(answer: Any) -> list[tuple[int, str, int]]:
    return [(line["rank"], line["player"], line["metrics"]["points"]) for line in answer["entries"]]


async def test_a_segment_is_a_board_of_its_own(stack: Stack) -> None:
    await publish_some(stack)
    whole = (await stack.get(BOARD)).json
    assert lines(whole) == [(1, "cyd", 9), (2, "bob", 7), (3, "ada", 5)]
    assert "segment" not in whole
    tools = (await stack.get(f"{BOARD}?segment=repo:acme%2Ftools")).json
    assert lines(tools) == [(1, "ada", 5), (2, "bob", 3)]
    assert (tools["segment"], tools["period"], tools["total"]) == ("repo:acme/tools", "all", 2)
    daily = (await stack.get(f"{BOARD}?segment=repo:b%26c&period=daily:2026-02-02")).json
    assert lines(daily) == [(1, "bob", 4)]
    assert lines((await stack.get(f"{BOARD}?segment=bot:true")).json) == [(1, "bob", 3)]


async def test_places_friends_and_history_of_a_segment(stack: Stack) -> None:
    await publish_some(stack)
    segment = "segment=repo:acme%2Ftools"
    place = (await stack.get(f"{BOARD}/players/bob?{segment}&around=1")).json
    assert (place["rank"], place["total"], place["metrics"]) == (2, 2, {"points": 3})
    assert place["segment"] == "repo:acme/tools"
    assert [line["player"] for line in place["around"]] == ["ada", "bob"]
    friends = (await stack.post(f"{BOARD}/ranks?{segment}", {"players": ["cyd", "bob"]})).json
    assert ([line["rank"] for line in friends["players"]], friends["missing"]) == ([2], ["cyd"])
    history = (await stack.get(f"{BOARD}/players/bob/history?{segment}")).json
    assert [line["metrics"] for line in history["history"]] == [{"points": 3}]
    assert (friends["segment"], history["segment"]) == ("repo:acme/tools", "repo:acme/tools")
    assert (await stack.get(f"{BOARD}/players/cyd?{segment}")).status == 404


async def test_segments_are_listed(stack: Stack) -> None:
    await publish_some(stack)
    # Lists are as fresh as the catalog, which a look at what it does not know yet refreshes.
    await stack.get(f"{BOARD}?segment=bot:true")
    every = (await stack.get(f"{BOARD}/segments")).json
    assert every == {
        "game": "arcade",
        "board": "best",
        "segments": ["bot:true", "repo:acme/tools", "repo:b&c"],
        "next": None,
    }
    first = (await stack.get(f"{BOARD}/segments?limit=2&period=all")).json
    assert first["next"] == "repo:acme/tools"
    rest = (await stack.get(f"{BOARD}/segments?limit=2&after=repo:acme%2Ftools")).json
    assert (rest["segments"], rest["next"]) == (["repo:b&c"], None)
    assert (await stack.get(f"{BOARD}/segments?period=daily:2020-01-01")).json["segments"] == []
    assert (await stack.get("/v1/games/arcade/boards/nope/segments")).status == 404
    boards = {line["board"]: line for line in (await stack.get("/v1/games/arcade")).json["boards"]}
    assert (boards["best"]["segments"], boards["plain"]["segments"]) == (["repo", "bot"], [])


async def test_a_segment_without_marks_is_empty(stack: Stack) -> None:
    await publish_some(stack)
    page = (await stack.get(f"{BOARD}?segment=repo:none")).json
    assert (page["entries"], page["total"], page["segment"]) == ([], 0, "repo:none")


@pytest.mark.parametrize("segment", ["", "repo", "repo:", ":x", "country:de", "repo:a%00b", "repo:a%0Ab"])
async def test_what_cannot_be_a_segment_is_refused(stack: Stack, segment: str) -> None:
    answer = await stack.get(f"{BOARD}?segment={segment}")
    assert answer.status == 400
    assert "repo:VALUE, bot:VALUE" in answer.body.decode()


async def test_a_board_without_segments_says_so(stack: Stack) -> None:
    answer = await stack.get("/v1/games/arcade/boards/plain?segment=repo:x")
    assert answer.status == 400
    assert "no segments" in answer.body.decode()


@pytest.mark.parametrize("value", ["", "a\nb", "x" * 129])
async def test_values_that_cannot_name_a_segment_are_refused(stack: Stack, value: str) -> None:
    event = score("e1", "ada", 5, attributes={"repo": value})
    answer = await stack.post("/v1/games/arcade/events", [event])
    assert answer.status == 400
    assert "attributes.repo" in answer.body.decode()
