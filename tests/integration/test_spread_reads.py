"""Reading a spread game: what one game that is not spread would have answered, but for positions."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.integration.api_stack import Answer, Stack, running, score
from tests.integration.spread_twin import PLAYERS, alike, everything, plain, play
from tests.integration.test_spread import SHARDS
from tests.services import eventually

pytestmark = pytest.mark.services


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    async with running(database_url, redis_log_url, redis_rankings_url, shards=SHARDS) as stack:
        yield stack


def listed(page: Any) -> list[tuple[str, Any]]:
    """What rejections say, in an order that both games have."""
    return sorted((each["event"], each["player"], each["field"]) for each in page["rejections"])


async def test_rejections_are_told_once(stack: Stack) -> None:
    await play(stack)
    both = [(await stack.get(f"/v1/games/{game}/rejections")).json for game in ("arcade", "twin")]
    assert listed(both[0]) == listed(both[1])
    assert {"odd", "late", "old"} <= {event for event, *_ in listed(both[0])}
    page = (await stack.get("/v1/games/arcade/rejections?limit=1")).json
    seen = page["rejections"]
    while page["next"]:
        page = (await stack.get(f"/v1/games/arcade/rejections?limit=1&after={page['next']}")).json
        seen += page["rejections"]
    assert seen == both[0]["rejections"]
    await alike(stack, f"/rejections?player={PLAYERS[8]}")


async def test_history_and_what_was_displayed(stack: Stack) -> None:
    await play(stack)
    before = (await stack.get("/v1/games/arcade/boards/total?limit=100")).json
    for game in ("arcade", "twin"):
        await stack.publish(*(score(f"more-{player}", player, 50, round=4) for player in PLAYERS[5:20]), game=game)
    after = (await stack.get("/v1/games/arcade/boards/total?limit=100")).json
    assert after["entries"] != before["entries"]
    for known_at, shown in ((before["position"], before), (after["position"], after)):
        for _ in range(2):
            then = (await stack.get(f"/v1/games/arcade/boards/total?limit=100&known_at={known_at}")).json
            assert then.pop("known_at") == known_at
            assert then == shown
        place = (await stack.get(f"/v1/games/arcade/boards/total/players/{PLAYERS[6]}?known_at={known_at}")).json
        (listed,) = [each for each in shown["entries"] if each["player"] == PLAYERS[6]]
        assert (place["rank"], place["total"]) == (listed["rank"], shown["total"])
        lines = (await stack.get(f"/v1/games/arcade/boards/total/export?format=jsonl&known_at={known_at}")).body
        assert lines.count(b"\n") == shown["total"]
    for player in (PLAYERS[6], PLAYERS[1]):
        await alike(stack, f"/boards/total/players/{player}/history")
        held = (await stack.get(f"/v1/games/arcade/boards/total/players/{player}/history?by=change")).json
        assert len(held["ranks"]) == len(held["history"])
        for line in held["ranks"]:
            then = f"/v1/games/arcade/boards/total/players/{player}?known_at={line['position']}"
            place = (await stack.get(then)).json
            assert [place[key] for key in ("rank", "tied", "total")] == [line[key] for key in ("rank", "tied", "total")]
        for by in ("day", "round"):
            await alike(stack, f"/boards/total/players/{player}/history?by={by}")
    twin = (await stack.get("/v1/games/twin/boards/total")).json["position"]
    for game, known_at in (
        ("arcade", twin),
        ("twin", before["position"]),
        ("arcade", before["position"].rpartition(",")[0]),
    ):
        refused = await stack.get(f"/v1/games/{game}/boards/total?known_at={known_at}")
        assert (refused.status, refused.json["problems"][0]["field"]) == (400, "known_at")


async def test_a_read_waits_for_one_position_or_for_several(stack: Stack) -> None:
    await play(stack)
    await stack.pause()
    sent = await stack.publish(*(score(f"late-{player}", player, 500) for player in PLAYERS), wait=False)
    assert len(sent["position"].split(",")) == SHARDS
    waiting = [
        asyncio.create_task(stack.get(f"/v1/games/arcade{path}min_position={position}"))
        for position in (sent["position"], sent["positions"][0])
        for path in ("/boards/total?limit=100&", f"/boards/total/players/{PLAYERS[0]}?", f"/players/{PLAYERS[0]}?")
    ]
    await stack.consume()
    pages = [(await task).json for task in waiting]
    assert all(entry["metrics"]["points"] >= 500 for entry in pages[0]["entries"])
    assert all(page["places"][0]["metrics"]["points"] >= 500 for page in (pages[2], pages[5]))
    assert all(page["metrics"]["points"] >= 500 for page in (pages[1], pages[4]))
    for position in ("1.3.1770000000000-0", "1.1.1-0,1.0.1-0"):
        refused = await stack.get(f"/v1/games/arcade/boards/total?min_position={position}")
        assert (refused.status, refused.json["problems"][0]["field"]) == (400, "min_position")
    refused = await stack.get(f"/v1/games/twin/boards/total?min_position={sent['position']}")
    assert (refused.status, refused.json["problems"][0]["field"]) == (400, "min_position")


async def test_entity_tags_change_with_any_part(stack: Stack) -> None:
    await play(stack)
    seen = set()
    for number, player in enumerate(PLAYERS[:8]):
        for path in ("/boards/total", f"/boards/total/players/{PLAYERS[0]}", "/boards/total/export"):
            answer = await stack.get(f"/v1/games/arcade{path}")
            tag = answer.headers["ETag"]
            assert (path, tag) not in seen
            seen.add((path, tag))
            assert (await stack.get(f"/v1/games/arcade{path}", headers={"If-None-Match": tag})).status == 304
        await stack.publish(score(f"tag-{number}", player, 1))


async def test_frozen_in_all_parts(stack: Stack) -> None:
    await play(stack)
    before = await alike(stack, "/boards/total?limit=100")
    unseen = [
        score(f"unseen-{number}", player, 90, occurred_at=1_770_000_100_000 + number)
        for number, player in enumerate(PLAYERS)
    ]
    for game in ("arcade", "twin"):
        await stack.publish({"id": "stop", "type": "freeze", "board": "total"}, game=game)
        await stack.publish(*unseen, game=game)

    async def frozen() -> bool:
        pages = [(await stack.get(f"/v1/games/{game}/boards/total?limit=100")).json for game in ("arcade", "twin")]
        assert all(page["entries"] == before["entries"] for page in pages)
        return all("frozen" in page for page in pages)

    await eventually(frozen)
    assert (await alike(stack, "/boards/total?limit=100"))["entries"] == before["entries"]
    assert (await alike(stack, ""))["frozen"][0]["board"] == "total"
    await alike(stack, f"/boards/total/players/{PLAYERS[0]}?around=2")
    await alike(stack, f"/players/{PLAYERS[0]}")
    files = [await stack.get(f"/v1/games/{game}/boards/total/export") for game in ("arcade", "twin")]
    assert files[0].body == files[1].body
    assert files[0].headers["Rankfold-Frozen"]
    await alike(stack, f"/boards/total/players/{PLAYERS[0]}/explain")
    await alike(stack, f"/players/{PLAYERS[0]}/stats?board=total")
    for game in ("arcade", "twin"):
        await stack.publish({"id": "go", "type": "thaw", "board": "total"}, game=game)

    async def thawed() -> bool:
        pages = [(await stack.get(f"/v1/games/{game}/boards/total?limit=100")).json for game in ("arcade", "twin")]
        return not any("frozen" in page for page in pages)

    await eventually(thawed)
    await everything(stack, ("total",))


async def at(stack: Stack, path: str, given: list[str]) -> list[Answer]:
    """What both games answer as of an instant, each by its own word for it."""
    return [
        await stack.get(f"/v1/games/{game}{path}{instant}")
        for game, instant in zip(("arcade", "twin"), given, strict=True)
    ]


async def test_what_was_true_and_what_was_behind_it(stack: Stack) -> None:
    await play(stack)
    told = [(await stack.get(f"/v1/games/{game}")).json["position"] for game in ("arcade", "twin")]
    for game in ("arcade", "twin"):
        await stack.publish({"id": "undo", "type": "void", "event": "s2-5", "reason": "late"}, game=game)
    instants = [["effective_at=1770000000060"] * 2, ["effective_at=1770000000150"] * 2]
    for given in (*instants, [f"known_at={position}" for position in told]):
        files = await at(stack, "/boards/total/export?format=jsonl&", given)
        assert files[0].body == files[1].body
        assert len(files[0].headers["Rankfold-Position"].split(",")) == SHARDS
        paths = ["/boards/total?limit=100&", "/boards/best?limit=100&"]
        for player in (*PLAYERS[:6], PLAYERS[11], PLAYERS[25]):
            paths += [f"/boards/total/players/{player}?around=2&", f"/players/{player}/stats?board=total&"]
            paths += [f"/boards/{board}/players/{player}/explain?" for board in ("total", "best", "few")]
        for path in paths:
            answers = await at(stack, path, given)
            assert answers[0].status == answers[1].status in (200, 404), (path, [each.body for each in answers])
            held = [plain(answer.json) for answer in answers]
            for each in held:
                each.pop("known_at", None)
                each.pop("request_id", None)
            assert held[0] == held[1], path


async def test_too_many_events_to_say_what_was_true(
    database_url: str, redis_log_url: str, redis_rankings_url: str
) -> None:
    async with running(database_url, redis_log_url, redis_rankings_url, shards=SHARDS, fold_events_max=100) as stack:
        await play(stack)
        refused = await stack.get("/v1/games/arcade/boards/total?effective_at=1770000000060")
        assert refused.status == 400
        assert "spread game" in refused.json["detail"]


async def test_every_read_answers_as_if_it_were_one(stack: Stack) -> None:
    await play(stack)
    await everything(stack)
    # Out of PostgreSQL, and again when the rankings are back.
    await stack.rankings.flushdb()
    await everything(stack)


async def test_a_preview_ranks_among_the_players_of_all_shards(stack: Stack) -> None:
    await play(stack)
    said: list[dict[str, Any]] = [
        score("far", PLAYERS[6], 500),
        {"id": "undo", "type": "void", "event": "s3-4", "reason": "glitch"},
    ]
    for events in (said[:1], said[1:], said):
        await alike(stack, "/preview", method="POST", json={"events": events})
