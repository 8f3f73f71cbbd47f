"""Dead letters over HTTP: they are listed with their reasons, and are folded once their reason is gone."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from projections.names import stream_key
from tests.integration.api_stack import Stack, ruleset, running
from tests.services import eventually

pytestmark = pytest.mark.services
PATH = "/v1/games/arcade/dead-letters"
BOARD = "/v1/games/arcade/boards/best"


def body(id_: str, **values: int) -> bytes:
    shown = ",".join(f'"{name}":{value}' for name, value in values.items())
    return f'{{"id":"{id_}","type":"score","game":"arcade","player":"ada","values":{{{shown}}}}}'.encode()


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    """Three entries that came before the game; the first of them has a metric that no rule knows."""
    async with running(database_url, redis_log_url, redis_rankings_url) as stack:
        await stack.log.xadd(stream_key(0), {"event": body("e0", points=1, level=1)})
        for at in (1, 2):
            await stack.log.xadd(stream_key(0), {"event": body(f"e{at}", points=at + 1)})
        await stack.publish(ruleset())
        await eventually(lambda: _has(stack, 3), what="three dead letters")
        yield stack


async def _has(stack: Stack, count: int) -> bool:
    return len((await listed(stack)).json["dead_letters"]) == count


async def listed(stack: Stack, query: str = "") -> Any:
    return await stack.get(PATH + query)


async def test_they_are_listed_oldest_first_and_page_by_page(stack: Stack) -> None:
    page = (await listed(stack, "?limit=2")).json
    first = page["dead_letters"][0]
    assert first["body"].encode() == body("e0", points=1, level=1)
    assert (first["field"], first["status"]) == ("game", "open")
    assert first["reason"]
    rest = (await listed(stack, f"?limit=2&after={page['next']}")).json
    assert ["e2" in line["body"] for line in rest["dead_letters"]] == [True]
    assert rest["next"] is None
    assert (await listed(stack, "?status=retried")).json["dead_letters"] == []


async def test_a_retry_counts_once_the_reason_is_gone(stack: Stack) -> None:
    letters = (await listed(stack)).json["dead_letters"]
    again = await stack.request("POST", f"{PATH}/{letters[0]['id']}/retry?wait=10000")
    assert (again.status, again.json["status"], again.json["visible"]) == (202, "retried", True)
    left = (await listed(stack)).json["dead_letters"]
    assert [line["id"] for line in left[:2]] == [letters[1]["id"], letters[2]["id"]]
    assert left[2]["position"] == again.json["position"], "what fails again is a new one"
    assert left[2]["field"] == "values.level"
    assert (await stack.get(BOARD)).json["total"] == 0
    answer = (await stack.request("POST", f"{PATH}/{letters[2]['id']}/retry?wait=10000")).json
    repeated = (await stack.request("POST", f"{PATH}/{letters[2]['id']}/retry?wait=10000")).json
    assert repeated == {"id": letters[2]["id"], "status": "retried", "position": None}
    assert answer["visible"]
    assert [line["metrics"]["points"] for line in (await stack.get(BOARD)).json["entries"]] == [3]
    retried = (await listed(stack, "?status=retried")).json["dead_letters"]
    assert [line["id"] for line in retried] == [letters[0]["id"], letters[2]["id"]]
    assert len((await listed(stack, "?status=all")).json["dead_letters"]) == 4


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/games/arcade/dead-letters/0/retry", 404),
        ("/v1/games/arcade/dead-letters/x/retry", 404),
        (f"/v1/games/arcade/dead-letters/{9**40}/retry", 404),
        ("/v1/games/chess/dead-letters/1/retry", 404),
        ("/v1/games/arcade/dead-letters/1/retry?wait=x", 400),
        ("/v1/games/arcade/dead-letters/1/retry?now=1", 400),
    ],
)
async def test_what_does_not_exist_is_not_retried(stack: Stack, path: str, status: int) -> None:
    before = await stack.logged()
    assert (await stack.request("POST", path)).status == status
    assert await stack.logged() == before


@pytest.mark.parametrize("query", ["status=lost", "limit=0", "after=x", "other=1"])
async def test_a_malformed_query_is_refused(stack: Stack, query: str) -> None:
    answer = await listed(stack, f"?{query}")
    assert (answer.status, answer.json["problems"][0]["field"]) == (400, query.partition("=")[0])


async def test_a_log_that_lost_its_epoch_is_not_written_to(stack: Stack) -> None:
    letter = (await listed(stack)).json["dead_letters"][0]
    await stack.pause()
    await stack.log.flushall()
    answer = await stack.request("POST", f"{PATH}/{letter['id']}/retry")
    assert (answer.status, answer.json["type"]) == (503, "/problems/log-broken")
    assert await stack.logged() == 0
    assert (await listed(stack)).json["dead_letters"][0]["status"] == "open"


async def test_what_is_no_event_is_told_to_the_game_that_it_names(stack: Stack) -> None:
    named = b'{"id": "e9", "type": "score", "game": "arcade", "player": "", "values": {"points": 1}}'
    for content in (named, b'{"id": "e9", "game": "arcade"', b'{"game": 7}', b'{"game": "a\\u0000b"}', b"arcade"):
        await stack.log.xadd(stream_key(0), {"event": content})
    await eventually(lambda: _has(stack, 4), what="the dead letter that names the game")
    letter = (await listed(stack)).json["dead_letters"][-1]
    assert (letter["body"].encode(), letter["field"]) == (named, "player")
    again = await stack.request("POST", f"{PATH}/{letter['id']}/retry?wait=10000")
    assert (again.status, again.json["visible"]) == (202, True)
