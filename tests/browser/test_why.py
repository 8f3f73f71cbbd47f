"""Why a player stands where he stands, as the panel tells it."""

from typing import Any

import pytest

from tests.browser.conftest import BOARD, Site, Visitor
from tests.integration.api_stack import score

try:
    from playwright.async_api import Page, expect
except ImportError:
    Page = Any  # type: ignore[assignment,misc]

pytestmark = pytest.mark.services


async def opened(visitor: Visitor, player: str = "ann", **options: Any) -> "Page":
    """The panel of a player, with the explanation open."""
    page = await visitor.open(f"{BOARD}&player={player}", **options)
    await page.get_by_text("Why this rank?").click()
    await expect(page.locator(".marks tbody tr").first).to_be_visible()
    return page


async def test_marks_add_up_and_ties_are_told(visitor: Visitor, site: Site) -> None:
    page = await opened(visitor, "cid")
    rows = page.locator(".marks tbody tr")
    await expect(rows).to_have_count(2)
    await expect(rows.nth(0)).to_contain_text("round 1")
    assert await rows.locator("td:nth-last-child(2)").all_text_contents() == ["+5", "+15"]
    assert await rows.locator("td:last-child").all_text_contents() == ["5", "20"]
    await expect(page.locator(".next-to li").first).to_contain_text("bob (2nd): ")
    await site.publish(score("more", "cid", 2))
    await expect(rows).to_have_count(3)
    await expect(rows.nth(2)).to_contain_text("+2")


async def test_what_does_not_count_any_more(visitor: Visitor, site: Site) -> None:
    await site.publish(
        {"id": "v1", "type": "void", "event": "two-ann", "reason": "played twice"},
        {"id": "a1", "type": "adjustment", "player": "ann", "values": {"points": -3}, "reason": "late"},
    )
    page = await opened(visitor)
    await expect(page.locator(".gone")).to_contain_text("two-ann (20 points) voided by v1: played twice")
    await expect(page.locator(".marks")).to_contain_text("adjustment: late")
    assert await page.locator(".why .act").count() == 0, "only officials may do something about it"


async def test_long_explanations_come_in_parts(visitor: Visitor, site: Site) -> None:
    for part in range(3):
        await site.publish(*(score(f"l{part}-{at}", "dan", 1) for at in range(40)))
    page = await opened(visitor, "dan")
    await expect(page.locator(".marks tbody tr")).to_have_count(50)
    await expect(page.locator(".earlier")).to_contain_text("72 earlier marks")
    await page.get_by_role("button", name="Show earlier ones").click()
    await expect(page.locator(".marks tbody tr")).to_have_count(100)
    await page.get_by_role("button", name="Show earlier ones").click()
    await expect(page.locator(".marks tbody tr")).to_have_count(122)
    await expect(page.get_by_role("button", name="Show earlier ones")).to_have_count(0)


async def test_when_it_cannot_be_told(visitor: Visitor) -> None:
    context = await visitor.browser.new_context()
    await context.route("**/explain?*", lambda route: route.abort())
    page = await visitor.open(f"{BOARD}&player=ann", context=context)
    await page.get_by_text("Why this rank?").click()
    await expect(page.locator(".why-body")).to_contain_text("The API does not answer.")
    await context.unroute("**/explain?*")
    await page.locator(".why-body").get_by_role("button", name="Try again").click()
    await expect(page.locator(".marks tbody tr")).to_have_count(2)
