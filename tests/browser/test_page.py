"""The standings page as people use it."""

import re
from typing import Any

import pytest

from tests.browser.conftest import BOARD, Site, Visitor
from tests.integration.api_stack import score

try:
    from playwright.async_api import Page, expect
except ImportError:
    Page = Any  # type: ignore[assignment,misc]

pytestmark = pytest.mark.services


def rows(page: "Page") -> Any:
    return page.locator(".standings tbody tr:not(.ghost)")


async def expect_order(page: "Page", *wanted: str) -> None:
    await expect(page.locator(".standings tbody .cover")).to_have_text(list(wanted))


async def test_from_the_index_to_a_board(visitor: Visitor, site: Site) -> None:
    page = await visitor.open("/")
    sizes: list[int] = []
    card = page.locator(".card", has_text="Total points")
    await expect(card.locator(".leaders li")).to_have_count(3)
    await card.get_by_role("link").click()
    await expect(page.get_by_role("heading", name="Total points")).to_be_visible()
    await expect_order(page, "Ann Archer", "bob", "cid", "dan")
    await expect(rows(page).nth(0).locator(".medal-1")).to_have_text("1")
    tie = rows(page).nth(1).locator(".tie")
    assert await tie.get_attribute("title") == "Level on points"
    await expect(rows(page).nth(3).locator("td.rank")).to_have_text("4")
    await expect(rows(page).nth(0).locator("td.tier")).to_have_text("finalist")
    assert await page.title() == "Total points · Harbour Cup · Rankfold"
    assert [url for url in visitor.requests if not url.startswith(site.url)] == []
    for url in {url for url in visitor.requests if "/static/" in url or url == site.url + "/"}:
        sizes.append(len(await (await page.request.get(url)).body()))
    assert len(sizes) > 5
    assert sum(sizes) < 200_000


async def test_changes_show_without_loading_anew_in_every_tab(visitor: Visitor, site: Site) -> None:
    page = await visitor.open()
    other = await visitor.open(context=page.context)
    for tab in (page, other):
        await expect_order(tab, "Ann Archer", "bob", "cid", "dan")
        await tab.evaluate("window.same = true")
    await expect(page.locator("#state")).to_have_text("Live")
    await site.publish(score("more", "dan", 50))
    for tab in (page, other):
        await expect_order(tab, "dan", "Ann Archer", "bob", "cid")
        await expect(rows(tab).nth(0).locator(".move")).to_contain_text("3")
        await expect(rows(tab).nth(0).locator("td.metric.main")).to_have_text("57")
        assert await tab.evaluate("window.same") is True
    await expect(page.locator("#news")).to_have_text("dan is now 1st.")


async def test_changes_show_without_a_stream_too(visitor: Visitor, site: Site) -> None:
    context = await visitor.browser.new_context()
    await context.route("**/live?*", lambda route: route.abort())
    page = await visitor.open(context=context)
    await expect_order(page, "Ann Archer", "bob", "cid", "dan")
    await site.publish(score("more", "cid", 50))
    await expect_order(page, "cid", "Ann Archer", "bob", "dan")


async def test_rounds_and_segments(visitor: Visitor) -> None:
    page = await visitor.open()
    await page.get_by_role("link", name="Round", exact=True).click()
    await expect_order(page, "Ann Archer", "cid", "bob", "dan")
    await expect(page.locator(".scope")).to_contain_text("Round 2")
    await page.get_by_label("Period", exact=True).select_option("round:1")
    await expect_order(page, "bob", "Ann Archer", "cid", "dan")
    await page.get_by_role("button", name="Later").click()
    await expect_order(page, "Ann Archer", "cid", "bob", "dan")
    await page.go_back()
    await expect(page.locator(".scope")).to_contain_text("Round 1")
    await page.reload()
    await expect_order(page, "bob", "Ann Archer", "cid", "dan")
    await page.get_by_role("link", name="All time").click()
    await page.get_by_label("Segment").select_option("country:NO")
    await expect_order(page, "Ann Archer")


async def test_a_board_is_sorted_by_its_columns(visitor: Visitor) -> None:
    page = await visitor.open("/?game=cup&board=total&period=round:1")
    await expect_order(page, "bob", "Ann Archer", "cid", "dan")
    heading = page.get_by_role("columnheader", name="Points")
    await heading.get_by_role("button").click()
    await expect(heading).to_have_attribute("aria-sort", "descending")
    await heading.get_by_role("button").click()
    await expect(heading).to_have_attribute("aria-sort", "ascending")
    await expect(heading.get_by_role("button")).to_be_focused()
    await expect_order(page, "dan", "cid", "Ann Archer", "bob")
    await expect(page.locator(".sorted")).to_contain_text("Sorted by points, least first.")
    await page.reload()
    await expect_order(page, "dan", "cid", "Ann Archer", "bob")
    await heading.get_by_role("button").click()
    await expect_order(page, "bob", "Ann Archer", "cid", "dan")
    await expect(page.locator(".sorted")).to_have_count(0)
    await page.get_by_role("columnheader", name="Rank").get_by_role("button").click()
    await expect_order(page, "dan", "cid", "Ann Archer", "bob")
    await page.get_by_role("button", name="Back to the ranking").click()
    await expect_order(page, "bob", "Ann Archer", "cid", "dan")


async def test_sorting_takes_in_what_is_on_other_pages_and_says_how_much(visitor: Visitor, site: Site) -> None:
    await site.scores({f"p{number:04}": 2000 - number for number in range(996)})
    await site.scores({"cid": 1}, "more")
    page = await visitor.open(viewport={"width": 390, "height": 844})
    await expect(rows(page)).to_have_count(50)
    await page.get_by_label("Order").select_option("-games")
    await expect(page.locator(".sorted")).to_contain_text("Sorted by games, most first. Back")
    await expect(rows(page).nth(0)).to_contain_text("cid")
    await expect(rows(page)).to_have_count(1000)
    await site.scores({"dan": 1, "p0900": 1}, "again")
    await site.scores({"dan": 1}, "once more")
    await expect(rows(page).nth(0)).to_contain_text("dan")
    await site.scores({"gus": 1, "hal": 1})
    await expect(page.locator(".sorted")).to_contain_text("but only ranks 1 to 1,000: the board has 1,002 players.")
    await page.get_by_role("button", name="Back to the ranking").click()
    await expect(rows(page)).to_have_count(50)
    await expect(rows(page).nth(0)).to_contain_text("p0000")


async def test_pages_and_the_own_place_among_many(visitor: Visitor, site: Site) -> None:
    await site.scores({f"p{number:03}": 1000 - number for number in range(200)})
    page = await visitor.open(f"{BOARD}&me=p120")
    await expect(rows(page)).to_have_count(50)
    mine = page.get_by_role("region", name="Your place")
    await expect(mine).to_contain_text("of 204")
    await expect(mine).to_contain_text("880 points, 1 behind p119")
    await page.get_by_role("link", name="Next").click()
    await expect(rows(page).nth(0)).to_contain_text("p050")
    await page.get_by_role("link", name="Previous").click()
    await expect(rows(page).nth(0)).to_contain_text("p000")
    await mine.get_by_role("link", name="Show around me").click()
    await expect(page.locator("tr.me")).to_contain_text("p120")
    await expect(page.locator("tr.me")).to_be_in_viewport()
    await expect(mine).to_contain_text("in view")


async def test_finding_a_player(visitor: Visitor, site: Site) -> None:
    await site.scores({f"p{number:03}": 1000 - number for number in range(100)})
    page = await visitor.open()
    await expect(rows(page)).to_have_count(50)
    await page.get_by_role("searchbox").fill("ann" if not await searchable(page) else "Ann A")
    await page.keyboard.press("Enter")
    await expect(page.locator(".standings tbody .cover", has_text="Ann Archer")).to_be_visible()
    await page.get_by_role("searchbox").fill("nobody-at-all")
    await page.keyboard.press("Enter")
    await expect(page.locator(".notice")).to_contain_text("nobody-at-all")
    await page.get_by_role("link", name="Top").or_(page.get_by_role("link", name="Back to the top")).first.click()
    await expect(rows(page)).to_have_count(50)


async def searchable(page: "Page") -> bool:
    """Whether the API has search by name."""
    content = await page.locator('meta[name="features"]').get_attribute("content")
    return "q" in (content or "").split()


async def test_a_player_and_another_beside_him(visitor: Visitor, site: Site) -> None:
    page = await visitor.open()
    await page.get_by_role("link", name="Ann Archer").click()
    panel = page.get_by_role("dialog")
    await expect(panel.get_by_role("heading", name="Ann Archer")).to_be_visible()
    await expect(panel.locator(".standing")).to_contain_text("1st of 4")
    await expect(panel.locator("svg.chart").first).to_be_visible()
    await expect(panel.locator(".part-places")).to_contain_text("Best game")
    await panel.get_by_label("Compare with").fill("dan")
    await panel.get_by_role("button", name="Compare").click()
    await expect(panel.locator(".part-versus")).to_contain_text("Ann Archer is 3 ranks ahead of dan, 23 points apart.")
    await site.publish(score("more", "dan", 50))
    await expect(panel.locator(".standing")).to_contain_text("2nd of 4")
    await panel.get_by_role("button", name="This is me").click()
    await page.keyboard.press("Escape")
    await expect(panel).not_to_be_visible()
    await expect(page.locator("tr.me")).to_contain_text("Ann Archer")
    await expect(page).not_to_have_url(re.compile("player="))
    assert "me=ann" in page.url


async def test_downloads(visitor: Visitor) -> None:
    page = await visitor.open()
    await expect_order(page, "Ann Archer", "bob", "cid", "dan")
    for name, first in (("CSV", '"rank"'), ("JSON lines", "{")):
        async with page.expect_download() as waiting:
            await page.get_by_role("link", name=f"Download {name}").click()
        download = await waiting.value
        text = (await download.path()).read_text("utf-8-sig")
        assert text.startswith(first)
        assert "Ann Archer" in text
        assert "cup" in download.suggested_filename


async def test_names_are_text_and_nothing_else(visitor: Visitor, site: Site) -> None:
    name, who = "<img src=x onerror=alert(1)>", "a/b?c=<i>&d"
    await site.publish({"id": "p-evil", "type": "player", "player": who, "name": name}, score("evil", who, 90))
    page = await visitor.open()
    await expect(page.locator(".standings tbody .cover").first).to_have_text(name)
    await page.locator(".standings tbody .cover").first.click()
    await expect(page.get_by_role("dialog").get_by_role("heading", name=name)).to_be_visible()
    await expect(page.get_by_role("dialog").locator(".about")).to_have_text(who)
    assert await page.locator("img, i").count() == 0


async def test_nothing_here(visitor: Visitor, site: Site) -> None:
    page = await visitor.open("/?game=cup&board=total&period=round:9")
    await expect(page.locator(".notice")).to_contain_text("Nobody is ranked here yet.")
    await page.goto(f"{site.url}/?game=cup&board=none")
    await expect(page.locator(".notice")).to_contain_text("none")
    await page.goto(f"{site.url}/?game=none")
    await expect(page.get_by_role("heading", name="There is no such game")).to_be_visible()
    await page.goto(f"{site.url}{BOARD}&period=nonsense")
    await page.get_by_role("link", name="Show the whole board").click()
    await expect_order(page, "Ann Archer", "bob", "cid", "dan")


async def test_the_api_goes_and_comes_back(visitor: Visitor, site: Site) -> None:
    page = await visitor.open()
    await expect_order(page, "Ann Archer", "bob", "cid", "dan")
    await site.down()
    banner = page.get_by_role("alert")
    await expect(banner).to_contain_text("The API does not answer.")
    await expect_order(page, "Ann Archer", "bob", "cid", "dan")
    await site.up()
    await site.publish(score("more", "cid", 50))
    await page.evaluate("dispatchEvent(new Event('retry'))")
    await expect(banner).to_be_empty()
    await expect_order(page, "cid", "Ann Archer", "bob", "dan")
    await expect(page.locator("#state")).to_have_text("Live")
