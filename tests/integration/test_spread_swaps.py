"""Reading a spread game while other rules go live in all of its parts, and while events come."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.integration.api_stack import Stack, running, score
from tests.integration.spread_twin import PLAYERS, RULES, alike, everything, plain, play, unspread
from tests.integration.test_spread import SHARDS
from tests.services import eventually

pytestmark = pytest.mark.services
DOUBLED = RULES.replace('[sources.score]\norigin = "score"', '[sources.score]\norigin = "score"\nper = { points = 1 }')

SPREAD = "spread = true"


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    async with running(database_url, redis_log_url, redis_rankings_url, shards=SHARDS) as stack:
        yield stack


async def act(stack: Stack, game: str, **wanted: Any) -> int:
    """Has something done with a game's generations, and waits for it; the number of the generation."""
    answer = await stack.request("POST", f"/v1/games/{game}/generations", json=wanted)
    assert answer.status in (200, 202), answer.body
    if answer.status == 200:
        return int(answer.json["generation"])
    where = answer.headers["Location"]

    async def done() -> bool:
        return (await stack.get(where)).json["state"] != "running"

    await eventually(done)
    job = (await stack.get(where)).json
    assert job["state"] == "done", job
    return int(job["result"]["generation"])


async def lives(stack: Stack, version: int) -> None:
    """Waits until readers are shown a version of the rules."""

    async def seen() -> bool:
        games = [(await stack.get(f"/v1/games/{game}")).json for game in ("arcade", "twin")]
        return all(game["ruleset_version"] == version for game in games)

    await eventually(seen)


async def test_a_shadow_of_all_parts_is_seen_and_swapped_in_and_back(stack: Stack) -> None:
    await play(stack)
    rules = {"arcade": DOUBLED, "twin": unspread(DOUBLED)}
    made = {game: await act(stack, game, action="build", shadow=True, ruleset=rules[game]) for game in rules}
    first = await alike(stack, "/boards/total?limit=100")
    for path in (
        "/boards/total?limit=100&",
        f"/boards/best/players/{PLAYERS[7]}?around=3&",
        "?",
        "/boards/total/segments?",
    ):
        beside = [(await stack.get(f"/v1/games/{game}{path}generation={made[game]}")).json for game in rules]
        assert plain(beside[0]) == plain(beside[1])
    shadow = (await stack.get(f"/v1/games/arcade/boards/total?limit=100&generation={made['arcade']}")).json
    assert shadow["entries"] != first["entries"]
    files = [await stack.get(f"/v1/games/{game}/boards/total/export?generation={made[game]}") for game in rules]
    assert files[0].body == files[1].body
    assert (await stack.get(f"/v1/games/arcade/boards/total?generation={made['arcade'] + 1}")).status == 404
    for game in rules:
        # Else the swap would be the last that was displayed at the position.
        await stack.publish(*({"id": f"again-{each}", "type": "player", "player": each} for each in PLAYERS), game=game)
        assert await act(stack, game, action="swap", generation=made[game]) == made[game]
    await lives(stack, 2)
    await everything(stack)
    assert (await alike(stack, "/boards/total?limit=100"))["entries"] == shadow["entries"]
    then = (await stack.get(f"/v1/games/arcade/boards/total?limit=100&known_at={first['position']}")).json
    assert then["entries"] == first["entries"]
    await stack.rankings.flushdb()
    for game in rules:
        await act(stack, game, action="swap_back")
    await lives(stack, 1)
    assert (await alike(stack, "/boards/total?limit=100"))["entries"] == first["entries"]
    for player in (PLAYERS[2], PLAYERS[7]):
        held = (await stack.get(f"/v1/games/arcade/boards/total/players/{player}/history?by=change")).json
        assert held["history"][0]["metrics"] == held["history"][2]["metrics"] != held["history"][1]["metrics"]


@pytest.mark.parametrize("rules", [(RULES, DOUBLED), (RULES.replace(SPREAD, ""), DOUBLED.replace(SPREAD, ""))])
async def test_no_answer_mixes_generations_or_lacks_what_was_waited_for(stack: Stack, rules: tuple[str, str]) -> None:
    """Everybody has run once, with one point under the first rules and with two under the others, so any mixture shows."""
    await stack.publish({"id": "r", "type": "ruleset", "version": 1, "text": rules[0]})
    crowd = [f"one-{number}" for number in range(40)]
    await stack.publish(*(score(f"s-{player}", player, 1) for player in crowd))
    number = await act(stack, "arcade", action="build", shadow=True, ruleset=rules[1])
    over, versions = asyncio.Event(), set[int]()

    async def write() -> None:
        for group in range(25):
            new = [f"new-{group}-{each}" for each in range(4)]
            sent = await stack.publish(*(score(f"s-{player}", player, 1) for player in new), wait=False)
            page = (await stack.get(f"/v1/games/arcade/boards/total?min_position={sent['position']}")).json
            assert page["total"] == 40 + 4 * (group + 1)
            if group in (8, 16):
                action = {"action": "swap", "generation": number} if group == 8 else {"action": "swap_back"}
                await act(stack, "arcade", **action)
        over.set()

    async def read() -> None:
        while not over.is_set():
            page = (await stack.get("/v1/games/arcade/boards/total?limit=1000")).json
            points = {entry["metrics"]["points"] for entry in page["entries"]}
            assert len(points) == 1
            assert {entry["rank"] for entry in page["entries"]} == {1}
            assert len({entry["player"] for entry in page["entries"]}) == len(page["entries"])
            versions.update(points)
            place = (await stack.get(f"/v1/games/arcade/boards/total/players/{crowd[0]}?around=2")).json
            assert place["metrics"]["points"] in (1, 2)
            assert place["rank"] == 1
            lines = (await stack.get("/v1/games/arcade/boards/total/export?format=jsonl")).body.splitlines()
            assert len({line.partition(b'"points":')[2][:1] for line in lines}) == 1
            assert len(lines) >= page["total"]

    await asyncio.gather(write(), read(), read())
    assert versions == {1, 2}
