"""Live changes through the real servers: what listeners are told, and what becomes of those who do not read."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import WSMsgType

from api import live
from api.live import Pace
from projections import generations
from schemas.position import Position
from tests.harness import silent
from tests.integration.api_stack import RULES, Stack, ruleset, running, score
from tests.services import PATIENCE_S, eventually

pytestmark = pytest.mark.services
BOARD = "/v1/games/arcade/boards/best"


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    pace = Pace(turn_s=0.01, heartbeat_s=0.2)
    async with running(database_url, redis_log_url, redis_rankings_url, pace=pace) as stack:
        await stack.publish(ruleset())
        yield stack


class Events:
    """An event stream as a browser reads it."""

    def __init__(self, response: Any) -> None:
        self.response = response
        self.id = ""
        self.comments = 0

    async def next(self) -> dict[str, Any]:
        """The data of the next event."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                fields = await self._fields()
                if "data" in fields:
                    assert fields["event"] == "ranks"
                    self.id = fields["id"]
                    return dict(json.loads(fields["data"]))

    async def _fields(self) -> dict[str, str]:
        fields: dict[str, str] = {}
        while (line := (await self.response.content.readline()).decode()) != "\n":
            assert line, "the stream has ended"
            name, _, value = line.rstrip("\n").partition(":")
            self.comments += not name
            fields[name] = value.removeprefix(" ")
        return fields

    async def ended(self) -> None:
        """Reads on until the server ends the stream."""
        async with asyncio.timeout(PATIENCE_S):
            while await self.response.content.readline():
                pass


@asynccontextmanager
async def listening(stack: Stack, path: str = BOARD + "/live", last_id: str | None = None) -> AsyncIterator[Events]:
    headers = {"Last-Event-ID": last_id} if last_id else {}
    async with stack.client.get(path, headers=headers) as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        yield Events(response)


async def metric(stack: Stack, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", (await stack.get("/metrics")).body.decode(), re.MULTILINE)
    assert found
    return float(found[1])


def places(data: dict[str, Any]) -> list[tuple[int, str, Any]]:
    return [(line["rank"], line["player"], line.get("was", "-")) for line in data["entries"]]


async def test_a_listener_gets_the_board_and_then_what_changes(stack: Stack) -> None:
    await stack.publish(score("a", "ann", 10), score("b", "bob", 5))
    async with listening(stack) as events:
        first = await events.next()
        assert first["full"] is True
        assert places(first) == [(1, "ann", "-"), (2, "bob", "-")]
        assert first["entries"][0]["metrics"]["points"] == 10
        published = await stack.publish(score("c", "bob", 20))
        second = await events.next()
        assert second["full"] is False
        assert places(second) == [(1, "bob", 2), (2, "ann", 1)]
        assert second["gone"] == []
        # It says what is shown at least: never more than there is.
        assert Position.parse(first["position"]) <= Position.parse(second["position"])
        assert Position.parse(second["position"]) <= Position.parse(published["position"])
        await stack.publish(score("d", "cid", 1))
        third = await events.next()
        assert places(third) == [(3, "cid", None)]
        assert third["total"] == 3


async def test_only_the_lines_that_changed_are_sent_and_who_left_is_named(stack: Stack) -> None:
    await stack.publish(score("a", "ann", 30), score("b", "bob", 20), score("c", "cid", 10))
    async with listening(stack, BOARD + "/live?top=2") as events:
        assert places(await events.next()) == [(1, "ann", "-"), (2, "bob", "-")]
        await stack.publish(score("d", "cid", 25))
        change = await events.next()
        assert places(change) == [(2, "cid", None)]
        assert change["gone"] == ["bob"]


async def test_two_listeners_are_told_the_same_and_share_one_feed(stack: Stack) -> None:
    async with listening(stack) as one, listening(stack) as two, listening(stack, BOARD + "/live?top=1") as other:
        assert [await one.next(), (await other.next())["entries"]] == [await two.next(), []]
        await stack.publish(score("a", "ann", 10))
        assert await one.next() == await two.next()
        assert one.id == two.id
        assert await metric(stack, "rankfold_listeners") == 3
        assert await metric(stack, "rankfold_feeds") == 2


async def test_who_comes_back_gets_the_present_state_once_and_nothing_when_he_knows_it(stack: Stack) -> None:
    await stack.publish(score("a", "ann", 10))
    async with listening(stack) as events:
        await events.next()
        seen = events.id
    async with listening(stack, last_id=seen) as events:
        await stack.publish(score("b", "bob", 20))
        # Not the state that he had, but what came then.
        assert places(await events.next()) == [(1, "bob", None), (2, "ann", 1)]
    async with listening(stack, last_id=seen) as events:
        state = await events.next()
        assert state["full"] is True
        assert places(state) == [(1, "bob", "-"), (2, "ann", "-")]


async def test_writes_of_one_moment_are_one_event(
    database_url: str, redis_log_url: str, redis_rankings_url: str
) -> None:
    async with running(database_url, redis_log_url, redis_rankings_url) as stack:
        await stack.publish(ruleset())
        async with listening(stack) as events:
            await events.next()
            loop = asyncio.get_running_loop()
            began, last = loop.time(), 400
            for points in range(1, last + 1):
                await stack.publish(score(f"e{points}", "ann", points), wait=points % 10 == 0)
            received = 0
            data: dict[str, Any] = {"entries": []}
            while not data["entries"] or data["entries"][0]["metrics"]["points"] != last:
                data = await events.next()
                received += 1
            assert received <= (loop.time() - began) / Pace().turn_s + 2


async def test_chosen_players_are_followed_wherever_they_are(stack: Stack) -> None:
    await stack.publish(*(score(f"s{i}", f"p{i}", 100 - i) for i in range(20)))
    async with (
        listening(stack, BOARD + "/live?player=p15&player=p17&player=nobody") as some,
        listening(stack, BOARD + "/players/p15/live") as one,
    ):
        assert places(await some.next()) == [(16, "p15", "-"), (18, "p17", "-")]
        assert places(await one.next()) == [(16, "p15", "-")]
        await stack.publish(score("t", "p19", 84))
        assert places(await some.next()) == [(19, "p17", 18)]
        await stack.publish(score("u", "p15", 200))
        assert places(await one.next()) == [(1, "p15", 16)]


async def test_a_player_is_hidden_from_lists_and_not_from_his_own_stream(stack: Stack) -> None:
    await stack.publish(score("a", "ann", 10), score("b", "bob", 5))
    async with listening(stack) as all_, listening(stack, BOARD + "/players/ann/live") as own:
        await all_.next()
        await own.next()
        await stack.publish({"id": "hide", "type": "player", "player": "ann", "status": "hidden"})
        change = await all_.next()
        assert (places(change), change["gone"]) == ([(1, "bob", 2)], ["ann"])
        assert (await own.next())["entries"][0]["hidden"] is True


async def test_a_board_nobody_is_on_yet_can_be_watched(stack: Stack) -> None:
    async with listening(stack, "/v1/games/arcade/boards/today/live") as events:
        assert (await events.next())["entries"] == []
        await stack.publish(score("a", "ann", 10))
        data = await events.next()
        assert (data["period"], places(data)) == ("daily:2026-02-02", [(1, "ann", "-")])


async def test_a_period_that_ends_gives_way_to_the_next_one(stack: Stack) -> None:
    await stack.publish(score("a", "ann", 10))
    async with listening(stack, "/v1/games/arcade/boards/today/live") as events:
        assert (await events.next())["total"] == 1
        stack.set_clock(stack.now_ms + 86_400_000)
        data = await events.next()
        assert (data["full"], data["period"], data["entries"]) == (True, "daily:2026-02-03", [])


async def test_empty_periods_are_told_apart(stack: Stack) -> None:
    board = "/v1/games/arcade/boards/today"
    async with listening(stack, board + "/live") as events:
        assert (await events.next())["period"] == "daily:2026-02-02"
        seen, page = events.id, await stack.get(board)
    stack.set_clock(stack.now_ms + 86_400_000)
    async with listening(stack, board + "/live", last_id=seen) as events:
        assert (await events.next())["period"] == "daily:2026-02-03"
    later = await stack.get(board, headers={"If-None-Match": page.headers["ETag"]})
    assert (later.status, later.json["period"]) == (200, "daily:2026-02-03")


async def test_who_follows_a_board_that_becomes_private_has_to_ask_anew(stack: Stack) -> None:
    secret = RULES.replace("[boards.best]\n", '[boards.best]\naccess = "private"\n')
    async with listening(stack) as events:
        await events.next()
        await stack.publish(ruleset(secret, version=2))
        fresh = await generations.begin(stack.pool, "arcade")
        await generations.build(stack.pool, stack.rankings, fresh, silent, to="live")
        await events.ended()
    async with listening(stack) as events:
        assert (await events.next())["full"] is True


async def test_who_follows_a_private_board_has_to_ask_anew_after_a_while(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "PRIVATE_S", 0.0)
    secret = RULES.replace("[boards.best]\n", '[boards.best]\naccess = "private"\n').replace("arcade", "secret")
    await stack.publish(ruleset(secret), game="secret")
    async with listening(stack, "/v1/games/secret/boards/best/live") as events, listening(stack) as public:
        await events.ended()
        await public.next()
        await stack.publish(score("a", "ann", 10))
        assert places(await public.next()) == [(1, "ann", "-")]


async def test_silence_is_broken_by_comments(stack: Stack) -> None:
    async with listening(stack) as events:
        await events.next()
        async with asyncio.timeout(PATIENCE_S):
            while events.comments < 3:
                await events._fields()


UPGRADE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)


@pytest.mark.parametrize(("path", "headers"), [("/live", ""), ("/ws", UPGRADE)])
async def test_who_does_not_read_is_dropped_and_holds_up_nobody(
    database_url: str, redis_log_url: str, redis_rankings_url: str, path: str, headers: str
) -> None:
    # Without heartbeats in between: a WebSocket that does not answer them would be closed for that.
    async with running(database_url, redis_log_url, redis_rankings_url, pace=Pace(0.01, 600)) as stack:
        players = [f"{i:03}-{'x' * 100}" for i in range(100)]
        await stack.publish(ruleset(), *(score(f"s{i}", player, i) for i, player in enumerate(players)))
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        slow.setblocking(False)
        loop = asyncio.get_running_loop()
        with slow:
            await loop.sock_connect(slow, (stack.client.host, stack.client.port))
            await loop.sock_sendall(slow, f"GET {BOARD}{path}?top=100 HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode())
            async with listening(stack) as events:
                await events.next()
                await eventually(lambda: _is(stack, "rankfold_listeners", 2))
                turn = 0
                while await metric(stack, "rankfold_listeners_dropped_total") == 0:
                    turn += 1
                    assert turn < 500, "it was never dropped"
                    changes = [score(f"t{turn}-{i}", player, turn * 1_000 + i) for i, player in enumerate(players)]
                    await stack.publish(*changes)
                    # He who reads is told of every change meanwhile.
                    leader = turn * 1_000 + 99
                    while (await events.next())["entries"][0]["metrics"]["points"] != leader:
                        pass
                await eventually(lambda: _is(stack, "rankfold_listeners", 1))
            assert await metric(stack, "rankfold_listeners_dropped_total") == 1


async def test_who_goes_is_forgotten(stack: Stack) -> None:
    async with listening(stack) as events:
        await events.next()
        assert await metric(stack, "rankfold_listeners") == 1
    await eventually(lambda: _is(stack, "rankfold_listeners", 0))
    await eventually(lambda: _is(stack, "rankfold_feeds", 0))


async def _is(stack: Stack, name: str, value: float) -> bool:
    return await metric(stack, name) == value


async def test_hundreds_may_listen(stack: Stack) -> None:
    await stack.publish(score("a", "ann", 1))
    loop = asyncio.get_running_loop()
    request = f"GET {BOARD}/live HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    sockets = [socket.socket() for _ in range(300)]
    try:
        for each in sockets:
            each.setblocking(False)
            await loop.sock_connect(each, (stack.client.host, stack.client.port))
            await loop.sock_sendall(each, request)
        await eventually(lambda: _is(stack, "rankfold_listeners", 300))
        assert await metric(stack, "rankfold_feeds") == 1
        await stack.publish(score("b", "bob", 2))
        for each in sockets:
            received = b""
            async with asyncio.timeout(PATIENCE_S):
                while b'"player":"bob"' not in received:
                    received += await loop.sock_recv(each, 65_536)
    finally:
        for each in sockets:
            each.close()


async def test_listeners_are_let_go_when_the_process_ends(stack: Stack) -> None:
    async with listening(stack) as events, stack.client.ws_connect(BOARD + "/ws") as talk:
        await events.next()
        await talk.receive_json()
        await stack.client.server.runner.shutdown()
        await events.ended()
        message = await talk.receive(timeout=60)
        assert (message.type, message.data) == (WSMsgType.CLOSE, 1001)
    assert (await stack.get(BOARD + "/live")).status == 503


async def test_a_websocket_says_the_same(stack: Stack) -> None:
    await stack.publish(score("a", "ann", 10))
    async with listening(stack) as events, stack.client.ws_connect(BOARD + "/ws") as talk:
        first, told = await events.next(), await talk.receive_json(timeout=60)
        assert told == {"event": "ranks", "id": events.id, "data": first}
        await talk.send_str("this is not listened to")
        await stack.publish(score("b", "bob", 20))
        told = await talk.receive_json(timeout=60)
        assert (told["data"], told["id"]) == (await events.next(), events.id)
        seen = told["id"]
    async with stack.client.ws_connect(f"{BOARD}/ws?player=bob&last_event_id={seen}") as talk:
        await stack.publish(score("c", "bob", 30))
        assert (await talk.receive_json(timeout=60))["data"]["full"] is False


async def test_what_cannot_be_followed_is_refused(stack: Stack) -> None:
    for path, status in {
        BOARD + "/live?top=0": 400,
        BOARD + "/live?top=101": 400,
        BOARD + "/live?top=5&player=ann": 400,
        BOARD + "/live?player=": 400,
        BOARD + "/live?after=x": 400,
        BOARD + "/live?period=weekly:2026-02-02": 400,
        BOARD + "/players/ann/live?player=bob": 400,
        "/v1/games/arcade/boards/none/live": 404,
        "/v1/games/none/boards/best/live": 404,
        BOARD + "/ws": 426,
    }.items():
        answer = await stack.get(path)
        assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json"), path
    assert (await stack.request("HEAD", BOARD + "/live")).body == b""


async def test_listeners_are_told_while_the_rankings_are_rebuilt(stack: Stack) -> None:
    await stack.publish(score("a", "ann", 10))
    async with listening(stack) as events:
        await events.next()
        await stack.rankings.flushdb()
        await stack.publish(score("b", "bob", 20))
        assert places(await events.next()) == [(1, "bob", None), (2, "ann", 1)]
