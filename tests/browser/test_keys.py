"""The page with a key: private boards, keys that are wrong or revoked, and that a key stays where it belongs."""

import pytest

from tests.browser.conftest import Site, Visitor
from tests.browser.test_page import expect_order
from tests.integration.api_stack import score

try:
    from playwright.async_api import Page, expect
except ImportError:
    from typing import Any

    Page = Any  # type: ignore[assignment,misc]

pytestmark = pytest.mark.services
UNKNOWN = "rfk_0000000000000000_" + "a" * 43
JURY = "/?game=cup&board=jury"


async def enter(page: "Page", key: str) -> None:
    """Types a key into the dialog, which is open."""
    await page.locator("#key-input").fill(key)
    await page.get_by_role("button", name="Use this key").click()


async def test_a_private_board(visitor: Visitor, guarded: Site) -> None:
    page = await visitor.open(JURY)
    await expect(page.get_by_role("heading", name="A private board")).to_be_visible()
    await page.locator(".notice").get_by_role("button", name="Enter a key").click()
    await enter(page, UNKNOWN)
    await expect(page.get_by_role("alert").filter(has_text="does not know this key")).to_be_visible()
    key = await guarded.key("read")
    await enter(page, key)
    await expect_order(page, "Ann Archer", "bob", "cid", "dan")
    await expect(page.locator("#state")).to_have_text("Live")
    await guarded.publish(score("more", "ann", 1))
    await expect(page.locator(".standings tbody .cover").first).to_have_text("bob")
    async with page.expect_download() as waiting:
        await page.get_by_role("link", name="Download CSV").click()
    assert "bob" in (await (await waiting.value).path()).read_text("utf-8-sig")
    await page.reload()
    await expect(page.locator(".standings tbody .cover").first).to_have_text("bob")
    await page.get_by_role("link", name="bob").click()
    await expect(page.get_by_role("dialog").locator(".standing")).to_contain_text("1st of 4")
    assert key not in page.url
    assert not any(key in url for url in visitor.requests)
    assert await page.evaluate("document.cookie + JSON.stringify(localStorage)") == "{}"


async def test_a_key_that_may_not_read(visitor: Visitor, guarded: Site) -> None:
    page = await visitor.open(JURY)
    await page.locator(".notice").get_by_role("button", name="Enter a key").click()
    await enter(page, await guarded.key("publish"))
    await expect(page.locator(".notice")).to_contain_text("does not allow reading this board")


async def test_another_tab_has_no_key(visitor: Visitor, guarded: Site) -> None:
    page = await visitor.open(JURY)
    await page.locator(".notice").get_by_role("button", name="Enter a key").click()
    await enter(page, await guarded.key("read"))
    await expect_order(page, "Ann Archer", "bob", "cid", "dan")
    other = await visitor.open(JURY, context=page.context)
    await expect(other.get_by_role("heading", name="A private board")).to_be_visible()
    await page.get_by_role("button", name="Key: one is in use").click()
    await page.get_by_role("button", name="Forget it").click()
    await expect(page.get_by_role("heading", name="A private board")).to_be_visible()


async def test_a_key_that_holds_no_more_is_not_in_the_way_of_what_is_public(visitor: Visitor, guarded: Site) -> None:
    context = await visitor.browser.new_context()
    await context.add_init_script(
        f"sessionStorage.getItem('seen') || sessionStorage.setItem('rankfold-key', '{UNKNOWN}')"
    )
    await context.add_init_script("sessionStorage.setItem('seen', 'yes')")
    page = await visitor.open("/?game=cup&board=total", context=context)
    await expect_order(page, "Ann Archer", "bob", "cid", "dan")
    await expect(page.get_by_role("button", name="Enter a key")).to_be_visible()
    assert await page.evaluate("sessionStorage.getItem('rankfold-key')") is None
