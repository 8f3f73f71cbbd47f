"""What every answer has in common, through the real servers: entity tags, HEAD, packing, request ids, other sites' pages."""

import gzip
import io
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import brotli
import pytest

from api.negotiate import PACKED_BYTES_MIN
from cli import logs
from tests.integration.api_stack import Stack, ruleset, running, score

pytestmark = pytest.mark.services
GAME = "/v1/games/arcade"
BOARD = GAME + "/boards/best"
READS = [
    "/v1/games",
    GAME,
    GAME + "/rejections",
    GAME + "/players/p0",
    GAME + "/players/p0/stats",
    BOARD,
    BOARD + "?q=p1",
    BOARD + "/segments",
    BOARD + "/players/p0",
    BOARD + "/players/p0/history",
    BOARD + "/export",
    "/openapi.json",
    "/docs",
    "/",
]
IDENTITY = {"Accept-Encoding": "identity"}


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    async with running(database_url, redis_log_url, redis_rankings_url) as stack:
        await stack.publish(ruleset(), *(score(f"s{i}", f"p{i}", i) for i in range(40)))
        yield stack


@pytest.mark.parametrize("path", READS)
async def test_every_read_can_be_asked_for_its_head_and_whether_it_has_changed(stack: Stack, path: str) -> None:
    answer = await stack.get(path, headers=IDENTITY)
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-cache"
    tag = answer.headers["ETag"]
    head = await stack.request("HEAD", path, headers=IDENTITY)
    assert (head.status, head.body, head.headers["ETag"]) == (200, b"", tag)
    assert head.headers["Content-Type"] == answer.headers["Content-Type"]
    for held in (tag, f'"other", {tag}', "*"):
        unchanged = await stack.get(path, headers={"If-None-Match": held, **IDENTITY})
        assert (unchanged.status, unchanged.body, unchanged.headers["ETag"]) == (304, b"", tag), held
    assert (await stack.get(path, headers={"If-None-Match": '"other"'})).status == 200


@pytest.mark.parametrize(
    "path", [GAME, BOARD, BOARD + "/players/p0", BOARD + "/players/p0/history", GAME + "/players/p0"]
)
async def test_a_tag_stays_while_only_the_position_moves_on(stack: Stack, path: str) -> None:
    before = await stack.get(path)
    await stack.publish(
        {"id": "other", "type": "ruleset", "version": 1, "text": ruleset()["text"].replace("arcade", "two")}, game="two"
    )
    after = await stack.get(
        f"{path}?min_position={(await stack.get('/v1/games/two')).json['position']}" if path != GAME else path
    )
    assert after.headers["ETag"] == before.headers["ETag"]


async def test_a_tag_changes_with_what_it_stands_for(stack: Stack) -> None:
    for path in (BOARD, BOARD + "/players/p0", BOARD + "/players/p0/history", GAME + "/players/p0"):
        tag = (await stack.get(path)).headers["ETag"]
        await stack.publish(score("more" + path, "p0", 1_000 + len(path)))
        assert (await stack.get(path, headers={"If-None-Match": tag})).status == 200, path


async def test_long_bodies_are_packed_for_those_who_want_it(stack: Stack) -> None:
    plain = await stack.get(BOARD, headers=IDENTITY)
    assert len(plain.body) > PACKED_BYTES_MIN
    assert "Content-Encoding" not in plain.headers
    assert plain.headers.getall("Vary") == ["Accept-Encoding"]
    for accepted in ("gzip", "br;q=0.5, GZIP;q=1.0", "*", "gzip, br;q=0"):
        packed = await stack.get(BOARD, headers={"Accept-Encoding": accepted}, auto_decompress=False)
        assert packed.headers["Content-Encoding"] == "gzip", accepted
        assert packed.headers.getall("Vary") == ["Accept-Encoding"]
        assert len(packed.body) == int(packed.headers["Content-Length"]) < len(plain.body) / 2
        assert json.loads(gzip.decompress(packed.body)) == plain.json
    for accepted in ("br", "gzip, deflate, BR", "gzip;q=0.5, br"):
        packed = await stack.get(BOARD, headers={"Accept-Encoding": accepted}, auto_decompress=False)
        assert packed.headers["Content-Encoding"] == "br", accepted
        assert packed.headers["ETag"] == plain.headers["ETag"]
        assert len(packed.body) == int(packed.headers["Content-Length"]) < len(plain.body) / 2
        assert json.loads(brotli.decompress(packed.body)) == plain.json
    for accepted in ("deflate", "br;q=0", "gzip;q=0", "*;q=0", "gzip;q=x"):
        answer = await stack.get(BOARD, headers={"Accept-Encoding": accepted}, auto_decompress=False)
        assert "Content-Encoding" not in answer.headers, accepted
    short = await stack.get(BOARD + "?limit=1", headers={"Accept-Encoding": "gzip"}, auto_decompress=False)
    assert "Content-Encoding" not in short.headers


async def test_very_long_bodies_too(stack: Stack) -> None:
    await stack.publish(*(score(f"t{i}", f"{'long-name-' * 8}{i}", i) for i in range(900)))
    packed = await stack.get(BOARD + "?limit=1000", headers={"Accept-Encoding": "gzip"}, auto_decompress=False)
    assert len(json.loads(gzip.decompress(packed.body))["entries"]) == 940
    packed = await stack.get(BOARD + "?limit=1000", headers={"Accept-Encoding": "br"}, auto_decompress=False)
    assert len(json.loads(brotli.decompress(packed.body))["entries"]) == 940


async def test_a_request_id_goes_through(stack: Stack) -> None:
    first, second = await stack.get(BOARD), await stack.get(BOARD)
    assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]
    for path in (BOARD, BOARD + "/export", "/nowhere", BOARD + "?limit=0", "/health/live", "/"):
        answer = await stack.get(path, headers={"X-Request-Id": "mine-1"})
        assert answer.headers.getall("X-Request-Id") == ["mine-1"], path
        if answer.status >= 400:
            assert answer.json["request_id"] == "mine-1"
    for bad in ("x" * 129, "two words", "<script>", ""):
        answer = await stack.get("/nowhere", headers={"X-Request-Id": bad})
        assert answer.headers["X-Request-Id"] == answer.json["request_id"] != bad


async def test_log_lines_carry_the_request_id(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    root, output = logging.getLogger(), io.StringIO()
    monkeypatch.setattr("sys.stderr", output)
    before = root.handlers[:], root.level
    shown = (await stack.get(BOARD)).json["position"]
    try:
        logs.configure("json")
        await stack.pause()
        await stack.pool.close()
        answer = await stack.get(BOARD + "/players/p0/history", headers={"X-Request-Id": "mine-2"})
    finally:
        root.handlers, root.level = before
    assert answer.status == 503
    lines = [json.loads(line) for line in output.getvalue().splitlines()]
    assert ("mine-2", shown) in [(line.get("request_id"), line.get("position")) for line in lines], lines


async def test_pages_of_other_sites_are_kept_out_unless_named(stack: Stack) -> None:
    answer = await stack.get(BOARD, headers={"Origin": "https://example.org"})
    assert not [name for name in answer.headers if name.startswith("Access-Control")]
    assert (await stack.request("OPTIONS", BOARD, headers={"Origin": "https://example.org"})).status == 405


FROM = (
    ({"Origin": "https://example.com", "Sec-Fetch-Site": "cross-site"}, 403),
    ({"Origin": "http://localhost:3001", "Sec-Fetch-Site": "same-site"}, 403),
    ({"Origin": "https://example.com"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"}, 202),
    ({"Origin": "https://ranks.example", "Sec-Fetch-Site": "same-origin"}, 202),
    ({"Origin": "http://127.0.0.1:8321", "Host": "127.0.0.1:8321"}, 202),
    ({}, 202),
)


@pytest.mark.parametrize(("headers", "status"), FROM)
async def test_a_browser_does_nothing_for_a_page_of_another_site(
    database_url: str, redis_log_url: str, redis_rankings_url: str, headers: dict[str, str], status: int
) -> None:
    async with running(
        database_url, redis_log_url, redis_rankings_url, cors_origins=("http://localhost:3000",)
    ) as stack:
        await stack.publish(ruleset(), score("e1", "ada", 5))
        before = await stack.logged()
        # What a page may send unasked: no media type, or that of plain text.
        for path, body, good in (
            (GAME + "/events", score("e2", "eve", 9), 202),
            (GAME + "/generations", {"action": "build", "name": "eve"}, 202),
            (GAME + "/preview", {"events": [score("e3", "eve", 9)]}, 200),
            (GAME + "/dead-letters/1/retry", None, 404),
        ):
            content = b"" if body is None else json.dumps(body).encode()
            options: dict[str, Any] = {"data": content, "headers": headers, "skip_auto_headers": ["Content-Type"]}
            answer = await stack.request("POST", path, **options)
            assert answer.status == (403 if status == 403 else good), (path, answer.body)
        assert await stack.logged() == before + (status != 403)
        shake = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        shake["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZQ=="
        async with stack.client.get(BOARD + "/ws", headers=headers | shake) as answer:
            assert answer.status == (403 if status == 403 else 101)
        # What its answer is kept from needs no more: the page cannot read it.
        assert (await stack.get(BOARD, headers=headers)).status == 200


async def test_named_sites_may_use_the_api(database_url: str, redis_log_url: str, redis_rankings_url: str) -> None:
    site = "https://example.org"
    async with running(
        database_url, redis_log_url, redis_rankings_url, cors_origins=(site, "http://localhost:3000")
    ) as stack:
        await stack.publish(ruleset(), *(score(f"s{i}", f"p{i}", i) for i in range(40)))
        for path in (BOARD, "/nowhere", BOARD + "/export", BOARD + "?limit=0"):
            answer = await stack.get(path, headers={"Origin": site})
            assert answer.headers["Access-Control-Allow-Origin"] == site, path
            assert "Origin" in answer.headers.getall("Vary")
            assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
            other = await stack.get(path, headers={"Origin": "https://example.com"})
            assert "Access-Control-Allow-Origin" not in other.headers
            assert "Origin" in other.headers.getall("Vary")
        asked = {
            "Origin": site,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization",
        }
        preflight = await stack.request("OPTIONS", GAME + "/events", headers=asked)
        assert (preflight.status, preflight.body) == (204, b"")
        assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
        assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
        refused = await stack.request("OPTIONS", GAME + "/events", headers={**asked, "Origin": "https://example.com"})
        assert refused.status == 405
        async with stack.client.get(BOARD + "/live", headers={"Origin": site}) as live:
            assert live.headers["Access-Control-Allow-Origin"] == site


async def test_all_sites_may_where_that_is_said(database_url: str, redis_log_url: str, redis_rankings_url: str) -> None:
    async with running(database_url, redis_log_url, redis_rankings_url, cors_origins=("*",)) as stack:
        answer = await stack.get("/v1/games", headers={"Origin": "https://example.net"})
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
