"""A browser, and the whole stack behind the page. Skipped where there is no chromium; in CI that is a failure."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from api.access import Security
from api.app import make_app
from projections import keys
from projections.keys import Scope
from tests.integration.api_stack import Stack, ruleset, running, score

try:
    from playwright.async_api import Browser, Page, async_playwright, expect

    expect.set_options(timeout=60_000)
except ImportError:
    Browser = Page = Any  # type: ignore[assignment,misc]
    async_playwright = None  # type: ignore[assignment]

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
NO_BROWSER = "no chromium (apt-get install chromium)"
NO_PLAYWRIGHT = "no playwright (pip install -r tests/browser/requirements.txt)"
# Chromium refuses to sandbox as root, and containers give little shared memory.
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage"]
RULES = """
game = "cup"
title = "Harbour Cup"
[metrics.points]
[boards.total]
title = "Total points"
rank_by = ["points desc"]
periods = ["all", "round"]
segments = { country = "player" }
tiers = [{ name = "finalist", top = 2 }]
[boards.total.metrics]
points = { op = "sum", of = "points" }
games = { op = "count" }
[boards.best]
title = "Best game"
rank_by = ["points desc", "reached"]
keep = { mode = "best", by = "points" }
[boards.best.metrics.points]
op = "max"
of = "points"
[boards.jury]
title = "Jury"
access = "private"
rank_by = ["points desc"]
[boards.jury.metrics.points]
op = "min"
of = "points"
"""
ANN = {"id": "p-ann", "type": "player", "player": "ann", "name": "Ann Archer", "attributes": {"country": "NO"}}
GAME = "cup"
BOARD = "/?game=cup&board=total"
CLOSE_S = 20.0


@dataclass
class Site:
    """The page's address, and the stack behind it. `down` and `up` take the API away and bring it back."""

    stack: Stack
    port: int = 0
    _listening: web.TCPSite | None = field(default=None)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def up(self) -> None:
        """Listens: on any free port first, later on the same one again."""
        server: Any = self.stack.client.server
        self._listening = web.TCPSite(server.runner, "127.0.0.1", self.port, reuse_address=True)
        await self._listening.start()
        self.port = server.runner.addresses[-1][1]

    async def down(self) -> None:
        """Nobody listens any more, and connections are cut, open streams too."""
        server: Any = self.stack.client.server
        assert self._listening is not None
        await self._listening.stop()
        for connection in list(server.runner.server.connections):
            connection.force_close()
            if connection.transport is not None:
                connection.transport.abort()

    async def publish(self, *events: dict[str, Any]) -> None:
        await self.stack.publish(*events, game=GAME)

    async def key(self, *scopes: Scope) -> str:
        """A key for the game."""
        return (await keys.create(self.stack.pool, GAME, scopes, "test", None))[1]

    async def scores(self, scores: dict[str, int], of: str = "a", **fields: Any) -> None:
        """One score for each player; `of` keeps their ids apart from those of other calls."""
        await self.publish(*(score(f"{of}-{who}", who, points, **fields) for who, points in scores.items()))


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's path; skips the test, or in CI fails it, where something is missing."""
    path = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if path is not None and async_playwright is not None:
        return path
    reason = NO_BROWSER if path is None else NO_PLAYWRIGHT
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
async def site(chromium: str, database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Site]:
    """Ann leads with 30, bob and cid share the second place, dan is last; in two rounds."""
    async with running(database_url, redis_log_url, redis_rankings_url) as stack:
        site = Site(stack)
        await site.up()
        await site.publish(ruleset(RULES))
        await site.publish(ANN)
        await site.scores({"ann": 10, "bob": 15, "cid": 5, "dan": 3}, "one", round=1)
        await site.scores({"ann": 20, "bob": 5, "cid": 15, "dan": 4}, "two", round=2)
        yield site
        await site.down()


@pytest.fixture
async def guarded(site: Site) -> AsyncIterator[Site]:
    """The same place, where the API wants keys."""
    stack, opened = site.stack, site.stack.client
    await site.down()
    app = make_app(stack.pool, stack.log, stack.rankings, clock_ms=lambda: stack.now_ms, security=Security(keys=True))
    async with TestClient(TestServer(app, access_log=None)) as client:
        stack.client = client
        stack.client.session.headers["Authorization"] = f"Bearer {await site.key('admin')}"
        await site.up()
        yield site
        await site.down()
        stack.client = opened
    await site.up()


@dataclass
class Visitor:
    """One browser. Whatever goes wrong in a page is in `errors`, whatever it asks for in `requests`."""

    browser: "Browser"
    site: Site
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    async def open(self, path: str = BOARD, *, context: Any = None, **options: Any) -> "Page":
        """A tab; options are those of a browser context, such as `viewport` and `color_scheme`."""
        if context is None:
            context = await self.browser.new_context(locale="en-GB", timezone_id="UTC", **options)
        page: Page = await context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: self.errors.append(said.text) if "Content Security" in said.text else None)
        page.on("request", lambda request: self.requests.append(request.url))
        await page.goto(self.site.url + path)
        return page


@pytest.fixture
async def visitor(chromium: str, site: Site) -> AsyncIterator[Visitor]:
    """A browser; at its end no page may have failed, nor tried what the policy forbids."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        visitor = Visitor(browser, site)
        yield visitor
        # A browser that does not end in time is ended together with the driver.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await browser.close()
    assert visitor.errors == []
