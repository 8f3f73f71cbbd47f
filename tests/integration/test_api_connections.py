"""What is no HTTP, or bodies that are not what they say: a problem without a word on what answers, and no noise in the log."""

import asyncio
import gzip
import json
import logging
import re
import zlib
from collections.abc import AsyncIterator

import brotli
import pytest

from api.access import Security
from api.app import make_app, start
from api.limits import Limits
from projections import keys
from tests.integration.api_stack import Stack, ruleset, running, score
from tests.services import eventually

pytestmark = pytest.mark.services
EVENTS = "/v1/games/arcade/events"
SECRET = b"rfk_0123456789abcdef_" + b"s" * 43


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    async with running(database_url, redis_log_url, redis_rankings_url) as stack:
        await stack.publish(ruleset())
        yield stack


@pytest.fixture
async def port(stack: Stack) -> AsyncIterator[int]:
    """Where the API listens as `rankfold serve` has it."""
    runner = await start(make_app(stack.pool, stack.log, stack.rankings), "127.0.0.1", 0)
    yield runner.addresses[0][1]
    await runner.cleanup()


async def said(port: int, content: bytes) -> bytes:
    """All that is answered to these bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(content)
    async with asyncio.timeout(20):
        reply = await reader.read()
    writer.close()
    return reply


@pytest.mark.parametrize(
    "content",
    [
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v1/games?limit=\xef\xbc\x91 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
        b"POST "
        + EVENTS.encode()
        + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST " + EVENTS.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST " + EVENTS.encode() + b" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        b"POST " + EVENTS.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Encoding: zstd\r\n\r\n{}",
        b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + SECRET + b"\0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
async def test_what_is_no_http(port: int, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    reply = await said(port, content)
    head, _, body = reply.partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == b"400"
    assert b"aiohttp" not in reply
    assert SECRET not in reply
    for line in (b"application/problem+json", b"nosniff", b"X-Request-Id: ", b"no-store"):
        assert line in head
    assert json.loads(body)["type"] == "/problems/invalid-request"
    assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []


async def test_who_hangs_up_is_no_service_that_is_away(port: int, caplog: pytest.LogCaptureFixture) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST " + EVENTS.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 90\r\n\r\n{")
    await writer.drain()
    writer.close()

    async def counted() -> bool:
        return b'route="/v1/games/{game}/events",status="' in await said(
            port, b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )

    await eventually(counted)
    assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []


PACKED = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
}


@pytest.mark.parametrize("coding", PACKED)
async def test_bodies_may_be_packed(stack: Stack, port: int, coding: str, caplog: pytest.LogCaptureFixture) -> None:
    def post(body: bytes) -> bytes:
        head = f"POST {EVENTS} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Encoding: {coding}\r\n"
        return head.encode() + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    whole = PACKED[coding](json.dumps(score("packed", "ada", 1)).encode())
    assert (await said(port, post(whole))).startswith(b"HTTP/1.1 202 ")
    for broken in (b"this is not packed", whole[:-9], b""):
        reply = await said(port, post(broken))
        assert reply.startswith(b"HTTP/1.1 400 ")
        assert b"/problems/invalid-" in reply
    bomb = PACKED[coding](b" " * 200_000_000)
    assert len(bomb) < 400_000
    assert (await said(port, post(bomb))).startswith(b"HTTP/1.1 413 ")
    assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(
    "path",
    [
        "/v1/games",
        "/v1/games/none",
        "/v1/games/arcade/boards/best/export?format=csv",
        "/v1/games/arcade/boards/best/export?format=jsonl",
        "/v1/games/arcade/boards/best/live",
        "/health/ready",
        "/metrics",
        "/docs",
        "/openapi.json",
        "/",
    ],
)
async def test_no_browser_guesses_what_an_answer_is(port: int, path: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    async with asyncio.timeout(20):
        head = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    assert b"X-Content-Type-Options: nosniff\r\n" in head
    assert b"\r\nServer:" not in head


async def one_after_the_other(port: int, requests: list[bytes]) -> list[bytes]:
    """The answers on one connection, without what differs from one to the next."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers = []
    async with asyncio.timeout(20):
        for request in requests:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"Content-Length: (\d+)", head)
            answers.append(head + (await reader.readexactly(int(length[1])) if length is not None else b""))
    writer.close()
    changing = (
        rb"Date: [^\r]*|RateLimit[^\r]*|Content-Length: \d+(?=\r\n\r\n\{\"type\")|again in \d+ s|Retry-After: \d+"
    )
    return [re.sub(changing, b"-", answer) for answer in answers]


async def test_plain_requests_are_answered_like_all_others(stack: Stack) -> None:
    """What is plain does not go through aiohttp; a field that nobody knows makes a request go there."""
    await stack.publish(
        score("e1", "ada", 5), score("e2", "bob/\u00e4", 7), *(score(f"e{n}", f"p{n}", n) for n in range(9, 40))
    )
    _, token = await keys.create(stack.pool, "arcade", ["read"], "test", None)
    _, elsewhere = await keys.create(stack.pool, "chess", ["officiate"], "test", None)
    app = make_app(
        stack.pool,
        stack.log,
        stack.rankings,
        clock_ms=lambda: stack.now_ms,
        security=Security(keys=True, limits=Limits(ranks=10_000, boards=10_000, failures=0)),
        cors_origins=("https://example.org",),
    )
    runner = await start(app, "127.0.0.1", 0)
    board = "/v1/games/arcade/boards/best"
    paths = [
        f"{board}/players/ada",
        f"{board}/players/bob%2F%C3%A4?around=3",
        f"{board}/players/p10?period=daily:2026-02-02&around=50",
        f"{board}/players/nobody",
        f"{board}/players/%ff",
        f"{board}/players/ada?around=51",
        f"{board}/players/ada?view=official",
        f"{board}/players/ada?min_position=1.0.1-0",
        f"{board}/players/ada?effective_at=2026-02-02T00:00:00Z",
        board,
        f"{board}?limit=2&period=all",
        f"{board}?q=b",
        f"{board}?generation=1",
        f"{board}?known_at=1",
        "/v1/games/arcade/boards/none",
        "/v1/games/none/boards/best/players/ada",
        "/v1/games/arcade",
        "/nowhere",
    ]
    fields = [
        "",
        f"Authorization: Bearer {token}\r\n",
        f"authorization: bearer {elsewhere}\r\nOrigin: https://example.org\r\n",
        "Authorization: Basic Zm9v\r\nOrigin: https://example.com\r\n",
        f"Authorization: Bearer {token[:-1]}!\r\n",
        "Accept-Encoding: br;q=0.5, gzip\r\n",
        "If-None-Match: *\r\nConnection: keep-alive\r\n",
    ]
    start_of = "GET {} HTTP/1.1\r\nHost: x\r\nX-Request-Id: mine:1\r\n"
    requests = [start_of.format(path) + more for path in paths for more in fields]
    port = runner.addresses[0][1]
    plain = await one_after_the_other(port, [f"{request}\r\n".encode() for request in requests])
    odd = await one_after_the_other(port, [f"{request}Anything: goes\r\n\r\n".encode() for request in requests])
    for request, own, theirs in zip(requests, plain, odd, strict=True):
        assert own == theirs, request
    statuses = {int(answer.split(b" ")[1]) for answer in plain}
    assert statuses >= {200, 304, 400, 401, 403, 404}, statuses
    await runner.cleanup()


async def test_a_key_on_a_connection_is_judged_again(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """As soon as it may have been revoked, or another one comes."""
    app = make_app(stack.pool, stack.log, stack.rankings, security=Security(keys=True))
    runner = await start(app, "127.0.0.1", 0)
    key, token = await keys.create(stack.pool, "arcade", ["publish"], "test", None)
    reader, writer = await asyncio.open_connection(*runner.addresses[0][:2])

    async def status(number: int, token: str) -> int:
        body = json.dumps(score(f"e{number}", "ada", number)).encode()
        head = (
            f"POST {EVENTS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        async with asyncio.timeout(60):
            answer = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(re.search(rb"Content-Length: (\d+)", answer)[1]))  # type: ignore[index]
        return int(answer.split(b" ")[1])

    assert [await status(number, token) for number in range(3)] == [202, 202, 202]
    assert await status(3, token[:-1] + ("a" if token[-1] != "a" else "b")) == 401
    await keys.revoke(stack.pool, key.key_id)
    assert await status(4, token) == 202
    monkeypatch.setattr("api.access.CACHED_S", 0.0)
    assert await status(5, token) == 401
    writer.close()
    await runner.cleanup()
