"""The Python client: typed answers, errors, and repeated requests that count nothing twice."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from api.client import Client, with_id
from api.transport import RefusedError
from schemas.errors import NotFound, Unavailable
from schemas.events import Score
from tests.integration.api_stack import Stack, ruleset, running, score

Handler = Callable[[web.Request], Awaitable[web.Response]]


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    async with running(database_url, redis_log_url, redis_rankings_url) as stack:
        yield stack


@pytest.mark.services
async def test_everything_that_it_offers(stack: Stack) -> None:
    async with Client(str(stack.client.make_url("/"))) as client:
        await client.publish("arcade", [ruleset()], wait_ms=10_000)
        events = [score(f"e{n}", f"p/{n}", n) for n in range(1, 4)]
        sent = await client.publish(
            "arcade", [*events, Score(id="e9", game="arcade", player="ann", values={"points": 9})]
        )
        assert (len(sent.positions), sent.duplicates) == (4, 0)
        place = await client.place("arcade", "best", "p/2", around=1, min_position=sent.position)
        assert (place.rank, place.metrics["points"], len(place.around)) == (3, 2, 3)
        page = await client.board("arcade", "best", limit=1)
        assert (page.total, page.entries[0].player, page.position) == (4, "ann", sent.position)
        assert [entry.player async for entry in client.entries("arcade", "best", limit=3)] == [
            "ann",
            "p/3",
            "p/2",
            "p/1",
        ]
        friends = await client.places("arcade", "best", ["p/1", "p/2", "nobody"])
        assert ([each.player for each in friends.players], friends.missing) == (["p/2", "p/1"], ["nobody"])
        assert (await client.history("arcade", "best", "ann")).history[0].metrics["points"] == 9
        assert {each.board for each in (await client.player("arcade", "ann")).places} == {"best", "today"}
        assert [each.game for each in (await client.games()).games] == ["arcade"]
        async for ranks in client.live("arcade", "best", top=2):
            assert (ranks.full, [line.player for line in ranks.entries]) == (True, ["ann", "p/3"])
            break
        assert [each.board for each in (await client.game("arcade")).boards] == ["best", "today"]
        why = await client.explain("arcade", "best", "ann")
        assert [(part.event, part.values) for part in why.parts] == [("e9", {"points": 9})]
        assert (await client.stats("arcade", "ann", board="best")).player == "ann"
        assert (await client.publish("arcade", score("e10", "ann", 1))).duplicates == 0


@pytest.mark.services
async def test_what_a_job_finds_out_is_waited_for(
    database_url: str, redis_log_url: str, redis_rankings_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.client.JOB_EVERY_S", 0.01)
    async with (
        running(database_url, redis_log_url, redis_rankings_url, fold_events_max=1) as stack,
        Client(str(stack.client.make_url("/"))) as client,
    ):
        sent = await stack.publish(ruleset(), score("e1", "ann", 5), score("e2", "bob", 7))
        page = await client.board("arcade", "best", effective_at=sent["positions"][1])
        assert [(line.player, line.metrics["points"]) for line in page.entries] == [("ann", 5)]
        assert (await client.places("arcade", "best", ["bob"], effective_at=sent["positions"][2])).total == 2
        with pytest.raises(RefusedError, match="no such player: nobody"):
            await client.place("arcade", "best", "nobody", effective_at=stack.now_ms - 1)


@pytest.mark.services
async def test_what_is_refused(stack: Stack) -> None:
    async with Client(str(stack.client.make_url("/"))) as client:
        await client.publish("arcade", [ruleset()], wait_ms=10_000)
        with pytest.raises(RefusedError) as refused:
            await client.publish("arcade", [score("e1", "ann", 1), score("e2", "ann", 1, values={"pionts": 1})])
        assert (refused.value.type, refused.value.indexes) == ("/problems/invalid-event", [1])
        with pytest.raises(NotFound, match="no such player: ann"):
            await client.place("arcade", "best", "ann")
        for path in (("arcade", "best", "\udcff"), ("arcade", "\udcff", "ann")):
            with pytest.raises(RefusedError, match="percent-encoded UTF-8"):
                await client.place(*path)
        with pytest.raises(RefusedError, match="percent-encoded UTF-8"):
            await client.board("arcade", "best", segment="\ud800")


async def serve(handler: Handler) -> TestServer:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    server = TestServer(app)
    await server.start_server()
    return server


@pytest.mark.parametrize("failure", ["status", "limit", "cut"])
async def test_a_repeated_request_has_the_same_ids(failure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.transport.BACK_OFF_S", 0.001)
    bodies: list[bytes] = []

    async def flaky(request: web.Request) -> web.Response:
        bodies.append(await request.read())
        if len(bodies) < 3:
            if failure == "cut":
                assert request.transport is not None
                request.transport.abort()
            if failure == "limit":
                return web.json_response({}, status=429, headers={"Retry-After": "0"})
            return web.json_response({"type": "/problems/unavailable"}, status=503)
        return web.json_response({"position": "1.0.1-0", "positions": ["1.0.1-0"], "duplicates": 0}, status=202)

    server = await serve(flaky)
    async with Client(str(server.make_url("/"))) as client:
        event = {"type": "score", "player": "ann", "values": {"points": 1}}
        assert (await client.publish("arcade", [event])).position == "1.0.1-0"
    await server.close()
    assert len(bodies) == 3
    assert len(set(bodies)) == 1
    assert b'"id":"' in bodies[0]


async def test_it_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.transport.BACK_OFF_S", 0.001)
    asked: list[str] = []

    async def away(request: web.Request) -> web.Response:
        asked.append(request.headers["Authorization"])
        return web.json_response({"type": "/problems/unavailable", "detail": "away"}, status=503)

    server = await serve(away)
    async with Client(str(server.make_url("/")), key="rfk_x", attempts=2) as client:
        with pytest.raises(Unavailable, match="away"):
            await client.games()
    await server.close()
    assert asked == ["Bearer rfk_x"] * 2
    async with Client("http://127.0.0.1:1", attempts=2) as client:
        with pytest.raises(Unavailable, match="no answer"):
            await client.games()
    with pytest.raises(RuntimeError, match="async with"):
        await Client("http://127.0.0.1:1").games()


def test_an_event_keeps_its_id() -> None:
    event: dict[str, Any] = {"id": "e1", "type": "score"}
    assert with_id(event)["id"] == "e1"
    assert with_id({"type": "score"})["id"] != with_id({"type": "score"})["id"]
