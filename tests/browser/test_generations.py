"""Generations in the officials' view: one is built beside the live one, swapped in and out, and dropped."""

import contextlib

import pytest

from tests.browser.conftest import RULES, Site, Visitor
from tests.browser.test_officials import signed_in
from tests.integration.api_stack import score

with contextlib.suppress(ImportError):
    from playwright.async_api import expect

pytestmark = pytest.mark.services
PATH = "/?game=cup&view=generations"
DOUBLE = RULES.replace("points = { op", "doubled = { op", 1).replace('"points desc"', '"doubled desc"', 1)


async def test_a_generation_is_built_swapped_in_and_out_and_dropped(visitor: Visitor, guarded: Site) -> None:
    page = await signed_in(visitor, guarded, PATH, "admin")
    rows = page.locator(".list tbody tr")
    await expect(rows).to_have_count(1)
    await expect(rows.locator(".live-tag")).to_have_text("live")
    await page.get_by_text("Build another generation").click()
    await page.get_by_label("Name").fill("another metric")
    await page.get_by_label("Rules").fill(DOUBLE)
    await page.get_by_role("button", name="Build it").click()
    await expect(page.locator(".done")).to_have_text("Build: done.")
    built = rows.filter(has_text="another metric")
    await expect(built).to_contain_text("shadow")
    await built.get_by_role("button", name="Swap in").click()
    await expect(built.locator(".live-tag")).to_have_text("live")
    board = await visitor.open("/?game=cup&board=total")
    await expect(board.get_by_role("columnheader", name="Doubled")).to_be_visible()
    await page.get_by_role("button", name="Swap back to the one before").click()
    await expect(built).to_contain_text("retired")
    await built.get_by_role("button", name="Drop").click()
    await expect(rows).to_have_count(2)
    await built.get_by_role("button", name="Really drop?").click()
    await expect(rows).to_have_count(1)


async def test_events_that_come_meanwhile_take_no_button_away(visitor: Visitor, guarded: Site) -> None:
    page = await signed_in(visitor, guarded, PATH, "admin")
    await page.get_by_text("Build another generation").click()
    await page.get_by_role("button", name="Build it").click()
    await expect(page.locator(".done")).to_have_text("Build: done.")
    await expect(page.locator(".said")).to_have_attribute("aria-busy", "false")
    drop = page.get_by_role("button", name="Drop")
    await drop.focus()
    await page.keyboard.press("Enter")
    sure = page.get_by_role("button", name="Really drop?")
    sent = await guarded.stack.publish(score("more", "dan", 1), game="cup")
    await expect(page.locator(".list tbody tr").last).to_contain_text(sent["position"])
    await expect(sure).to_be_focused()


async def test_what_cannot_be_built_is_told(visitor: Visitor, guarded: Site) -> None:
    page = await signed_in(visitor, guarded, PATH, "admin")
    await page.get_by_text("Build another generation").click()
    await page.get_by_label("Rules").fill("game = ")
    await page.get_by_role("button", name="Build it").click()
    await expect(page.locator(".said .wrong")).to_contain_text("not valid TOML")
    weak = await signed_in(visitor, guarded, PATH)
    await weak.get_by_text("Build another generation").click()
    await weak.get_by_role("button", name="Build it").click()
    await expect(weak.locator(".said .wrong")).to_contain_text("admin")
