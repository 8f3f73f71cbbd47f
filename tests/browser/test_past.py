"""Looking back on the page: what was displayed, moment by moment, and what is said of times that cannot be shown."""

from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tests.browser.conftest import BOARD, Site, Visitor
from tests.browser.test_looks import OVERFLOW
from tests.browser.test_officials import signed_in
from tests.browser.test_page import expect_order
from tests.integration.api_stack import score

try:
    import axe_playwright_python
    from playwright.async_api import Page, expect
except ImportError:
    Page = Any  # type: ignore[assignment,misc]

pytestmark = pytest.mark.services
NOW = ("Ann Archer", "bob", "cid", "dan")
FIRST = ("bob", "Ann Archer", "cid", "dan")


async def looking_back(visitor: Visitor, path: str = BOARD, **options: Any) -> "Page":
    """The board with the slider, which knows the two moments that there were."""
    page = await visitor.open(path, **options)
    await expect_order(page, *NOW)
    await page.get_by_role("button", name="Look back").click()
    await expect(page.get_by_label("Moment")).to_have_attribute("max", "2")
    return page


async def test_the_slider_shows_what_was_displayed(visitor: Visitor, site: Site) -> None:
    page = await looking_back(visitor)
    await expect(page.locator(".past-said")).to_contain_text("Now.")
    await page.get_by_label("Moment").press("Home")
    await expect_order(page, *FIRST)
    await expect(page.locator(".past-said")).to_contain_text("As it was displayed on")
    await expect(page.locator("td.metric.main").first).to_have_text("15")
    assert "known_at=" in page.url
    await page.get_by_role("link", name="Ann Archer").click()
    await expect(page.get_by_role("dialog").locator(".standing")).to_contain_text("2nd of 4")
    await page.keyboard.press("Escape")
    await site.publish(score("more", "dan", 90))
    await page.reload()
    await expect_order(page, *FIRST)
    await expect(page.locator(".past-said")).to_contain_text("As it was displayed on")
    # Until it knows its moments again it cannot be moved.
    await expect(page.get_by_label("Moment")).to_be_enabled()
    await page.get_by_label("Moment").press("End")
    await expect_order(page, "dan", *NOW[:3])
    assert "known_at=" not in page.url


async def test_a_date_and_back_to_now(visitor: Visitor) -> None:
    page = await looking_back(visitor)
    await page.get_by_label("Date and time").fill("2001-02-03T04:05:06")
    await page.get_by_label("Date and time").blur()
    await expect(page.locator(".notice")).to_contain_text("Nobody was ranked here then.")
    assert "known_at=2001-02-03T04:05:06.000Z" in unquote(page.url)
    await page.get_by_role("button", name="Now").click()
    await expect_order(page, *NOW)
    await page.get_by_role("button", name="Look back").click()
    await expect(page.get_by_label("Moment")).to_have_count(0)


async def test_times_that_cannot_be_shown(visitor: Visitor) -> None:
    for time in ("2999-01-01T00:00:00Z", "yesterday"):
        page = await visitor.open(f"{BOARD}&known_at={time}")
        await expect(page.locator(".notice")).to_contain_text("The board cannot be shown as of that time.")
        await page.get_by_role("link", name="Back to now").click()
        await expect_order(page, *NOW)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_looking_back_without_barriers(visitor: Visitor, scheme: str) -> None:
    axe = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text()
    page = await looking_back(visitor, color_scheme=scheme, viewport={"width": 390, "height": 844})
    await page.get_by_label("Moment").press("Home")
    await expect_order(page, *FIRST)
    assert await page.evaluate(OVERFLOW) <= 0
    await page.evaluate(axe)
    found = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]] == []


async def test_frozen_boards(visitor: Visitor, guarded: Site) -> None:
    page = await visitor.open(BOARD)
    await expect_order(page, *NOW)
    await guarded.publish({"id": "f1", "type": "freeze", "board": "total"})
    await guarded.publish(score("more", "dan", 90))
    await expect(page.locator(".pinned")).to_contain_text("Frozen since")
    await expect_order(page, *NOW)
    official = await signed_in(visitor, guarded, BOARD)
    await expect(official.locator(".pinned")).to_contain_text("Frozen for the public since")
    await expect_order(official, "dan", *NOW[:3])
    await page.get_by_role("link", name="Ann Archer").click()
    await page.get_by_text("Why this rank?").click()
    await expect(page.locator(".why-body tbody tr").first).to_be_visible()
    await page.keyboard.press("Escape")
    await guarded.publish({"id": "t1", "type": "thaw", "board": "total"})
    await expect(page.locator(".pinned")).to_have_count(0)
    await expect_order(page, "dan", *NOW[:3])


async def test_final_boards(visitor: Visitor, site: Site) -> None:
    page = await visitor.open(f"{BOARD}&period=round:1")
    await expect_order(page, *FIRST)
    await site.publish({"id": "c1", "type": "close", "board": "total", "period": "round:1"})
    await expect(page.locator(".pinned.final")).to_have_text("Final: this period is closed.")
