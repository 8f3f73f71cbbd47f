"""A fixed list of hostile inputs, in every place that takes input: each is refused or kept as plain text, none does harm."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.integration.api_stack import Stack, ruleset, running, score

pytestmark = pytest.mark.services
GAME = "/v1/games/arcade"
TEXTS = {
    "sql": "'; DROP TABLE standings; --",
    "sql or": "ada' OR '1'='1",
    "sql like": "%_\\",
    "script": "<script>alert(1)</script>",
    "attribute": '"><img src=x onerror=alert(1)>',
    "template": "{{7*7}}${7*7}#{7*7}",
    "shell": "$(reboot)`reboot`;reboot|reboot",
    "path": "../../../../etc/passwd",
    "path dots": "..%2f..%2fetc%2fpasswd",
    "windows path": "..\\..\\windows\\win.ini",
    "header": "x\r\nSet-Cookie: a=b",
    "null": "ada\0bob",
    "redis": "x\r\nFLUSHALL\r\n",
    "lua": "']]return redis.call('flushall')--",
    "right to left": "\u202eada",
    "zero width": "a\u200bda",
    "combining": "a" + "\u0301" * 60,
    "emoji": "👩‍👩‍👧‍👦" * 4,
    "not a character": "\ufffe\uffff",
    "long": "x" * 3_000,
    "number": "9" * 400,
    "infinity": "Infinity",
    "formula": "=HYPERLINK(1)",
    "json": '{"$ne":null}',
}
NUMBERS = [
    "1e400", "-1e400", "1e-400", "9" * 60, "-" + "9" * 60, "1" + "0" * 5_000, "NaN", "Infinity", "-0", "0x10", "01", "1.",
    '"1e999999999"', '"NaN"', "null", "[]", "{}",
]  # fmt: skip
BODIES: dict[str, bytes] = {
    "nothing": b"",
    "null": b"null",
    "deep array": b"[" * 100_000,
    "deep object": b'{"a":' * 100_000,
    "deep field": b'{"id":"d","type":"score","player":"ada","values":' + b'{"points":' * 5_000 + b"1" + b"}" * 5_001,
    "not utf-8": b'{"id":"\xff\xfe","type":"score","player":"ada","values":{"points":1}}',
    "lone surrogate": b'{"id":"\\ud800","type":"score","player":"ada","values":{"points":1}}',
    "twice": b'{"id":"t","id":"u","type":"score","player":"ada","values":{"points":1}}',
    "prototype": b'{"__proto__":{"admin":true},"id":"p","type":"score","player":"ada","values":{"points":1}}',
    "other game": b'{"id":"o","type":"score","game":"chess","player":"ada","values":{"points":1}}',
    "no such type": b'{"id":"n","type":"drop"}',
    "too many": b"[" + b",".join([b"{}"] * 1_001) + b"]",
    "half": b'{"id":"h","type":"score","player":"ada","values":{"points":1}',
}


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    """With a board that must look the same at the end."""
    async with running(database_url, redis_log_url, redis_rankings_url) as stack:
        await stack.publish(ruleset(), score("e1", "ada", 5), score("e2", "bob", 3))
        before = (await stack.get(f"{GAME}/boards/best")).json["entries"]
        yield stack
        after = await stack.get(
            f"{GAME}/boards/best?min_position={(await stack.publish(score('end', 'ada', 0)))['position']}"
        )
        shown = [entry for entry in after.json["entries"] if entry["player"] in ("ada", "bob")]
        assert [(entry["player"], entry["metrics"]) for entry in shown] == [
            (entry["player"], entry["metrics"]) for entry in before
        ]


def harmless(answer: Any) -> None:
    """An answer as it is described: problem or JSON, and no word of what is behind."""
    assert answer.status in (200, 202, 400, 404, 405, 413, 415, 426), (answer.status, answer.body[:300])
    kind = answer.headers["Content-Type"]
    assert kind.startswith("application/problem+json" if answer.status >= 400 else ("application/json", "text/csv"))
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in answer.headers
    for word in (b"Traceback", b"asyncpg", b"SELECT ", b"syntax error", b"/work/", b'.py"'):
        assert word not in answer.body


async def test_hostile_text_in_addresses(stack: Stack) -> None:
    for text in TEXTS.values():
        await ask_everywhere(stack, text)


async def ask_everywhere(stack: Stack, text: str) -> None:
    """Puts a text into every place of an address."""
    segment = quote(text, safe="")
    for path in (
        f"/{segment}",
        f"/static/{segment}/{segment}",
        f"/v1/games/{segment}",
        f"{GAME}/boards/{segment}",
        f"{GAME}/boards/best/players/{segment}",
        f"{GAME}/boards/best/players/{segment}/history",
        f"{GAME}/players/{segment}",
        f"{GAME}/players/{segment}/stats",
        *(
            f"{GAME}/boards/best?{name}={segment}"
            for name in ("period", "segment", "limit", "after", "before", "min_position", "q", segment)
        ),
        f"{GAME}/boards/best/export?format={segment}",
        f"{GAME}/rejections?player={segment}",
        f"{GAME}/players/ada?board={segment}",
        f"/v1/games?after={segment}",
    ):
        harmless(await stack.get(path))


@pytest.mark.parametrize(
    "name", ["If-None-Match", "Accept-Encoding", "Authorization", "X-Request-Id", "Origin", "Range"]
)
async def test_hostile_text_in_headers(stack: Stack, name: str) -> None:
    for text in TEXTS.values():
        header = "".join(char for char in text if char not in "\r\n\0").encode()[:4_000].decode("latin-1")
        answer = await stack.get(f"{GAME}/boards/best", headers={name: header})
        harmless(answer)


async def test_hostile_text_in_events_is_refused_or_kept_as_it_is(stack: Stack) -> None:
    for number, text in enumerate(TEXTS.values()):
        await publish_everywhere(stack, number, text)


async def publish_everywhere(stack: Stack, number: int, text: str) -> None:
    """Puts a text into every field of an event."""
    event = score(f"hostile-{number}", text, 1)
    answer = await stack.post(f"{GAME}/events?wait=10000", [event])
    harmless(answer)
    if answer.status == 202:
        place = await stack.get(f"{GAME}/boards/best/players/{quote(text, safe='')}")
        assert (place.status, place.json["player"]) == (200, text)
    for field in ("id", "type", "game", "occurred_at", "round", "values", "attributes"):
        harmless(await stack.post(f"{GAME}/events", [{**score("other", "eve", 1), field: text}]))
        harmless(await stack.post(f"{GAME}/events", [{**score("other", "eve", 1), field: {text: text}}]))
    harmless(await stack.post(f"{GAME}/boards/best/ranks", {"players": [text]}))


async def test_hostile_numbers(stack: Stack) -> None:
    for at, number in enumerate(NUMBERS):
        await publish_number(stack, f"eve-{at}", number)


async def publish_number(stack: Stack, player: str, number: str) -> None:
    """Publishes a score of a number as it is written; what is accepted is shown exactly."""
    body = f'{{"id":"{player}","type":"score","player":"{player}","values":{{"points":{number}}}}}'
    answer = await stack.request(
        "POST", f"{GAME}/events?wait=10000", data=body, headers={"Content-Type": "application/json"}
    )
    harmless(answer)
    if answer.status == 202:
        place = await stack.get(f"{GAME}/boards/best/players/{player}")
        assert int(place.json["metrics"]["points"]) == int(number)


async def test_hostile_bodies(stack: Stack) -> None:
    for body in BODIES.values():
        await send_everywhere(stack, body)


async def send_everywhere(stack: Stack, body: bytes) -> None:
    """Sends a body under every media type to whatever takes one."""
    before = await stack.logged()
    for media in ("application/json", "application/x-ndjson", "application/msgpack", "text/html", "*/*", ""):
        answer = await stack.request("POST", f"{GAME}/events", data=body, headers={"Content-Type": media})
        harmless(answer)
        assert answer.status != 202 or body == BODIES["twice"]
    harmless(await stack.request("POST", f"{GAME}/boards/best/ranks", data=body))
    assert await stack.logged() <= before + (body == BODIES["twice"])


async def test_a_body_that_is_too_large(stack: Stack) -> None:
    body = json.dumps([score("large", "ada", 1, attributes={"text": "x" * 5_000_000})]).encode()
    answer = await stack.request("POST", f"{GAME}/events", data=body, headers={"Content-Type": "application/json"})
    harmless(answer)
    assert answer.status == 413


async def test_a_body_that_never_comes(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.bodies.BODY_S_MAX", 0.05)
    reader, writer = await asyncio.open_connection(stack.client.server.host, stack.client.server.port or 0)
    writer.write(f"POST {GAME}/events HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{".encode())
    async with asyncio.timeout(10):
        reply = await reader.readuntil(b"}")
    writer.close()
    assert reply.startswith(b"HTTP/1.1 408 ")
    assert b"/problems/too-slow" in reply


async def test_other_methods(stack: Stack) -> None:
    methods = ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "X" * 30]
    paths = [GAME, f"{GAME}/boards/best", f"{GAME}/events", "/docs", "/openapi.json"]
    for method, path in itertools.product(methods, paths):
        answer = await stack.request(method, path)
        assert 200 <= answer.status < 500
        assert b"Traceback" not in answer.body


@pytest.mark.parametrize(
    "path",
    [
        f"{GAME}/boards/best/../today",
        f"{GAME}/boards/best/%2e%2e/today",
        f"{GAME}/boards/best/./players/ada",
        "/v1/./games/arcade/boards/best",
        "//v1/games/arcade/boards/best",
        f"{GAME}//boards/best",
        f"{GAME}/board%73/best",
        f"{GAME}%2Fboards%2Fbest",
        f"{GAME}/boards/best;a=b",
        f"{GAME}/boards/best#fragment",
        "http://elsewhere/v1/games/arcade/boards/best/../today",
        "*",
        "elsewhere:443",
    ],
)
async def test_odd_request_targets(stack: Stack, path: str) -> None:
    reader, writer = await asyncio.open_connection(stack.client.server.host, stack.client.server.port or 0)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    async with asyncio.timeout(10):
        reply = await reader.read()
    writer.close()
    status = int(reply.split(b" ", 2)[1])
    assert status in (200, 400, 404), reply[:300]
    assert b"Traceback" not in reply
