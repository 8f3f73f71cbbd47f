"""Tiers, movement, badges and segments of players over HTTP."""

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
movement = "round"
segments = { country = "player" }
tiers = [{ name = "gold", top = 1 }, { name = "rich", where = { points = { min = 20 } } }]
[boards.best.metrics]
points = { op = "sum", of = "points" }
[boards.best.badges]
thirty = { where = { points = { min = 30 } }, title = "Thirty points" }
ten = { where = { points = { min = 10 } } }
[boards.plain]
rank_by = ["points desc"]
[boards.plain.metrics]
points = { op = "sum", of = "points" }
"""
BOARD = "/v1/games/arcade/boards/best"
AT = "2026-02-02T02:40:00Z"


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    async with running(database_url, redis_log_url, redis_rankings_url) as stack:
        await stack.publish(ruleset(RULES))
        yield stack


def moved(answer: Any, key: str = "entries") -> list[tuple[int, str, int | None, str | None]]:
    return [(line["rank"], line["player"], line["movement"], line["tier"]) for line in answer[key]]


async def two_rounds(stack: Stack) -> Any:
    """Ann leads the first round; in the second one bob overtakes her, and dan comes in."""
    await stack.publish(
        score("e1", "ann", 20, round=1),
        score("e2", "bob", 15, round=1),
        score("e3", "cid", 5, round=1),
    )
    return await stack.publish(score("e4", "bob", 15, round=2), score("e5", "dan", 7, round=2))


async def test_movement_is_against_the_end_of_the_round_before(stack: Stack) -> None:
    await stack.publish(score("e1", "ann", 20, round=1))
    assert moved((await stack.get(BOARD)).json) == [(1, "ann", None, "gold")]
    await stack.publish(score("e2", "bob", 15, round=1), score("e3", "cid", 5, round=1))
    first = await stack.get(BOARD)
    assert moved(first.json) == [(1, "ann", None, "gold"), (2, "bob", None, None), (3, "cid", None, None)]
    answer = await stack.publish(score("e4", "bob", 15, round=2), score("e5", "dan", 7, round=2))
    expected = [(1, "bob", 1, "gold"), (2, "ann", -1, "rich"), (3, "dan", None, None), (4, "cid", -1, None)]
    assert moved((await stack.get(BOARD)).json) == expected
    fresh = await stack.get(f"{BOARD}?limit=3&min_position={answer['position']}")
    assert moved(fresh.json) == expected[:3]
    assert first.headers["ETag"] != fresh.headers["ETag"]
    await stack.publish(score("e6", "cid", 0, round=3))
    # Nobody's place has changed, but the round has.
    assert [line[2] for line in moved((await stack.get(BOARD)).json)] == [0, 0, 0, 0]


async def test_a_place_shows_movement_tier_and_badges(stack: Stack) -> None:
    published = await two_rounds(stack)
    answer = await stack.get(f"{BOARD}/players/bob?around=1")
    place = answer.json
    assert (place["rank"], place["movement"], place["tier"]) == (1, 1, "gold")
    assert moved(place, "around") == [(1, "bob", 1, "gold"), (2, "ann", -1, "rich")]
    assert [(badge["badge"], badge["title"]) for badge in place["badges"]] == [
        ("ten", "ten"),
        ("thirty", "Thirty points"),
    ]
    thirty = place["badges"][1]
    assert thirty["position"] == published["positions"][0]
    assert thirty["occurred_at"] == AT
    dan = (await stack.get(f"{BOARD}/players/dan")).json
    assert (dan["movement"], dan["tier"], dan["badges"]) == (None, None, [])
    again = await stack.get(f"{BOARD}/players/bob?around=1", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status == 304


async def test_a_badge_is_news_even_if_the_place_is_the_same(stack: Stack) -> None:
    await stack.publish(score("e1", "ann", 5, round=1))
    before = await stack.get(f"{BOARD}/players/ann")
    assert before.json["badges"] == []
    await stack.pause()
    await stack.publish(score("e2", "ann", 9, round=1), wait=False)
    adjustment = {"id": "e3", "type": "adjustment", "player": "ann", "values": {"points": -9}, "reason": "x"}
    await stack.publish(adjustment, wait=False)
    await stack.consume()
    position = (await stack.publish(score("e4", "bob", 1, round=1)))["position"]
    path = f"{BOARD}/players/ann?min_position={position}"
    after = await stack.get(path, headers={"If-None-Match": before.headers["ETag"]})
    assert after.status == 200
    assert [badge["badge"] for badge in after.json["badges"]] == ["ten"]
    assert after.json["metrics"] == {"points": 5}


async def test_friends_have_movement_and_plain_boards_have_nothing_of_it(stack: Stack) -> None:
    await two_rounds(stack)
    friends = (await stack.post(f"{BOARD}/ranks", {"players": ["ann", "dan"]})).json["players"]
    assert [(friend["player"], friend["movement"], friend["tier"]) for friend in friends] == [
        ("ann", -1, "rich"),
        ("dan", None, None),
    ]
    plain = "/v1/games/arcade/boards/plain"
    [line, *_] = (await stack.get(plain)).json["entries"]
    assert line.keys() == {"rank", "player", "metrics", "tied"}
    assert not {"tier", "movement", "badges"} & (await stack.get(f"{plain}/players/ann")).json.keys()


async def test_players_move_between_segments_with_their_profile(stack: Stack) -> None:
    def lives(id_: str, player: str, country: str) -> dict[str, Any]:
        return {"id": id_, "type": "player", "player": player, "attributes": {"country": country}}

    await stack.publish(lives("p1", "ann", "no"), lives("p2", "bob", "no"))
    await two_rounds(stack)
    norway = f"{BOARD}?segment=country:no"
    assert moved((await stack.get(norway)).json) == [(1, "bob", 1, "gold"), (2, "ann", -1, "rich")]
    await stack.publish(lives("p3", "bob", "se"), lives("p4", "cid", "no"))
    assert moved((await stack.get(norway)).json) == [(1, "ann", 0, "gold"), (2, "cid", 0, None)]
    assert moved((await stack.get(f"{BOARD}?segment=country:se")).json) == [(1, "bob", 0, "gold")]
    place = (await stack.get(f"{BOARD}/players/ann?segment=country:no")).json
    assert (place["movement"], place["segment"], "badges" in place) == (0, "country:no", False)
    listed = (await stack.get(f"{BOARD}/segments")).json["segments"]
    assert listed == ["country:no", "country:se"]
    assert (await stack.get(f"{BOARD}?segment=%3C")).status == 400
    places = (await stack.get("/v1/games/arcade/players/bob")).json["places"]
    assert {(at["board"], at.get("segment")) for at in places} == {
        ("best", None),
        ("best", "country:se"),
        ("plain", None),
    }
