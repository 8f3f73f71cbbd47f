"""Players over HTTP: names wherever they are listed, hidden players, profiles with all places."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest
from aiohttp.test_utils import TestClient, TestServer

from api.app import make_app
from tests.integration.api_stack import RULES, Stack, ruleset, running, score
from tests.services import eventually

pytestmark = pytest.mark.services
GAME = "/v1/games/arcade"
BOARD = f"{GAME}/boards/best"
DAY = "daily:2026-02-02"


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    async with running(database_url, redis_log_url, redis_rankings_url) as stack:
        await stack.publish(ruleset())
        yield stack


def player(id_: str, who: str, **fields: Any) -> dict[str, Any]:
    """What is said of a player."""
    return {"id": id_, "type": "player", "player": who, **fields}


async def four(stack: Stack) -> None:
    """Ann 10, bob and cid 8, dan 3."""
    scores = {"ann": 10, "bob": 8, "cid": 8, "dan": 3}
    await stack.publish(*(score(f"e-{who}", who, points) for who, points in scores.items()))


async def names_on(stack: Stack, path: str = BOARD) -> list[tuple[int, str, str | None]]:
    """Rank, player and name of every line."""
    return [(line["rank"], line["player"], line.get("name")) for line in (await stack.get(path)).json["entries"]]


async def until_names_are(stack: Stack, expected: list[tuple[int, str, str | None]]) -> None:
    """A page may be as old as it may be served without a look, some milliseconds; then it shows this."""

    async def shown() -> bool:
        return await names_on(stack) == expected

    await eventually(shown)


async def test_names_show_wherever_players_are_listed_and_change_at_once(stack: Stack) -> None:
    await four(stack)
    before = await stack.get(BOARD)
    assert all("name" not in line for line in before.json["entries"])
    for number, name in enumerate(["Ann A.", "Ann B."]):
        await stack.publish(player(f"p{number}", "ann", name=name))
        await until_names_are(stack, [(1, "ann", name), (2, "bob", None), (2, "cid", None), (4, "dan", None)])
        place = (await stack.get(f"{BOARD}/players/bob?around=1")).json
        assert "name" not in place
        assert [line.get("name") for line in place["around"]] == [name, None, None]
        assert (await stack.get(f"{BOARD}/players/ann")).json["name"] == name
        friends = (await stack.post(f"{BOARD}/ranks", {"players": ["dan", "ann"]})).json["players"]
        assert [line.get("name") for line in friends] == [name, None]
    after = await stack.get(BOARD, headers={"If-None-Match": before.headers["ETag"]})
    assert after.status == 200
    assert (await stack.get(BOARD, headers={"If-None-Match": after.headers["ETag"]})).status == 304


async def test_names_are_there_while_redis_is_not(stack: Stack) -> None:
    await four(stack)
    await stack.publish(*(player(f"p-{who}", who, name=who.title()) for who in ("ann", "bob", "cid")))
    assert [name for _, _, name in await names_on(stack)] == ["Ann", "Bob", "Cid", None]
    await stack.rankings.flushall()
    assert [name for _, _, name in await names_on(stack, f"{BOARD}?limit=9")] == ["Ann", "Bob", "Cid", None]


class Breaking(asyncpg.Connection):
    """Breaks off whenever something is asked for, while it is `broken`."""

    broken = False

    async def fetch(self, query: str, *args: Any, **others: Any) -> list[Any]:
        if Breaking.broken:
            self.terminate()
        return await super().fetch(query, *args, **others)


async def test_names_come_back_with_postgresql(stack: Stack, database_url: str) -> None:
    await four(stack)
    await stack.publish(*(player(f"p-{who}", who, name=who.title()) for who in ("ann", "bob", "cid")))
    pool = await asyncpg.create_pool(database_url, min_size=1, max_size=4, connection_class=Breaking)
    async with TestClient(TestServer(make_app(pool, stack.log, stack.rankings))) as client:
        other = Stack(client, pool, stack.log, stack.rankings)
        assert (await other.get(f"{BOARD}/players/dan")).status == 200
        Breaking.broken = True
        without = await other.get(BOARD)
        Breaking.broken = False
        assert [line.get("name") for line in without.json["entries"]] == [None] * 4

        async def named() -> bool:
            return [name for _, _, name in await names_on(other)] == ["Ann", "Bob", "Cid", None]

        await eventually(named)
        assert (await other.get(BOARD, headers={"If-None-Match": without.headers["ETag"]})).status == 200
    pool.terminate()


async def test_a_hidden_player_is_shown_to_himself_only(stack: Stack) -> None:
    await four(stack)
    before = (await stack.get(f"{BOARD}/players/bob")).json
    await stack.publish(player("p1", "bob", status="hidden"))
    await until_names_are(stack, [(1, "ann", None), (2, "cid", None), (3, "dan", None)])
    mine = (await stack.get(f"{BOARD}/players/bob?around=1")).json
    assert mine.pop("hidden") is True
    assert [line["player"] for line in mine["around"]] == ["ann", "cid"]
    assert (mine.pop("previous"), mine.pop("next") is None) == (None, False)
    assert {**mine, "position": "", "around": []} == {**before, "position": ""}
    cid = (await stack.get(f"{BOARD}/players/cid?around=5")).json
    assert (cid["rank"], cid["tied"], cid["total"], cid["percentile"]) == (2, 1, 3, 66.6667)
    assert [line["player"] for line in cid["around"]] == ["ann", "cid", "dan"]
    friends = (await stack.post(f"{BOARD}/ranks", {"players": ["ann", "bob", "dan"]})).json
    assert ([line["player"] for line in friends["players"]], friends["missing"]) == (["ann", "dan"], ["bob"])
    assert (friends["total"], friends["players"][1]["rank"]) == (3, 3)

    # Scores go on, for himself.
    await stack.publish(score("e2", "bob", 20))
    assert (await stack.get(f"{BOARD}/players/bob")).json["rank"] == 1
    assert len(await names_on(stack)) == 3
    history = (await stack.get(f"{BOARD}/players/bob/history")).json["history"]
    shown = [(line["ranked"], line.get("hidden", False), line["metrics"]["points"]) for line in history]
    assert shown == [(True, True, 20), (True, True, 8), (True, False, 8)]

    # The same out of PostgreSQL.
    await stack.pause()
    await stack.rankings.flushall()
    assert (await stack.get(f"{BOARD}/players/bob")).json["hidden"] is True
    assert len(await names_on(stack, f"{BOARD}?limit=9")) == 3
    await stack.consume()
    await stack.publish(player("p2", "bob", status="active"))
    assert [who for _, who, _ in await names_on(stack)] == ["bob", "ann", "cid", "dan"]
    assert "hidden" not in (await stack.get(f"{BOARD}/players/bob")).json


async def test_a_banned_player_is_gone_and_comes_back_with_all_he_did(stack: Stack) -> None:
    await four(stack)
    await stack.publish(player("p1", "ann", status="banned"))
    assert await names_on(stack) == [(1, "bob", None), (1, "cid", None), (3, "dan", None)]
    assert (await stack.get(f"{BOARD}/players/ann")).status == 404
    await stack.publish(score("e2", "ann", 12))
    profile = (await stack.get(f"{GAME}/players/ann")).json
    assert (profile["status"], profile["places"]) == ("banned", [])
    await stack.publish(player("p2", "ann", status="active"))
    place = (await stack.get(f"{BOARD}/players/ann")).json
    assert (place["rank"], place["metrics"]["points"]) == (1, 12)


async def test_a_profile_has_the_place_on_every_board(stack: Stack) -> None:
    await four(stack)
    who = "ann/é"
    await stack.publish(score("e1", who, 9), player("p1", who, name="Ann", attributes={"country": "NO", "vip": True}))
    path = f"{GAME}/players/{quote(who, safe='')}"
    page = (await stack.get(path)).json
    places = page.pop("places")
    position = page.pop("position")
    assert page == {
        "game": "arcade",
        "player": who,
        "status": "active",
        "attributes": {"country": "NO", "vip": True},
        "next": None,
        "name": "Ann",
    }
    assert places[0]["period"] == "all"
    assert {(line["board"], line["period"]) for line in places} == {("best", "all"), ("best", DAY), ("today", DAY)}
    for line in places:
        url = f"{GAME}/boards/{line['board']}/players/{quote(who, safe='')}?period={line['period']}"
        place = (await stack.get(url)).json
        assert {name: place[name] for name in line} == line
    assert (await stack.get(f"{path}?min_position={position}&board=today")).json["places"] == [
        line for line in places if line["board"] == "today"
    ]
    seen, after = [], ""
    while True:
        part = (await stack.get(f"{path}?limit=1{after}")).json
        seen += part["places"]
        if part["next"] is None:
            break
        after = f"&after={part['next']}"
    assert seen == places


async def test_segments_are_places_too_but_not_what_movement_compares_with(stack: Stack) -> None:
    moving = 'movement = "daily"\nsegments = { country = "player" }\n[boards.best.metrics.points]'
    text = RULES.replace('"arcade"', '"moving"').replace("[boards.best.metrics.points]", moving)
    await stack.publish(ruleset(text), game="moving")
    yesterday = 1_769_900_000_000
    await stack.publish(
        player("p1", "ann", attributes={"country": "no"}),
        score("e0", "ann", 1, occurred_at=yesterday),
        score("e1", "ann", 5),
        game="moving",
    )
    places = (await stack.get("/v1/games/moving/players/ann?board=best")).json["places"]
    assert [(line["period"], line.get("segment")) for line in places if line["period"] == "all"] == [
        ("all", "country:no"),
        ("all", None),
    ]
    assert all(line.get("segment") in (None, "country:no") for line in places)


async def test_who_has_no_profile_and_who_does_not_exist(stack: Stack) -> None:
    await four(stack)
    page = (await stack.get(f"{GAME}/players/dan")).json
    assert (page["status"], page["attributes"], len(page["places"])) == ("active", {}, 3)
    assert "name" not in page
    await stack.publish(player("p1", "eve", name="Eve"))
    assert (await stack.get(f"{GAME}/players/eve")).json["places"] == []
    for path in (f"{GAME}/players/nobody", "/v1/games/chess/players/ann", f"{GAME}/players/ann?board=nope"):
        assert (await stack.get(path)).status == 404
    for query in ("after=x", "after=2.1", "limit=0", "period=all", "min_position=x"):
        assert (await stack.get(f"{GAME}/players/ann?{query}")).status == 400


async def test_a_name_that_changes_while_pages_are_read(stack: Stack) -> None:
    await four(stack)
    await stack.publish(player("p", "ann", name="0"))
    for number in range(1, 30):
        made = await stack.publish(player(f"p{number}", "ann", name=str(number)))
        line = (await stack.get(f"{BOARD}?min_position={made['position']}")).json["entries"][0]
        assert line["name"] == str(number)
