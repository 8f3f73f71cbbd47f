"""The service around the answers: health, metrics, services that are away, and the wire protocol itself."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from api.app import make_app
from projections import circuits
from projections.circuits import Circuit
from tests.integration.api_stack import Stack, ruleset, running, score

pytestmark = pytest.mark.services
BOARD = "/v1/games/arcade/boards/best"


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    async with running(database_url, redis_log_url, redis_rankings_url) as stack:
        await stack.publish(ruleset(), score("e1", "ada", 5))
        yield stack


async def exchange(stack: Stack, request: bytes) -> bytes:
    """Sends bytes over a connection of their own and returns everything that comes back until it is closed."""
    assert stack.client.server.port is not None
    reader, writer = await asyncio.open_connection(stack.client.server.host, stack.client.server.port)
    writer.write(request)
    async with asyncio.timeout(10):
        reply = await reader.read()
    writer.close()
    await writer.wait_closed()
    return reply


def nobody() -> Redis:
    """A Redis that is not there, as the API's connections are made: without retries of redis-py's own."""
    return Redis(port=1, retry=Retry(NoBackoff(), 0))


async def test_health(stack: Stack) -> None:
    assert (await stack.get("/health/live")).json == {"status": "live"}
    ready = await stack.get("/health/ready")
    assert (ready.status, ready.json["ready"]) == (200, True)
    assert set(ready.json["services"].values()) == {"ok"}
    (shard,) = ready.json["shards"]
    assert shard["lag_ms"] == 0
    assert shard["holder"] is None
    await stack.pool.execute("INSERT INTO leases VALUES (0, 'machine:7', now() + interval '1 minute')")
    assert (await stack.get("/health/ready")).json["shards"][0]["holder"] == "machine:7"
    assert shard["applied"].endswith(shard["newest"])
    pool = (await stack.get("/health/pool")).json
    assert pool["total"] == pool["active"] + pool["idle"] <= pool["max"]
    assert pool["waiting"] == 0
    assert 0 <= pool["utilization"] <= 1


async def test_health_tells_why_a_shard_is_not_folded(stack: Stack) -> None:
    def told(answer: Any) -> tuple[object, ...]:
        (shard,) = answer.json["shards"]
        return shard["circuit"], shard["reason"], shard["advice"], shard["since"]

    assert told(await stack.get("/health/ready")) == ("closed", None, None, None)
    stopped = Circuit("stopped", 3, "It was rewound.", "Restore it.", 1_770_000_000_000)
    await circuits.tell(stack.rankings, 0, stopped)
    ready = await stack.get("/health/ready")
    assert ready.status == 200
    assert told(ready) == ("stopped", "It was rewound.", "Restore it.", "2026-02-02T02:40:00Z")
    await circuits.tell(stack.rankings, 0, Circuit())
    assert told(await stack.get("/health/ready")) == ("closed", None, None, None)


async def test_health_tells_the_lag(stack: Stack) -> None:
    await stack.pause()
    await stack.publish(score("e2", "ada", 6), wait=False)
    ready = await stack.get("/health/ready")
    assert ready.status == 200
    assert ready.json["shards"][0]["lag_ms"] >= 1


async def test_pool_health_counts_who_waits(stack: Stack) -> None:
    held = [await stack.pool.acquire() for _ in range(stack.pool.get_max_size())]
    waiter = asyncio.ensure_future(stack.pool.acquire())
    await asyncio.wait([waiter], timeout=0)
    # The waiter queues at its first step, which the request below gives it time for.
    pool = (await stack.get("/health/pool")).json
    assert (pool["active"], pool["waiting"], pool["utilization"]) == (len(held), 1, 1.0)
    for connection in held:
        await stack.pool.release(connection)
    await stack.pool.release(await waiter)


async def test_metrics_count_requests_by_route_and_status(stack: Stack) -> None:
    for path in (BOARD, f"{BOARD}/players/ada", f"{BOARD}/players/bob", "/nothing"):
        await stack.get(path)
    answer = await stack.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain")
    text = answer.body.decode()
    route = 'method="GET",route="/v1/games/{game}/boards/{board}/players/{player}"'
    assert f'rankfold_http_request_seconds_count{{{route},status="200"}} 1.0' in text
    assert f'rankfold_http_request_seconds_count{{{route},status="404"}} 1.0' in text
    assert f'rankfold_http_request_seconds_bucket{{le="+Inf",{route},status="200"}} 1.0' in text
    assert "rankfold_lookups_total" in text
    assert 'rankfold_pool_connections{state="idle"}' in text
    assert 'rankfold_shard_circuit{shard="0"} 0.0' in text
    await circuits.tell(stack.rankings, 0, circuits.Circuit("parked", 1))
    assert b'rankfold_shard_circuit{shard="0"} 2.0' in (await stack.get("/metrics")).body
    # Names that clients make up must not become labels.
    assert "nothing" not in text


async def test_without_the_rankings_redis_reads_go_on(stack: Stack) -> None:
    before = await stack.get(f"{BOARD}/players/ada")
    away = nobody()
    app = make_app(stack.pool, stack.log, away)
    async with TestClient(TestServer(app)) as client:
        other = Stack(client, stack.pool, stack.log, away)
        during = await other.get(f"{BOARD}/players/ada")
        assert (during.status, during.json) == (200, before.json)
        assert (await other.get(BOARD)).json["entries"][0]["player"] == "ada"
        ready = await other.get("/health/ready")
        assert (ready.status, ready.json["services"]["redis_rankings"]) == (503, "away (ConnectionError)")
    await away.aclose()


async def test_without_the_logs_redis_publishing_waits_for_another_day(stack: Stack) -> None:
    away = nobody()
    app = make_app(stack.pool, away, stack.rankings)
    async with TestClient(TestServer(app)) as client:
        other = Stack(client, stack.pool, away, stack.rankings)
        answer = await other.post("/v1/games/arcade/events", [score("e2", "ada", 6)])
        assert (answer.status, answer.json["type"]) == (503, "/problems/unavailable")
        assert answer.headers["Retry-After"]
        assert (await other.get(BOARD)).status == 200
    await away.aclose()


async def test_an_unexpected_error_tells_nothing(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> bytes:
        raise RuntimeError("SELECT secret FROM somewhere")

    monkeypatch.setattr("api.reads.place_bytes", broken)
    answer = await stack.get(f"{BOARD}/players/ada")
    told = {"type": "/problems/internal", "title": "Something went wrong in here", "status": 500}
    assert answer.json == {**told, "request_id": answer.headers["X-Request-Id"]}


async def test_old_and_plain_clients(stack: Stack) -> None:
    path = BOARD.encode()
    old = await exchange(stack, b"GET %b HTTP/1.0\r\n\r\n" % path)
    assert b" 200 OK\r\n" in old
    assert b"Connection: close\r\n" in old
    closing = await exchange(stack, b"GET %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % path)
    assert b"Connection: close\r\n" in closing
    whole = await exchange(stack, b"GET http://x%b?limit=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % path)
    assert b'"entries":[{"rank":1,"player":"ada"' in whole


async def test_pipelined_requests_are_answered_in_order(stack: Stack) -> None:
    ask = b"GET %b%%s HTTP/1.1\r\nHost: x\r\n%%s\r\n" % BOARD.encode()
    requests = [
        ask % (b"/players/ada", b""),
        ask % (b"?limit=1", b""),
        ask % (b"/players/eve", b"Connection: close\r\n"),
    ]
    reply = await exchange(stack, b"".join(requests))
    assert reply.count(b"HTTP/1.1 ") == 3
    assert reply.index(b'"ordinal"') < reply.index(b'"entries"') < reply.index(b"/problems/not-found")


async def test_a_client_that_expects_a_go_ahead_gets_it(stack: Stack) -> None:
    body = b'{"id":"e9","type":"score","player":"ada","values":{"points":9}}'
    reply = await exchange(
        stack,
        b"POST /v1/games/arcade/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n"
        b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body),
    )
    assert reply.startswith(b"HTTP/1.1 100 Continue\r\n")
    assert b"HTTP/1.1 202 Accepted\r\n" in reply


@pytest.mark.parametrize(
    "request_line", [b"GET", b"GET / HTTP/9.9", b"\x00\x01\x02", b"GET /v1/games/\xff\xfe/boards/best HTTP/1.1"]
)
async def test_nonsense_gets_an_error_and_does_no_harm(stack: Stack, request_line: bytes) -> None:
    reply = await exchange(stack, request_line + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert reply.startswith((b"HTTP/1.0 4", b"HTTP/1.1 4"))
    assert (await stack.get("/health/live")).status == 200
