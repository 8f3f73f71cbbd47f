"""An API that starts before its servers: it lives, says what it waits for, and serves when they are there."""

import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from cli.embedded import Embedded, Which
from tests.child import Child
from tests.harness import ROOT, Harness, ruleset, running, score
from tests.services import database, eventually, sql

pytestmark = [pytest.mark.services, pytest.mark.slow]


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """Servers of this module's own, because it kills them."""
    with Embedded(tmp_path_factory.mktemp("own"), postgres_settings={"shared_buffers": "32MB"}, keep=False) as embedded:
        yield embedded


@pytest.fixture
async def harness(embedded: Embedded, tmp_path: Path) -> AsyncIterator[Harness]:
    services = embedded.services
    sql(services.database_url, "CREATE DATABASE alone")
    url = database(services.database_url, "alone")
    async with running(url, services.log_url, services.rankings_url, tmp_path) as harness:
        yield harness


@contextmanager
def serving(harness: Harness) -> Iterator[tuple[Child, str]]:
    """`rankfold serve` as a process, and its address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    services = {"REDIS_LOG_URL": harness.log_url, "REDIS_RANKINGS_URL": harness.rankings_url}
    environment = {**os.environ, **services, "DATABASE_URL": harness.database_url}
    log = harness.folder / "serve.log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "cli.main", "serve", "--port", str(port)]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)
    child = Child(process, log)
    try:
        yield child, f"http://127.0.0.1:{port}"
    finally:
        child.kill()


async def test_an_api_that_starts_before_its_servers(embedded: Embedded, harness: Harness) -> None:
    await harness.publish(ruleset(), score("e1", "ann", 5))
    async with harness.consuming() as reader:
        await reader.drain()
    servers: tuple[Which, ...] = ("postgres", "rankings", "log")
    for which in servers:
        embedded.kill(which)
    with serving(harness) as (child, url):
        async with aiohttp.ClientSession(url) as client:

            async def get(path: str) -> tuple[int, Any]:
                async with client.get(path) as response:
                    return response.status, await response.json()

            async def lives() -> bool:
                try:
                    return (await get("/health/live"))[0] == 200
                except aiohttp.ClientConnectionError:
                    assert child.process.poll() is None, child.log
                    return False

            await eventually(lives)
            status, told = await get("/health/ready")
            assert (status, told["ready"], set(told["services"])) == (
                503,
                False,
                {"postgresql", "redis_log", "redis_rankings"},
            )
            assert all(state.startswith("away (") for state in told["services"].values())
            for path in ("/v1/games", "/v1/games/arcade", "/v1/games/arcade/boards/total"):
                status, problem = await get(path)
                assert (status, problem["type"]) == (503, "/problems/unavailable"), path
            event = {"id": "e2", "type": "score", "player": "bob", "values": {"points": 4}}
            async with client.post("/v1/games/arcade/events", json=event) as response:
                assert response.status == 503

            embedded.restart("postgres")

            async def board() -> Any:
                status, page = await get("/v1/games/arcade/boards/total")
                return page if status == 200 else None

            # Without the rankings' Redis it comes out of PostgreSQL.
            page = await eventually(board)
            assert [line["player"] for line in page["entries"]] == ["ann"]
            status, told = await get("/health/ready")
            assert (status, told["services"]["postgresql"]) == (503, "ok")
            embedded.restart("rankings")
            embedded.restart("log")

            async def ready() -> bool:
                return (await get("/health/ready"))[0] == 200

            await eventually(ready)
            async with client.post("/v1/games/arcade/events", json=event) as response:
                assert response.status == 202
        assert child.process.poll() is None
