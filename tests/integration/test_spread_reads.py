"""Reading a spread game: what one game that is not spread would have answered, but for positions."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from tests.integration.api_stack import Answer, Stack, ruleset, running, score
from tests.integration.test_spread import SHARDS
from tests.services import eventually

pytestmark = pytest.mark.services
PLAYERS = [f"player-{number:02}" for number in range(30)]
LANDS = ("de", "fr", "it")
RULES = """
game = "arcade"
title = "Arcade"
spread = true
time_zone = "Europe/Berlin"

[metrics.points]

[sources.score]
origin = "score"

[sources.officials]
origin = "adjustment"

[sources.race]
origin = "placements"
points = [25, 18, 15]

[sources.tips]
origin = "picks"
grades = [{ when = "choice", outcome = "winner", points = 3 }]

[boards.total]
rank_by = ["points desc"]
periods = ["all", "round"]
segments = { land = "player" }
tiers = [{ name = "gold", top = 3 }, { name = "silver", percent = 50 }]

[boards.total.metrics.points]
op = "sum"
of = "points"

[boards.total.metrics.runs]
op = "count"

[boards.total.badges]
rich = { where = { points = { min = 20 } }, title = "Rich" }

[boards.best]
sources = ["score"]
keep = { mode = "best", by = "points" }
rank_by = ["points desc", "reached"]
ranks = "modified"

[boards.best.metrics.points]
op = "max"
of = "points"

[boards.few]
rank_by = ["points desc"]
ranks = "ordinal"
qualify = { runs = { min = 3 } }

[boards.few.metrics.points]
op = "sum"
of = "points"

[boards.few.metrics.runs]
op = "count"
"""


def unspread(text: str) -> str:
    return text.replace('game = "arcade"', 'game = "twin"').replace("spread = true", "")


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    async with running(database_url, redis_log_url, redis_rankings_url, shards=SHARDS) as stack:
        yield stack


def season() -> list[dict[str, Any]]:
    """Scores, races with tips, rulings, profiles, and some that do not count."""
    events: list[dict[str, Any]] = [
        {"id": f"in-{player}", "type": "player", "player": player, "attributes": {"land": LANDS[number % 3]}}
        for number, player in enumerate(PLAYERS)
    ]
    for round_ in (1, 2, 3):
        race = f"race-{round_}"
        events.append(
            {"id": f"f{round_}", "type": "fixture", "fixture": race, "round": round_}
            | {"starts_at": "2100-01-01T12:00:00Z"}
        )
        for number, player in enumerate(PLAYERS[: 10 * round_]):
            events.append(score(f"s{round_}-{number}", player, number * 7 % 10 * round_, round=round_))
            events.append(
                {
                    "id": f"p{round_}-{number}",
                    "type": "pick",
                    "player": player,
                    "fixture": race,
                    "choice": PLAYERS[number % 4],
                }
            )
        order = PLAYERS[round_ : round_ + 6]
        events.append(
            {"id": f"r{round_}", "type": "result", "fixture": race, "revision": 1, "status": "final"}
            | {"placements": [{"player": player, "position": place} for place, player in enumerate(order, 1)]}
            | {"outcomes": {"winner": [order[0]]}}
        )
    events += [
        {"id": "odd", "type": "pick", "player": PLAYERS[7], "fixture": "no-such", "choice": "x"},
        {"id": "late", "type": "pick", "player": PLAYERS[8], "fixture": "race-1", "choice": PLAYERS[1]},
        {"id": "old", "type": "result", "fixture": "race-1", "revision": 1, "status": "void"},
        {
            "id": "fine",
            "type": "adjustment",
            "player": PLAYERS[5],
            "values": {"points": -4},
            "round": 2,
            "reason": "jury",
        },
        {"id": "hide", "type": "player", "player": PLAYERS[3], "status": "hidden", "name": "Hidden"},
        {"id": "ban", "type": "player", "player": PLAYERS[11], "status": "banned"},
        {"id": "nora", "type": "player", "player": PLAYERS[4], "name": "Nora"},
        {"id": "norb", "type": "player", "player": PLAYERS[9], "name": "norbert"},
        {"id": "off", "type": "void", "event": "s1-2", "reason": "glitch"},
    ]
    # Two shards can record two events in the same millisecond, so the publisher says what came first.
    return [event | {"occurred_at": 1_770_000_000_000 + number} for number, event in enumerate(events)]


async def play(stack: Stack, rules: str = RULES) -> None:
    """The same events for a spread game and for one that is not."""
    for game, text in (("arcade", rules), ("twin", unspread(rules))):
        await stack.publish(ruleset(text), game=game)
        await stack.publish(*season(), game=game)


def plain(held: Any) -> Any:
    """An answer without what may differ: positions, also in cursors, times of recording, which game and generation it is."""
    if isinstance(held, dict):
        cursors = {key: held[key] is None for key in ("next", "previous", "frozen") if key in held}
        told = (
            "position",
            "game",
            "generation",
            "shard",
            "shards",
            "from",
            "to",
            "recorded_at",
            "at",
            "text",
            *cursors,
        )
        if "periods" in held:
            held = held | {"periods": sorted(held["periods"])}
        if "places" in held:
            # Copies that came to be in one batch have no order.
            held = held | {"places": sorted(held["places"], key=lambda each: (each["period"], each.get("segment", "")))}
        return cursors | {key: plain(value) for key, value in held.items() if key not in told}
    return [plain(each) for each in held] if isinstance(held, list) else held


async def alike(stack: Stack, path: str, *, method: str = "GET", **options: Any) -> Any:
    """The answer of the spread game, which is that of the other one but for names and positions; None where there is none."""
    answers: list[Answer] = [
        await stack.request(method, f"/v1/games/{game}{path}", **options) for game in ("arcade", "twin")
    ]
    assert answers[0].status == answers[1].status in (200, 404), (path, answers[0].body, answers[1].body)
    if answers[0].status != 200:
        return None
    mine, others = (answer.json for answer in answers)
    assert plain(mine) == plain(others), path
    if "position" in mine:
        assert len(mine["position"].split(",")) == SHARDS
    return mine


async def walk(stack: Stack, game: str, at: str) -> list[Any]:
    """All pages of a board, on and back again; a cursor is of its own game."""
    pages = [(await stack.get(f"/v1/games/{game}{at}?limit=7")).json]
    for way, cursor in (("after", "next"), ("before", "previous")):
        while pages[-1][cursor]:
            pages.append((await stack.get(f"/v1/games/{game}{at}?limit=7&{way}={pages[-1][cursor]}")).json)
    return pages


async def everything(stack: Stack, boards: tuple[str, ...] = ("total", "best", "few")) -> None:
    """Every way to read the two games, which has to tell the same of both."""
    for board in boards:
        at = f"/boards/{board}"
        pages = await walk(stack, "arcade", at)
        assert plain(pages) == plain(await walk(stack, "twin", at))
        count = (await alike(stack, f"{at}?limit=100"))["total"]
        for player in PLAYERS:
            await alike(stack, f"{at}/players/{player}?around=3")
            await alike(stack, f"{at}/players/{player}/explain")
        assert await alike(stack, f"{at}/players/nobody") is None
        await alike(stack, f"{at}/ranks", method="POST", json={"players": [*PLAYERS[:12], "nobody"]})
        await alike(stack, f"{at}?q=player-1&limit=4")
        await alike(stack, f"{at}?q=NOR")
        for form in ("csv", "jsonl"):
            files = [await stack.get(f"/v1/games/{game}{at}/export?format={form}") for game in ("arcade", "twin")]
            assert files[0].body == files[1].body
            assert files[0].body.count(b"\n") == count + (form == "csv")
            assert len(files[0].headers["Rankfold-Position"].split(",")) == SHARDS
    for copy in (
        "period=round:1",
        "period=round:3",
        "segment=land:it",
        "period=round:2&segment=land:de",
        "period=round:9",
    ):
        await alike(stack, f"/boards/total?{copy}")
        await alike(stack, f"/boards/total/ranks?{copy}", method="POST", json={"players": PLAYERS})
    for player in (*PLAYERS[:12], PLAYERS[25]):
        await alike(stack, f"/players/{player}/stats?board=total")
        held = await alike(stack, f"/players/{player}?board=total")
        assert held["places"] or player == PLAYERS[11]
    assert await alike(stack, "/players/nobody") is None
    await alike(stack, "/boards/total/segments")
    await alike(stack, "")
    await alike(stack, "/ruleset/versions")


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
    for game in ("arcade", "twin"):
        await stack.publish({"id": "stop", "type": "freeze", "board": "total"}, game=game)
        await stack.publish(*(score(f"unseen-{player}", player, 90) for player in PLAYERS), game=game)

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
    refused = await stack.get(f"/v1/games/arcade/boards/total/players/{PLAYERS[0]}/explain")
    assert (
        refused.status == (await stack.get(f"/v1/games/twin/boards/total/players/{PLAYERS[0]}/explain")).status != 200
    )
    for game in ("arcade", "twin"):
        await stack.publish({"id": "go", "type": "thaw", "board": "total"}, game=game)
    await everything(stack, ("total",))


async def test_what_a_spread_game_cannot_tell_is_refused(stack: Stack) -> None:
    await play(stack)
    for path in ("/boards/total", f"/boards/total/players/{PLAYERS[0]}", "/boards/total/export"):
        refused = await stack.get(f"/v1/games/arcade{path}?effective_at=1770000000000")
        assert (refused.status, refused.json["problems"][0]["field"]) == (400, "effective_at")


async def test_every_read_answers_as_if_it_were_one(stack: Stack) -> None:
    await play(stack)
    await everything(stack)
    # Out of PostgreSQL, and again when the rankings are back.
    await stack.rankings.flushdb()
    await everything(stack)


@contextlib.asynccontextmanager
async def following(stack: Stack, path: str, **headers: str) -> AsyncIterator[Callable[[], Awaitable[tuple[str, Any]]]]:
    """Listens; what it gives reads the next event: its id and its data."""
    async with stack.client.get(f"/v1/games/{path}", headers=headers) as response:
        assert response.status == 200

        async def read() -> tuple[str, Any]:
            seen = ""
            async for line in response.content:
                if line.startswith(b"id: "):
                    seen = line[4:].decode().strip()
                if line.startswith(b"data: "):
                    return seen, json.loads(line[6:])
            raise AssertionError("the stream has ended")

        yield read


async def test_live_changes_of_any_part(stack: Stack) -> None:
    await play(stack)
    async with (
        following(stack, "arcade/boards/total/live?top=100") as board,
        following(stack, f"arcade/boards/total/players/{PLAYERS[0]}/live") as player,
    ):
        lines = {}
        seen, state = await board()
        assert state["full"]
        assert len(state["position"].split(",")) == SHARDS
        lines = {entry["player"]: entry for entry in state["entries"]}
        assert (await player())[1]["entries"][0]["player"] == PLAYERS[0]
        for number, who in enumerate(PLAYERS[:6]):
            await stack.publish(score(f"live-{number}", who, 1_000 * (6 - number)))
            page = (await stack.get("/v1/games/arcade/boards/total?limit=100")).json
            while [
                (entry["player"], entry["rank"], entry["metrics"])
                for entry in sorted(lines.values(), key=lambda entry: int(entry["ordinal"]))
            ] != [(entry["player"], entry["rank"], entry["metrics"]) for entry in page["entries"]]:
                earlier, (seen, change) = seen, await board()
                assert not change["full"]
                assert seen != earlier
                lines |= {entry["player"]: entry for entry in change["entries"]}
        assert (await player())[1]["entries"][0]["metrics"]["points"] > 5_000
    # Who comes back with the last id that he saw is told nothing twice.
    async with following(stack, "arcade/boards/total/live?top=100", **{"Last-Event-ID": seen}) as board:
        await stack.publish(score("once more", PLAYERS[20], 100_000))
        _, change = await board()
        assert not change["full"]
    socket = await stack.client.ws_connect(f"/v1/games/arcade/boards/total/ws?top=3&last_event_id={seen}")
    told = await socket.receive_json()
    assert told["data"]["full"]
    assert told["data"]["entries"][0]["player"] == PLAYERS[20]
    await socket.close()
