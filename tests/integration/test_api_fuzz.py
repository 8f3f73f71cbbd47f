"""Schemathesis against the API's own description: whatever is sent, no 5xx, no status and no shape that is not described.

Examples are drawn from a fixed seed; FUZZ_EXAMPLES asks for more of them than continuous integration does.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
import schemathesis
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation.modes import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.access import Security
from api.app import make_app
from api.openapi import document
from tests.integration.api_stack import Stack, ruleset, running, score

pytestmark = [pytest.mark.services, pytest.mark.slow]
URL_CHARS_MAX = 8_000
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "6"))
NOT_YET = b'"type":"/problems/not-yet"'


def no_fault(context: Any, response: Any, case: Any) -> bool | None:
    """No 5xx, except for a position that was asked for and is not there yet: 503 is the answer to that."""
    if response.status_code == 503 and NOT_YET in response.content:
        return None
    found: bool | None = not_a_server_error(context, response, case)
    return found


CHECKS = [
    no_fault,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
KNOWN = {"game": "arcade", "board": "best", "player": "ada"}
ENDLESS = ("live_board", "live_player", "live_socket")
OPERATIONS = [found.ok() for found in schemathesis.openapi.from_dict(document()).get_all_operations()]
FUZZED = [each for each in OPERATIONS if each.definition.raw["operationId"] not in ENDLESS]


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    async with running(database_url, redis_log_url, redis_rankings_url) as stack:
        await stack.publish(ruleset(), *(score(f"e{n}", player, n) for n, player in enumerate(["ada", "bob", "é/✓"])))
        yield stack


def fuzz(url: str, operation: Any, mode: GenerationMode, known: bool) -> None:
    """Asks one operation of a served API again and again; `known`: about things that exist."""
    raw = operation.definition.raw
    malleable = "requestBody" in raw or any(item["in"] == "query" for item in raw["parameters"])
    if mode is GenerationMode.NEGATIVE and not malleable:
        return
    names = {item["name"] for item in raw["parameters"] if item["in"] == "path"}
    path = {name: value for name, value in KNOWN.items() if name in names} if known else None
    strategy = operation.as_strategy(generation_mode=mode, path_parameters=path or None)

    @seed(5)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def ask(case: Any) -> None:
        # aiohttp itself refuses longer request lines, in its own words.
        if len(case.as_curl_command()) < URL_CHARS_MAX:
            case.call_and_validate(base_url=url, checks=CHECKS, timeout=30)

    ask()


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("mode", list(GenerationMode), ids=[mode.value for mode in GenerationMode])
async def test_nothing_that_is_not_described(stack: Stack, mode: GenerationMode, known: bool) -> None:
    url = str(stack.client.make_url("/")).rstrip("/")
    for operation in FUZZED:
        await asyncio.to_thread(fuzz, url, operation, mode, known)
    assert (await stack.get("/health/live")).status == 200


async def test_a_guarded_api_neither(stack: Stack) -> None:
    app = make_app(stack.pool, stack.log, stack.rankings, security=Security(keys=True))
    async with TestClient(TestServer(app, access_log=None)) as client:
        url = str(client.make_url("/")).rstrip("/")
        for operation in FUZZED:
            await asyncio.to_thread(fuzz, url, operation, GenerationMode.POSITIVE, True)


def test_what_is_left_out_exists() -> None:
    assert len(OPERATIONS) - len(FUZZED) == len(ENDLESS)
