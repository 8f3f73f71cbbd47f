"""Rejections over HTTP: what does not count, why, page by page and for one player; picks that the rules forbid are refused."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.integration.api_stack import Stack, ruleset, running

pytestmark = pytest.mark.services
PATH = "/v1/games/arcade/rejections"
RULES = """
game = "arcade"
[metrics.points]
[sources.p]
origin = "picks"
grades = [{}]
[boards.b]
rank_by = ["points desc"]
metrics = { points = { op = "sum", of = "points" } }
"""


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    async with running(database_url, redis_log_url, redis_rankings_url) as stack:
        await stack.publish(ruleset(RULES))
        yield stack


def pick(id_: str, player: str, fixture: str = "f") -> dict[str, Any]:
    return {"id": id_, "type": "pick", "player": player, "fixture": fixture, "choice": "x"}


async def test_rejections_are_listed_newest_first_and_page_by_page(stack: Stack) -> None:
    assert (await stack.get(PATH)).json["rejections"] == []
    players = [f"p{at % 3}" for at in range(7)]
    answer = await stack.publish(*(pick(f"e{at}", player) for at, player in enumerate(players)))
    page = (await stack.get(f"{PATH}?limit=5&min_position={answer['position']}")).json
    assert [line["event"] for line in page["rejections"]] == ["e6", "e5", "e4", "e3", "e2"]
    first = page["rejections"][0]
    assert (first["player"], first["field"]) == ("p0", "fixture")
    assert first["reason"] == "unknown fixture f: nobody has planned it"
    assert first["position"] == answer["position"]
    rest = (await stack.get(f"{PATH}?limit=5&after={page['next']}")).json
    assert [line["event"] for line in rest["rejections"]] == ["e1", "e0"]
    assert rest["next"] is None
    mine = (await stack.get(f"{PATH}?player=p1")).json
    assert [line["event"] for line in mine["rejections"]] == ["e4", "e1"]
    assert (await stack.get(f"{PATH}?player=nobody")).json["rejections"] == []


async def test_a_pick_that_counts_is_no_rejection(stack: Stack) -> None:
    planned = {"id": "f", "type": "fixture", "fixture": "f", "round": 1, "starts_at": 253_402_300_000_000}
    result = {"id": "r", "type": "result", "fixture": "f", "outcomes": {"winner": ["x"]}}
    await stack.publish(planned, pick("e1", "ann"), result, pick("e2", "bob"))
    assert [line["event"] for line in (await stack.get(PATH)).json["rejections"]] == ["e2"]
    board = (await stack.get("/v1/games/arcade/boards/b")).json
    assert [(line["player"], line["metrics"]) for line in board["entries"]] == [("ann", {"points": 1})]


async def test_what_the_rules_alone_forbid_is_refused_at_once(stack: Stack) -> None:
    bad = [{**pick("e1", "ann"), "market": "other"}, {**pick("e2", "ann"), "stake": 2}, pick("e3", "ann")]
    answer = await stack.post("/v1/games/arcade/events", bad)
    assert answer.status == 400
    assert [(item["index"], item["field"]) for item in answer.json["problems"]] == [(0, "market"), (1, "stake")]


@pytest.mark.parametrize("query", ["after=1", "limit=0", "player=", "other=1", "min_position=x"])
async def test_a_malformed_query_is_refused(stack: Stack, query: str) -> None:
    answer = await stack.get(f"{PATH}?{query}")
    assert answer.status == 400
    assert answer.json["problems"][0]["field"] == query.partition("=")[0]


async def test_an_unknown_game_is_not_found(stack: Stack) -> None:
    assert (await stack.get("/v1/games/chess/rejections")).status == 404
