"""Boards seen otherwise than they are shown: as they truly stood, in another generation, with the eyes of the public."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

from api.app import make_app
from tests.browser.conftest import BOARD, GAME, RULES, Site, Visitor
from tests.browser.test_looks import OVERFLOW
from tests.browser.test_officials import signed_in
from tests.browser.test_page import expect_order, rows
from tests.integration.api_stack import score

try:
    import axe_playwright_python
    from playwright.async_api import Page, expect
except ImportError:
    from typing import Any

    Page = Any  # type: ignore[assignment,misc]

pytestmark = pytest.mark.services
NOW = ("Ann Archer", "bob", "cid", "dan")
ON_MONDAY = "2026-01-26T10:00:00Z"
ON_TUESDAY = "2026-01-27T10:00:00Z"
UPSIDE_DOWN = RULES.replace('"points desc"', '"points asc"', 1).replace('title = "Jury"', 'title = "Judges"')


async def test_what_was_true_and_what_was_displayed(visitor: Visitor, site: Site) -> None:
    await site.publish(score("monday", "eve", 100, occurred_at=ON_MONDAY))
    await site.publish(
        score("tuesday", "eve", 1, occurred_at=ON_TUESDAY), score("other", "fay", 8, occurred_at=ON_MONDAY)
    )
    page = await visitor.open()
    await expect_order(page, "eve", *NOW[:3], "fay", "dan")
    await page.get_by_role("button", name="Look back").click()
    await page.get_by_label("What was true").check()
    await expect(page.locator(".past-said")).to_contain_text("how the board truly stood")
    # The moments of the first players, the earliest of which is the last to be published.
    await expect(page.get_by_label("Moment")).to_be_enabled()
    await page.get_by_label("Moment").press("Home")
    await expect_order(page, "eve", "fay")
    await expect(page.locator(".past-said")).to_contain_text("As it truly stood on 26 Jan 2026, 10:00:00")
    await expect(page.locator("td.metric.main").first).to_have_text("100")
    await page.get_by_role("link", name="eve").click()
    panel = page.get_by_role("dialog")
    await expect(panel.locator(".standing")).to_contain_text("1st of 2")
    await panel.get_by_text("Why this rank?").click()
    await expect(panel.locator(".why-body tbody tr")).to_have_count(1)
    await panel.get_by_label("Compare with").fill("fay")
    await panel.get_by_role("button", name="Compare").click()
    await expect(panel.locator(".part-versus")).to_contain_text("eve is 1 rank ahead of fay, 92 points apart.")
    await page.keyboard.press("Escape")
    async with page.expect_download() as waiting:
        await page.get_by_role("link", name="Download CSV").click()
    assert "bob" not in (await (await waiting.value).path()).read_text("utf-8-sig")
    await page.get_by_label("Find a player by id").fill("fay")
    await page.keyboard.press("Enter")
    await expect_order(page, "eve", "fay")
    # The same moment, but what was displayed at it: nothing had been published.
    await page.get_by_label("What was displayed").check()
    await expect(page.locator(".notice")).to_contain_text("is not ranked here")
    await page.get_by_role("link", name="Back to the top").click()
    await expect(page.locator(".notice")).to_contain_text("Nobody was ranked here then.")
    await page.get_by_role("button", name="Now").click()
    await expect_order(page, "eve", *NOW[:3], "fay", "dan")


@pytest.fixture
async def slow(site: Site) -> AsyncIterator[Site]:
    """The same place, where the game has too many events to be folded while somebody waits."""
    stack = site.stack
    await site.down()
    app = make_app(stack.pool, stack.log, stack.rankings, clock_ms=lambda: stack.now_ms, fold_events_max=3)
    opened = stack.client
    async with TestClient(TestServer(app, access_log=None)) as client:
        stack.client = client
        await site.up()
        yield site
        await site.down()
        stack.client = opened
    await site.up()


async def test_what_takes_a_job_to_find_out(visitor: Visitor, slow: Site) -> None:
    await slow.publish(score("monday", "eve", 100, occurred_at=ON_MONDAY))
    page = await visitor.open(f"{BOARD}&effective_at={ON_MONDAY}&me=eve")
    await expect_order(page, "eve")
    await expect(page.get_by_role("region", name="Your place")).to_contain_text("of 1")
    await expect(page.get_by_role("link", name="Download CSV")).to_have_count(0)
    await page.goto(f"{slow.url}{BOARD}&effective_at=2999-01-01T00:00:00Z")
    await expect(page.locator(".notice")).to_contain_text("cannot be shown as of that time")
    await page.get_by_role("link", name="Back to now").click()
    await expect_order(page, "eve", *NOW)


async def test_a_generation_is_looked_at_before_it_is_swapped_in(visitor: Visitor, guarded: Site) -> None:
    page = await signed_in(visitor, guarded, "/?game=cup&view=generations", "admin")
    await page.get_by_text("Build another generation").click()
    await page.get_by_label("Name").fill("trial")
    await page.get_by_label("Rules").fill(UPSIDE_DOWN)
    await page.get_by_role("button", name="Build it").click()
    await expect(page.locator(".list tbody tr").filter(has_text="trial")).to_contain_text("shadow")
    await page.get_by_role("link", name="Look at it").click()
    await expect(page.locator(".pinned")).to_contain_text(
        "(trial · shadow · rules version 2): others see the live one."
    )
    card = page.locator(".card", has_text="Total points")
    await expect(card.locator(".leaders li").first).to_contain_text("dan")
    await expect(page.locator(".card", has_text="Judges")).to_be_visible()
    await card.get_by_role("link").click()
    await expect_order(page, "dan", "bob", "cid", "Ann Archer")
    await expect(page.locator(".scope")).to_contain_text("by points, least first")
    await expect(page.locator(".pinned")).to_contain_text("Generation ")
    await guarded.publish(score("more", "dan", 90))
    await expect_order(page, "bob", "cid", "Ann Archer", "dan")
    await page.get_by_role("searchbox").fill("ann")
    await page.keyboard.press("Enter")
    await expect(rows(page)).to_have_count(1)
    await expect(rows(page).locator(".rank")).to_contain_text("3")
    await page.get_by_role("link", name="Ann Archer").click()
    await expect(page.get_by_role("dialog").locator(".standing")).to_contain_text("3rd of 4")
    await page.keyboard.press("Escape")
    await expect(page).not_to_have_url(re.compile("player="))
    address = page.url.removeprefix(guarded.url)
    await page.get_by_role("link", name="See the live one").click()
    await expect(rows(page).locator(".rank")).to_contain_text("2")
    assert "generation=" not in page.url
    other = await visitor.open(address)
    await expect(other.locator(".notice")).to_contain_text("for officials: it takes a key.")
    await other.get_by_role("link", name="The live board").click()
    await expect_order(other, "dan", *NOW[:3])


async def test_officials_see_what_the_public_sees(visitor: Visitor, guarded: Site) -> None:
    await guarded.publish({"id": "f1", "type": "freeze"}, score("more", "dan", 90))
    page = await signed_in(visitor, guarded, BOARD)
    await expect_order(page, "dan", *NOW[:3])
    await page.get_by_role("link", name="See what the public sees").click()
    await expect_order(page, *NOW)
    await page.get_by_role("link", name="Ann Archer").click()
    await expect(page.get_by_role("dialog").locator(".standing")).to_contain_text("1st of 4")
    await page.get_by_text("Why this rank?").click()
    await expect(page.locator(".why-body tbody tr").first).to_be_visible()
    await page.keyboard.press("Escape")
    await page.get_by_role("link", name="Back to what you see as an official").click()
    await expect_order(page, "dan", *NOW[:3])
    stranger = await visitor.open()
    await stranger.get_by_role("link", name="Officials see on").click()
    await expect(stranger.locator(".notice")).to_contain_text("is for officials: it takes a key.")
    await stranger.get_by_role("link", name="See what the public sees").click()
    await expect_order(stranger, *NOW)


async def test_where_no_keys_are_on_whoever_asks_sees_on(visitor: Visitor, site: Site) -> None:
    await site.publish({"id": "f1", "type": "freeze"}, score("more", "dan", 90))
    page = await visitor.open()
    await expect_order(page, *NOW)
    await page.get_by_role("link", name="Officials see on").click()
    await expect_order(page, "dan", *NOW[:3])
    await page.get_by_role("link", name="See what the public sees").click()
    await expect_order(page, *NOW)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_without_barriers(visitor: Visitor, guarded: Site, scheme: str) -> None:
    axe = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text()
    await guarded.publish({"id": "f1", "type": "freeze"}, score("more", "dan", 90))
    generation = (await guarded.stack.get(f"/v1/games/{GAME}")).json["generation"]
    sights = "", "&as=public", f"&generation={generation}", f"&effective_at={ON_MONDAY}", "&sort=-games", "&as=official"
    for sight in sights:
        page = await signed_in(
            visitor, guarded, BOARD + sight, color_scheme=scheme, viewport={"width": 390, "height": 844}
        )
        await expect(page.locator(".pinned, .past-kinds").first).to_be_visible()
        assert await page.evaluate(OVERFLOW) <= 0
        await page.evaluate(axe)
        found = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]] == []
        await page.context.close()
