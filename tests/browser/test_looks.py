"""The standings page for those who see it in the dark, on a telephone, without a mouse, or not at all."""

from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import BOARD, Site, Visitor

try:
    import axe_playwright_python
    from playwright.async_api import Page, expect
except ImportError:
    Page = Any  # type: ignore[assignment,misc]

pytestmark = pytest.mark.services
PANEL = f"{BOARD}&player=ann&with=dan"
BACKGROUND = "getComputedStyle(document.documentElement).backgroundColor"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


async def loaded(page: "Page") -> "Page":
    await expect(page.locator(".standings tbody tr:not(.ghost), .leaders li").first).to_be_visible()
    return page


async def test_dark_by_the_system_or_by_choice(visitor: Visitor) -> None:
    page = await loaded(await visitor.open(color_scheme="dark"))
    dark = await page.evaluate(BACKGROUND)
    await page.get_by_role("button", name="Theme: as the system").click()
    light = await page.evaluate(BACKGROUND)
    assert sum(map(int, light[4:-1].split(","))) > 600 > 150 > sum(map(int, dark[4:-1].split(",")))
    await page.reload()
    await loaded(page)
    assert await page.evaluate(BACKGROUND) == light
    await page.get_by_role("button", name="Theme: light").click()
    assert await page.evaluate(BACKGROUND) == dark


async def test_a_telephone(visitor: Visitor) -> None:
    for path in ("/", BOARD, PANEL):
        page = await loaded(await visitor.open(path, viewport={"width": 390, "height": 844}))
        if path == PANEL:
            await expect(page.get_by_role("dialog").locator(".standing")).to_be_visible()
            await page.get_by_text("Why this rank?").click()
            await expect(page.locator(".marks tbody td:last-child").first).to_be_in_viewport()
        assert await page.evaluate(OVERFLOW) <= 0
        if path == BOARD:
            await expect(page.locator(".others").first).to_have_text("games 2")
            await expect(page.get_by_role("columnheader", name="Games")).not_to_be_visible()
        await page.context.close()


async def test_keyboard_only(visitor: Visitor) -> None:
    page = await loaded(await visitor.open())
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the standings")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#main")).to_be_focused()
    await tab_to(page, "Round")
    await page.keyboard.press("Enter")
    await expect(page.locator(".scope")).to_contain_text("Round 2")
    await expect(page.get_by_role("link", name="Round", exact=True)).to_be_focused()
    await tab_to(page, "cid")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog").get_by_role("heading", name="cid")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).not_to_be_visible()
    await expect(page.get_by_role("link", name="cid")).to_be_focused()


async def tab_to(page: "Page", text: str) -> None:
    """Tabs on until what has the focus says this."""
    for _ in range(40):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.textContent.trim()") == text:
            return
    raise AssertionError(f"no {text!r} in the order of tabs")


async def test_the_focus_stays_where_one_was(visitor: Visitor, site: Site) -> None:
    await site.scores({f"p{number:03}": 1000 - number for number in range(120)})
    page = await loaded(await visitor.open())
    await page.get_by_role("link", name="Next").focus()
    for first in ("51", "101"):
        await page.keyboard.press("Enter")
        await expect(page.locator(".shown")).to_contain_text(f"Ranks {first} to")
    # There is no next one any more.
    await expect(page.get_by_role("link", name="Previous")).to_be_focused()
    await page.get_by_role("columnheader", name="Games").get_by_role("button").press("Enter")
    await page.get_by_role("button", name="Back to the ranking").press("Enter")
    await expect(page.locator("#main")).to_be_focused()
    await page.goto(f"{site.url}{BOARD}&at=p060")
    await expect(page.get_by_role("link", name="p060")).to_be_focused()


async def test_little_motion(visitor: Visitor, site: Site) -> None:
    page = await loaded(await visitor.open(reduced_motion="reduce"))
    await page.evaluate("void (Element.prototype.animate = () => { window.moved = true; })")
    await site.scores({"dan": 99}, "more")
    await expect(page.locator(".standings tbody .cover").first).to_have_text("dan")
    assert await page.evaluate("window.moved") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_no_barriers(visitor: Visitor, scheme: str) -> None:
    axe = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text()
    away = f"{BOARD}&q=b"
    for path in ("/", f"{BOARD}&me=dan", PANEL, away):
        page = await loaded(await visitor.open(path, color_scheme=scheme))
        if path == away:
            await page.context.set_offline(True)
            await page.evaluate("dispatchEvent(new Event('retry'))")
            await expect(page.locator("#main")).to_have_class("stale")
            await page.evaluate("Promise.all(document.getAnimations().map((each) => each.finished))")
        if path == PANEL:
            await expect(page.get_by_role("dialog").locator(".part-places table")).to_be_visible()
            await page.get_by_text("Why this rank?").click()
            await expect(page.locator(".marks tbody tr")).to_have_count(2)
        await page.evaluate(axe)
        found = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]] == []
        await page.context.close()
