"""Rate limits: by key, by address, shared by processes, and without the Redis that counts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from api.access import Security
from api.app import make_app
from api.limits import Limiter, Limits
from api.problems import RefusedError
from projections import keys
from tests.integration.api_stack import Stack, ruleset, running, score

pytestmark = pytest.mark.services
BOARD = "/v1/games/arcade/boards/best"
EVENTS = "/v1/games/arcade/events"


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    async with running(database_url, redis_log_url, redis_rankings_url) as stack:
        await stack.publish(ruleset(), score("e1", "ada", 5))
        # 20 seconds into a minute, and there it stays.
        stack.now_ms = 1_770_000_020_000
        yield stack


@asynccontextmanager
async def limited(stack: Stack, security: Security) -> AsyncIterator[Stack]:
    """Another process of the API, with limits."""
    app = make_app(stack.pool, stack.log, stack.rankings, clock_ms=lambda: stack.now_ms, security=security)
    async with TestClient(TestServer(app, access_log=None)) as client:
        yield Stack(client, stack.pool, stack.log, stack.rankings)


async def test_an_address_has_its_share_of_each_kind_and_is_told(stack: Stack) -> None:
    async with limited(stack, Security(limits=Limits(submissions=2, ranks=1, boards=3))) as api:
        first = await api.get(BOARD)
        assert first.headers["RateLimit-Policy"] == '"boards";q=3;w=60'
        assert first.headers["RateLimit"] == '"boards";r=2;t=40'
        assert [first.headers[f"RateLimit-{name}"] for name in ("Limit", "Remaining", "Reset")] == ["3", "2", "40"]
        assert [(await api.get(BOARD)).status for _ in range(3)] == [200, 200, 429]
        refused = await api.get(BOARD)
        assert (refused.status, refused.json["type"]) == (429, "/problems/too-many")
        assert (refused.headers["Retry-After"], refused.headers["RateLimit-Remaining"]) == ("40", "0")
        assert [(await api.get(f"{BOARD}/players/ada")).status for _ in range(2)] == [200, 429]
        published = [(await api.post(EVENTS, [score(f"x{n}", "ada", n)])).status for n in range(3)]
        assert published == [202, 202, 429]
        assert (await api.get("/health/live")).status == 200
        stack.now_ms += 40_000
        problems = [await api.get(path) for path in (f"{BOARD}?limit=0", "/v1/games/chess", f"{BOARD}/players/bob")]
        assert [answer.status for answer in problems] == [400, 404, 404]
        assert [answer.headers["RateLimit-Remaining"] for answer in problems] == ["2", "1", "0"]
        assert (await api.get(BOARD)).status == 200


async def test_a_refused_submission_is_not_in_the_log(stack: Stack) -> None:
    async with limited(stack, Security(limits=Limits(submissions=1))) as api:
        await api.post(EVENTS, [score("x1", "ada", 1)])
        before = await stack.logged()
        assert (await api.post(EVENTS, [score("x2", "ada", 1)])).status == 429
        assert await stack.logged() == before


async def test_processes_count_together(stack: Stack) -> None:
    security = Security(limits=Limits(boards=2))
    async with limited(stack, security) as one, limited(stack, security) as other:
        assert [(await api.get(BOARD)).status for api in (one, other, one, other)] == [200, 200, 429, 429]


async def test_each_key_has_its_own_share(stack: Stack) -> None:
    tokens = [(await keys.create(stack.pool, "arcade", ["read"], "", None))[1] for _ in range(2)]
    async with limited(stack, Security(keys=True, limits=Limits(boards=1))) as api:
        for headers in ({}, *({"Authorization": f"Bearer {token}"} for token in tokens)):
            assert [(await api.get(BOARD, headers=headers)).status for _ in range(2)] == [200, 429]


async def test_who_guesses_keys_is_stopped(stack: Stack) -> None:
    async with limited(stack, Security(keys=True, limits=Limits(failures=2))) as api:
        guesses = [f"Bearer rfk_{n:016x}_{'a' * 43}" for n in range(4)]
        statuses = [(await api.get(BOARD, headers={"Authorization": guess})).status for guess in guesses]
        assert statuses == [401, 401, 429, 429]
        assert (await api.get(BOARD)).status == 200


async def test_addresses_behind_a_proxy(stack: Stack) -> None:
    async def statuses(api: Stack, *addresses: str) -> list[int]:
        return [(await api.get(BOARD, headers={"X-Forwarded-For": address})).status for address in addresses]

    async with limited(stack, Security(limits=Limits(boards=1), proxies=1)) as api:
        # What a client writes in front of his address changes nothing; an IPv6 client is his /64.
        asked = ["192.0.2.1", "192.0.2.2", "8.8.8.8, 192.0.2.1", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"]
        assert await statuses(api, *asked) == [200, 200, 429, 200, 429, 200]
        with_ports = [
            "192.0.2.1:4711",
            "192.0.2.3:4711",
            "[2001:db8::1]:4711",
            "[2001:db8:0:2::1]:1",
            "[2001:db8:0:3::1]",
        ]
        assert await statuses(api, *with_ports) == [429, 200, 429, 200, 200]
    async with limited(stack, Security(limits=Limits(boards=1))) as api:
        assert await statuses(api, "192.0.2.8", "192.0.2.9") == [200, 429]


async def test_without_redis_a_process_counts_alone() -> None:
    away: Redis[Any] = Redis(port=1, retry=Retry(NoBackoff(), 0))
    limiter = Limiter(away, Limits(boards=2), lambda: 1_770_000_020.0)
    assert b"RateLimit-Remaining: 1\r\n" in await limiter.count("boards", "address:192.0.2.1")
    await limiter.count("boards", "address:192.0.2.1")
    with pytest.raises(RefusedError):
        await limiter.count("boards", "address:192.0.2.1")
    assert await limiter.count("boards", "address:192.0.2.2")
    assert await Limiter(away, Limits(boards=0), lambda: 0.0).count("boards", "x") == b""
    await away.aclose()


async def test_an_open_api_says_nothing_of_limits(stack: Stack) -> None:
    answer = await stack.get(BOARD)
    assert not [name for name in answer.headers if name.lower().startswith("ratelimit")]
