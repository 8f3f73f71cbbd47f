"""The same on Redis 7 or later, which tells what was deleted: Debian's `redis-server`, where it is installed."""

import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog
from redis import Redis
from redis.exceptions import ConnectionError as RedisAway

from projections.names import stream_key
from tests.harness import Harness, ruleset, running, score
from tests.services import eventually_sync

pytestmark = pytest.mark.services
LEAST = 7


def _program() -> str | None:
    found = shutil.which("redis-server")
    if found is None:
        return None
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"v=(\d+)", said)
    return found if version is not None and int(version[1]) >= LEAST else None


def _answers(url: str) -> bool:
    try:
        with Redis.from_url(url) as client:
            return bool(client.ping())
    except RedisAway:
        return False


@pytest.fixture(scope="module")
def newer_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of its own."""
    program = _program()
    if program is None:
        pytest.skip("no redis-server of version 7 or later on the PATH (apt-get install redis-server)")
    folder = tmp_path_factory.mktemp("redis")
    options = ["--port", "0", "--unixsocket", str(folder / "sock"), "--dir", str(folder), "--save", ""]
    server = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
    try:
        url = f"unix://{folder}/sock"
        eventually_sync(lambda: _answers(url), what="Redis answers")
        yield url
    finally:
        server.kill()
        server.wait()


@pytest.fixture
async def newer(newer_url: str, database_url: str, tmp_path: Path) -> AsyncIterator[Harness]:
    """A harness whose log and rankings are there."""
    async with running(database_url, f"{newer_url}?db=0", f"{newer_url}?db=1", tmp_path) as harness:
        yield harness
        await harness.log.flushall()


async def test_what_is_published_is_shown(newer: Harness) -> None:
    await newer.publish(ruleset(), *(score(f"e{n}", f"p{n % 5}", n) for n in range(100)))
    async with newer.consuming(batch=7) as reader:
        await reader.drain()
        await newer.rankings.flushdb()
        await newer.swap()
        await newer.publish(score("last", "p0", 1))
        await reader.drain()
    assert await newer.points() == {f"p{n}": sum(range(n, 100, 5)) + (n == 0) for n in range(5)}
    await newer.assert_exact()


async def test_entries_that_were_deleted_before_they_were_read_are_told(newer: Harness) -> None:
    await newer.publish(ruleset(), score("a", "ann", 5))
    async with newer.consuming() as reader:
        await reader.drain()
    gone, _ = await newer.publish(score("b", "ann", 1), score("c", "ann", 2))
    await newer.log.xdel(stream_key(0), f"{gone[0]}-{gone[1]}")
    with structlog.testing.capture_logs() as logs:
        async with newer.consuming() as reader:
            await reader.drain()
    said = [line for line in logs if line["event"] == "entries were deleted before they were read"]
    assert [line["upto"] for line in said] == [f"{gone[0]}-{gone[1]}"]
    assert await newer.points() == {"ann": 7}
    await newer.assert_exact()


async def test_the_archived_ones_are_trimmed_and_nothing_is_told(newer: Harness) -> None:
    await newer.publish(ruleset(), *(score(f"e{n}", "ann", 1) for n in range(50)))
    async with newer.consuming(batch=1, keep_log_s=0) as reader:
        await reader.drain()
    with structlog.testing.capture_logs() as logs:
        async with newer.consuming() as reader:
            await newer.publish(score("last", "ann", 1))
            await reader.drain()
    assert not [line for line in logs if "deleted" in line["event"]]
    assert await newer.points() == {"ann": 51}
    await newer.assert_exact()
