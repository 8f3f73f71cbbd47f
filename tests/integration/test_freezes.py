"""Freezes: readers are shown what was shown at the freeze, on every path, whatever happens; officials see on."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from api.operations import OPERATIONS
from projections import generations, replay
from projections.retention import forget_closed
from tests.harness import silent
from tests.integration.api_stack import Stack, ruleset, running, score
from tests.services import PATIENCE_S, eventually

pytestmark = pytest.mark.services
RULES = """
game = "arcade"
[metrics.points]
[boards.best]
rank_by = ["points desc"]
periods = ["all", "round"]
movement = "round"
segments = { level = "mark" }
[boards.best.metrics]
points = { op = "sum", of = "points" }
[boards.best.badges]
thirty = { where = { points = { min = 30 } } }
[boards.other]
rank_by = ["points desc"]
[boards.other.metrics]
points = { op = "sum", of = "points" }
"""
GAME = "/v1/games/arcade"
BOARD = f"{GAME}/boards/best"
OTHER = f"{GAME}/boards/other"
SHOWN = ("position", "frozen", "known_at", "request_id", "recorded_at")
ENDLESS = ("/live", "/ws")


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    async with running(database_url, redis_log_url, redis_rankings_url) as stack:
        await stack.publish(ruleset(RULES))
        await stack.publish(*(score(f"a{n}", f"p{n}", 10 + n, round=1, attributes={"level": "1"}) for n in range(5)))
        await stack.publish(score("b1", "p1", 20, round=2), score("b2", "p2", 5, round=2))
        yield stack


def event(type_: str, id_: str, **fields: Any) -> dict[str, Any]:
    return {"type": type_, "id": id_, **fields}


async def further(stack: Stack) -> None:
    """Everything that moves places, makes new periods and segments, and is rejected."""
    await stack.publish(
        score("c1", "p4", 100, round=2),
        score("c2", "new", 50, round=3, attributes={"level": "9"}),
        event("player", "c3", player="p3", status="banned"),
    )
    await stack.publish(event("void", "c4", event="b1", reason="wrong"), event("void", "c5", event="c3", reason="no"))


def paths() -> list[str]:
    """Every path that is read over GET, but for the endless ones and those about the service."""
    found = []
    for operation in OPERATIONS:
        if operation.method != "GET" or not operation.path.startswith("/v1/games/{game}"):
            continue
        if operation.path.endswith(ENDLESS) or "dead-letters" in operation.path:
            continue
        if "ruleset" in operation.path or "generations" in operation.path or "jobs" in operation.path:
            continue
        path = operation.path.replace("{game}", "arcade").replace("{board}", "best")
        found += [path.replace("{player}", player) for player in ("p1", "p3")] if "{player}" in path else [path]
    found += [f"{BOARD}?q=p", f"{BOARD}?period=round:2", f"{BOARD}?segment=level:1", f"{BOARD}/export?format=jsonl"]
    found += [f"{BOARD}?segment=level:9", f"{BOARD}?period=round:3", f"{BOARD}/players/p2?around=3"]
    return found


def said(answer: Any) -> Any:
    """What an answer says, but for when."""
    kind = answer.headers["Content-Type"]
    if "json" not in kind or "jsonl" in kind:
        return answer.status, answer.body
    return answer.status, _bare(json.loads(answer.body))


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _bare(held) for key, held in value.items() if key not in (*SHOWN, "status")}
    return [_bare(held) for held in value] if isinstance(value, list) else value


async def everything(stack: Stack, **query: str) -> dict[str, Any]:
    found = {}
    for path in paths():
        more = "".join(f"{'&' if '?' in path else '?'}{name}={value}" for name, value in query.items())
        found[path] = said(await stack.get(path + more))
    return found


async def freeze(stack: Stack, **fields: Any) -> Any:
    """Freezes, and waits until it is known."""
    count = len((await stack.get(GAME)).json["frozen"])
    await stack.publish(event("freeze", f"f{count}-{fields}", **fields))

    async def known() -> Any:
        held = (await stack.get(GAME)).json["frozen"]
        return held if len(held) > count else None

    return await eventually(known)


async def thaw(stack: Stack, **fields: Any) -> None:
    sent = await stack.publish(event("thaw", f"t-{fields}", **fields))

    async def known() -> bool:
        answer = (await stack.get(GAME)).json
        return not answer["frozen"] and answer["position"] >= sent["position"]

    await eventually(known)


async def test_every_path_stands_still(stack: Stack) -> None:
    before = await everything(stack)
    held = await freeze(stack)
    assert [(line["board"], line["period"]) for line in held] == [(None, None)]
    for name, found in (await everything(stack)).items():
        if name != GAME:
            assert found == before[name], name
    await further(stack)
    for name, found in (await everything(stack)).items():
        if name != GAME:
            assert found == before[name], name
    page = (await stack.get(BOARD)).json
    assert page["frozen"] == held[0]["at"]
    assert page["position"] == held[0]["position"]
    assert (await stack.get(f"{BOARD}/players/p1")).json["frozen"] == held[0]["at"]
    assert (await stack.get(f"{BOARD}/export")).headers["Rankfold-Frozen"]
    ranks = (await stack.post(f"{BOARD}/ranks", {"players": ["p1", "new"]})).json
    assert [line["metrics"]["points"] for line in ranks["players"]] == [31]
    for path in (f"{BOARD}/players/p1/explain", f"{GAME}/players/p1/stats?board=best&period=all"):
        behind = (await stack.get(path)).json
        assert (behind["frozen"], behind["position"]) == (page["frozen"], page["position"]), path
    # Officials see on.
    assert (await stack.get(f"{BOARD}?view=official")).json["entries"][0]["player"] == "p4"
    assert (await stack.get(f"{BOARD}/players/new?view=official")).json["rank"] == 2
    assert (await stack.get(f"{BOARD}/players/p1/explain?view=official")).status == 200
    assert (await stack.get(f"{GAME}/players/p1/stats?board=best&view=official")).json["totals"]["points"] == 11
    await thaw(stack)
    after = await everything(stack)
    assert after == await everything(stack, view="official")
    assert after[BOARD] != before[BOARD]
    assert "frozen" not in (await stack.get(BOARD)).json


async def test_neither_a_swap_nor_an_emptied_redis_nor_a_restart_moves_it(stack: Stack) -> None:
    before = await everything(stack)
    await freeze(stack)
    await further(stack)
    await stack.rankings.flushdb()
    assert (await everything(stack))[BOARD] == before[BOARD]
    await stack.pause()
    await stack.consume()
    await stack.publish(score("d1", "p0", 500, round=1))
    assert (await everything(stack))[BOARD] == before[BOARD]
    old = (await stack.get(GAME)).json["generation"]
    generation = await generations.begin(stack.pool, "arcade")
    await generations.build(stack.pool, stack.rankings, generation, silent, to="live")

    async def swapped() -> bool:
        return bool((await stack.get(GAME)).json["generation"] != old)

    await eventually(swapped)
    await stack.publish(score("d2", "p0", 500, round=1))
    for name, found in (await everything(stack)).items():
        if name != GAME:
            assert found == before[name], name
    await thaw(stack)
    first = (await stack.get(BOARD)).json["entries"][0]
    assert (first["player"], first["metrics"]) == ("p0", {"points": 1010})


async def test_what_is_not_frozen_goes_on(stack: Stack) -> None:
    await freeze(stack, board="best", period="round:2")
    await further(stack)
    assert (await stack.get(f"{BOARD}?period=round:2")).json["entries"][0]["player"] == "p1"
    assert (await stack.get(BOARD)).json["entries"][0]["player"] == "p4"
    assert (await stack.get(OTHER)).json["entries"][0]["player"] == "p4"
    # What is thawed has to contain it.
    await stack.publish(event("thaw", "t1", board="other"))
    assert len((await stack.get(GAME)).json["frozen"]) == 1
    await thaw(stack, board="best")
    assert (await stack.get(f"{BOARD}?period=round:2")).json["entries"][0]["player"] == "p4"


async def test_known_at_within_a_freeze_is_what_was_displayed(stack: Stack) -> None:
    before = (await stack.get(BOARD)).json
    await freeze(stack, board="best")
    await stack.publish(score("c1", "p4", 100, round=2))
    during = (await stack.get(OTHER)).json["position"]
    await stack.publish(score("c2", "p4", 100, round=2))
    await thaw(stack)
    then = (await stack.get(f"{BOARD}?known_at={during}")).json
    assert (then["entries"], then["position"] > before["position"]) == (before["entries"], True)
    assert then["frozen"]
    seen = (await stack.get(f"{BOARD}?known_at={during}&view=official")).json
    assert seen["entries"][0]["metrics"]["points"] == 114
    assert (await stack.get(BOARD)).json["entries"][0]["metrics"]["points"] == 214


async def test_listeners_hear_nothing_until_the_thaw(stack: Stack) -> None:
    await freeze(stack)
    async with stack.client.get(f"{BOARD}/live?top=1") as public:
        first = await _heard(public)
        assert first["entries"][0]["player"] == "p1"
        async with stack.client.get(f"{BOARD}/live?top=1&view=official") as seen:
            assert (await _heard(seen))["entries"][0]["player"] == "p1"
            await further(stack)
            assert (await _heard(seen))["entries"][0]["player"] == "p4"
        heard = asyncio.ensure_future(_heard(public))
        await stack.publish(score("d1", "p4", 1, round=2))
        assert not heard.done()
        await thaw(stack)
        assert (await heard)["entries"][0]["metrics"] == {"points": 115}


async def test_listeners_are_told_that_a_board_is_frozen_thawed_and_closed(stack: Stack) -> None:
    async with stack.client.get(f"{BOARD}/live?top=1&period=round:1") as public:
        first = await _heard(public)
        assert not first.keys() & {"frozen", "final"}
        await freeze(stack)
        frozen = await _heard(public)
        assert (frozen["entries"], frozen["gone"], frozen["full"]) == ([], [], False)
        assert frozen["frozen"] == (await stack.get(f"{BOARD}?period=round:1")).json["frozen"]
        await thaw(stack)
        assert not (await _heard(public)).keys() & {"frozen", "final"}
        await close(stack, board="best", period="round:1")
        assert (await _heard(public))["final"] is True


async def _heard(response: Any) -> Any:
    """The next event's data."""
    async with asyncio.timeout(PATIENCE_S):
        async for line in response.content:
            if line.startswith(b"data: "):
                return json.loads(line[6:])
    return None


async def test_who_is_refused_and_what(stack: Stack) -> None:
    assert (await stack.get(f"{BOARD}?view=both")).status == 400
    sent = await stack.post(f"{GAME}/events", [event("freeze", "x", board="none")])
    assert (sent.status, sent.json["problems"][0]["field"]) == (400, "board")
    sent = await stack.post(f"{GAME}/events", [event("close", "y", board="other", period="round:1")])
    assert (sent.status, sent.json["problems"][0]["field"]) == (400, "period")


async def close(stack: Stack, **fields: Any) -> None:
    """Closes, and waits until it is known."""
    await stack.publish(event("close", f"close-{fields}", **fields))

    async def known() -> bool:
        return bool((await stack.get(GAME)).json["closed"])

    await eventually(known)


async def test_a_closed_period_is_final(stack: Stack) -> None:
    path = f"{BOARD}?period=round:2"
    before = (await stack.get(path)).json
    await close(stack, board="best", period="round:2")
    [held] = (await stack.get(GAME)).json["closed"]
    assert (held["board"], held["period"]) == ("best", "round:2")
    await further(stack)
    await stack.publish(score("late", "p0", 7, round=2))
    for view in ("public", "official"):
        page = (await stack.get(f"{path}&view={view}")).json
        assert (page["entries"], page["final"]) == (before["entries"], True)
        assert "frozen" not in page
    assert (await stack.get(f"{BOARD}/players/p1?period=round:2")).json["final"] is True
    assert (await stack.get(f"{BOARD}/players/p0?period=round:2")).status == 404
    assert (await stack.get(f"{BOARD}/export?period=round:2")).headers["Rankfold-Final"] == "true"
    # What came too late is told, and counts everywhere else.
    rejected = (await stack.get(f"{GAME}/rejections")).json["rejections"]
    assert {line["event"] for line in rejected if line["field"] == "period"} == {"c1", "c4", "late"}
    first = (await stack.get(BOARD)).json["entries"][0]
    assert (first["player"], first["metrics"]["points"]) == ("p4", 114)
    assert (await replay.verify(stack.pool, "arcade", silent)).differences == []
    # It need not be in Redis: readers are shown a snapshot.
    await stack.pool.execute("UPDATE publications SET committed_at = committed_at - interval '2 hours'")
    assert await forget_closed(stack.pool, stack.rankings, 0, 3_600) > 0
    assert (await stack.get(path)).json["entries"] == before["entries"]
    # Another process, another generation: it stays closed.
    await stack.pause()
    await stack.consume()
    generation = await generations.begin(stack.pool, "arcade")
    await generations.build(stack.pool, stack.rankings, generation, silent, to="live")
    await eventually(lambda: _generation_is(stack, generation))
    await stack.publish(score("later", "p0", 7, round=2))
    assert (await stack.get(path)).json["entries"] == before["entries"]
    rejected = (await stack.get(f"{GAME}/rejections")).json["rejections"]
    assert {line["event"] for line in rejected if line["field"] == "period"} == {"c1", "c4", "late", "later"}
    # Opened again it is what it would be had it never been closed.
    await stack.publish(event("void", "v", event="close-{'board': 'best', 'period': 'round:2'}", reason="no"))
    assert (await stack.get(GAME)).json["closed"]
    await stack.publish(event("thaw", "t", board="best"))

    async def opened() -> bool:
        return (
            not (await stack.get(GAME)).json["closed"] and (await stack.get(path)).json["entries"][0]["player"] == "p4"
        )

    await eventually(opened)
    assert "final" not in (await stack.get(path)).json
    assert (await stack.get(f"{BOARD}/players/p0?period=round:2")).json["metrics"]["points"] == 14
    assert (await replay.verify(stack.pool, "arcade", silent)).differences == []


async def _generation_is(stack: Stack, generation: int) -> bool:
    return bool((await stack.get(GAME)).json["generation"] == generation)


async def test_who_froze_a_board_finds_it_told_at_once(stack: Stack) -> None:
    for number in range(3):
        await stack.publish({"id": f"f{number}", "type": "freeze", "board": "best"})
        frozen = (await stack.get("/v1/games/arcade")).json["frozen"]
        assert [line["board"] for line in frozen] == ["best"]
        await stack.publish({"id": f"t{number}", "type": "thaw"})
        assert (await stack.get("/v1/games/arcade")).json["frozen"] == []


async def test_another_board_does_not_tell_what_was_rejected_since(stack: Stack) -> None:
    await stack.publish(event("close", "k", board="best", period="round:2"))
    await stack.publish(score("late", "p1", 7, round=2))
    path = f"{OTHER}/players/p1/explain"
    assert [line["event"] for line in (await stack.get(path)).json["rejections"]] == ["late"]
    await stack.publish(event("freeze", "f", board="best"))
    await stack.publish(score("later", "p1", 7, round=2))
    for view, told in (("public", ["late"]), ("official", ["later", "late"])):
        for listed in (path, f"{GAME}/rejections"):
            page = (await stack.get(f"{listed}?view={view}")).json
            assert [line["event"] for line in page["rejections"]] == told, listed


async def test_a_thawed_board_is_not_taken_for_the_frozen_one(stack: Stack) -> None:
    """Movement adds the version of the ranking before to a board's own, both of which a freeze has ahead of what follows."""
    await stack.publish(score("c1", "p0", 1, round=2))
    await stack.publish(score("c2", "p0", 1, round=2))
    await freeze(stack)
    frozen = await stack.get(BOARD)
    assert frozen.json["frozen"]
    await thaw(stack)
    for number in range(12):
        await stack.publish(score(f"d{number}", "p4", 100, round=2))
        answer = await stack.get(BOARD, headers={"If-None-Match": frozen.headers["ETag"]})
        assert answer.status == 200


async def test_freezes_are_told_of_a_board_that_nobody_is_on(stack: Stack) -> None:
    empty = f"{BOARD}?period=round:9"
    async with stack.client.get(f"{BOARD}/live?period=round:9") as public:
        await _heard(public)
        before = await stack.get(empty)
        await freeze(stack)
        assert (await _heard(public))["frozen"]
        frozen = await stack.get(empty, headers={"If-None-Match": before.headers["ETag"]})
        assert (frozen.status, "frozen" in frozen.json) == (200, True)
        await thaw(stack)
        assert "frozen" not in await _heard(public)
        assert (await stack.get(empty)).headers["ETag"] == before.headers["ETag"]
