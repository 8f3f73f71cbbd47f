"""Generations over HTTP: listing, building, looking at one, swapping, taking back, dropping; who may."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from api import generations as handlers
from projections import jobs
from tests.integration.api_stack import RULES, Answer, Stack, ruleset, running, score
from tests.services import eventually

pytestmark = pytest.mark.services
PATH = "/v1/games/arcade/generations"
BOARD = "/v1/games/arcade/boards/best"
UPSIDE_DOWN = RULES.replace('rank_by = ["points desc"]\nperiods', 'rank_by = ["points asc"]\nperiods')


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    async with running(database_url, redis_log_url, redis_rankings_url) as stack:
        await stack.publish(ruleset(), score("e1", "ada", 5), score("e2", "bob", 7))
        yield stack


async def act(stack: Stack, **wanted: Any) -> Answer:
    return await stack.request("POST", PATH, json=wanted)


async def built(stack: Stack, **wanted: Any) -> int:
    """Has a generation built, and waits for the job; its number."""
    accepted = await act(stack, action="build", **wanted)
    assert accepted.status == 202, accepted.json
    where = accepted.headers["Location"]

    async def done() -> bool:
        return (await stack.get(where)).json["state"] != "running"

    await eventually(done)
    job = (await stack.get(where)).json
    assert (job["state"], job["kind"], job["game"]) == ("done", "build", "arcade"), job
    return int(job["result"]["generation"])


async def listed(stack: Stack) -> list[tuple[int, str, str | None, bool]]:
    lines = (await stack.get(PATH)).json["generations"]
    return [(line["generation"], line["status"], line["name"], line["live"]) for line in lines]


async def leader(stack: Stack, **query: Any) -> str:
    found: str = (await stack.get(BOARD, params=query)).json["entries"][0]["player"]
    return found


async def test_a_shadow_is_built_seen_swapped_in_and_back_and_dropped(stack: Stack) -> None:
    shadow = await built(stack, name="trial", ruleset=UPSIDE_DOWN, shadow=True)
    assert await listed(stack) == [(1, "live", None, True), (shadow, "shadow", "trial", False)]
    await stack.publish(score("e3", "cid", 1))
    assert (await leader(stack), await leader(stack, generation=shadow)) == ("bob", "cid")
    place = await stack.get(f"{BOARD}/players/ada", params={"generation": shadow})
    assert (place.json["rank"], place.json["total"]) == (2, 3)
    many = await stack.request("POST", f"{BOARD}/ranks?generation={shadow}", json={"players": ["bob", "cid"]})
    assert [line["player"] for line in many.json["players"]] == ["cid", "bob"]
    game = (await stack.get("/v1/games/arcade", params={"generation": shadow})).json
    assert (game["generation"], game["ruleset_version"]) == (shadow, 2)
    assert {line["board"]: line["ranked_by"] for line in game["boards"]}["best"] == ["points (least first)"]
    assert (await stack.get("/v1/games/arcade")).json["generation"] == 1
    lines = (await stack.get(f"{BOARD}/export", params={"generation": shadow})).body.decode().splitlines()
    assert "cid" in lines[1]
    swapped = await act(stack, action="swap", generation=shadow)
    assert (swapped.status, swapped.json) == (
        200,
        {"game": "arcade", "generation": shadow, "action": "swap", "status": "live"},
    )
    await eventually(lambda: _is(leader(stack), "cid"))
    await stack.publish(score("e4", "dan", 9))
    back = await act(stack, action="swap_back")
    assert (back.status, back.json["generation"]) == (200, 1)
    await eventually(lambda: _is(leader(stack), "dan"))
    dropped = await act(stack, action="drop", name="trial")
    assert (dropped.status, dropped.json["status"]) == (200, "dropped")
    assert await listed(stack) == [(1, "live", None, True)]
    assert (await stack.get(BOARD, params={"generation": shadow})).status == 404


async def _is(found: Any, expected: str) -> bool:
    return bool(await found == expected)


async def test_a_build_that_does_not_follow_stays_where_it_is(stack: Stack) -> None:
    number = await built(stack)
    await stack.publish(score("e3", "cid", 9))
    assert await listed(stack) == [(1, "live", None, True), (number, "retired", None, False)]
    assert (await leader(stack), await leader(stack, generation=number)) == ("cid", "bob")
    # What it shows is as of where it was folded, and it does not wait for what it will never show.
    folded = (await stack.get(PATH)).json["generations"][1]["position"]
    assert (await stack.get(BOARD, params={"generation": number})).json["position"] == folded
    newest = (await stack.get(BOARD)).json["position"]
    assert newest > folded
    late = await stack.get(BOARD, params={"generation": number, "min_position": newest})
    assert late.json["type"] == "/problems/not-yet"
    assert (await act(stack, action="swap", generation=number)).status == 200
    await eventually(lambda: _is(leader(stack, generation=number), "cid"))


async def test_what_takes_long_is_a_job(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    number = await built(stack)
    monkeypatch.setattr(handlers, "WAIT_S", 0)
    answer = await act(stack, action="swap", generation=number)
    assert answer.status == 202

    async def done() -> bool:
        return (await stack.get(answer.headers["Location"])).json["state"] == "done"

    await eventually(done)
    assert (await listed(stack))[1] == (number, "live", None, True)


@pytest.mark.parametrize(
    ("wanted", "status", "field"),
    [
        ({"action": "jump"}, 400, "body"),
        ({"action": "swap", "generation": 1, "name": "trial"}, 400, "generation"),
        ({"action": "swap_back", "name": "trial"}, 400, "name"),
        ({"action": "build", "name": "2"}, 400, "name"),
        ({"action": "swap"}, 400, "generation"),
        ({"action": "swap", "generation": 99}, 404, None),
        ({"action": "swap", "name": "nobody"}, 404, None),
        ({"action": "swap", "generation": 1}, 409, None),
        ({"action": "drop", "generation": 1}, 409, None),
        ({"action": "drop", "generation": 1, "shadow": True}, 400, "shadow"),
        ({"action": "swap_back"}, 404, None),
        ({"action": "build", "generation": 3}, 400, "generation"),
        ({"action": "build", "name": ""}, 400, "name"),
        ({"action": "build", "ruleset": "no = "}, 400, None),
        ({"action": "build", "ruleset": RULES.replace('"arcade"', '"other"')}, 400, None),
    ],
)
async def test_what_cannot_be_done_is_named(
    stack: Stack, wanted: dict[str, Any], status: int, field: str | None
) -> None:
    answer = await act(stack, **wanted)
    assert answer.status == status, answer.json
    if field is not None:
        assert answer.json["problems"][0]["field"] == field
    assert await listed(stack) == [(1, "live", None, True)]


async def test_one_build_without_a_name_at_a_time(stack: Stack) -> None:
    job = await jobs.create(stack.pool, "arcade", "build")
    refused = await act(stack, action="build")
    assert (refused.status, refused.json["type"]) == (409, "/problems/conflict")
    assert job in refused.json["detail"]
    assert await built(stack, name="trial") == 2
    # One that nobody hears of any more is over.
    await stack.pool.execute("UPDATE jobs SET heartbeat = now() - interval '1 minute' WHERE job_id = $1", job)
    assert await built(stack) == 3


async def test_which_generations_can_be_read(stack: Stack) -> None:
    assert (await stack.get(BOARD, params={"generation": 1})).status == 200
    assert (await stack.get(BOARD, params={"generation": 99})).status == 404
    assert (await stack.get(BOARD, params={"generation": 0})).status == 400
    assert (await stack.get(BOARD, params={"generation": 1, "known_at": "1.0.1-0"})).status == 400
    assert (await stack.get("/v1/games/nope/generations")).status == 404
    assert (await asyncio.gather(*(stack.get(BOARD, params={"generation": 1}) for _ in range(3))))[2].status == 200
