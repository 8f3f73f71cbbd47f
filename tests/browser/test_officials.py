"""The officials' view: keys that may and may not, corrections, dead letters, shards."""

import re
from pathlib import Path
from typing import Any

import pytest

from projections.keys import Scope
from projections.names import stream_key
from tests.browser.conftest import BOARD, Site, Visitor
from tests.browser.test_keys import UNKNOWN, enter
from tests.browser.test_looks import OVERFLOW
from tests.browser.test_page import expect_order

try:
    import axe_playwright_python
    from playwright.async_api import Page, expect
except ImportError:
    Page = Any  # type: ignore[assignment,misc]

pytestmark = pytest.mark.services
CORRECT = "/?game=cup&view=correct"
LETTERS = "/?game=cup&view=dead-letters"
UNREADABLE = b'{"id": "lost", "type": "score", "game": "cup", "player": "ann", "values": {"goals": 1}}'


async def signed_in(visitor: Visitor, guarded: Site, path: str, *scopes: Scope, **options: Any) -> "Page":
    """A tab that holds a key with these scopes."""
    context = await visitor.browser.new_context(locale="en-GB", timezone_id="UTC", **options)
    key = await guarded.key(*(scopes or ("officiate", "read")))
    await context.add_init_script(f"sessionStorage.setItem('rankfold-key', '{key}')")
    return await visitor.open(path, context=context)


async def test_a_wrong_key_and_a_right_one(visitor: Visitor, guarded: Site) -> None:
    page = await visitor.open(BOARD)
    await page.get_by_role("link", name="For officials").click()
    await expect(page.get_by_role("heading", name="This takes a key")).to_be_visible()
    await page.get_by_role("button", name="Enter a key").last.click()
    await enter(page, UNKNOWN)
    await expect(page.get_by_role("alert").filter(has_text="does not know this key")).to_be_visible()
    await enter(page, await guarded.key("publish"))
    await expect(page.get_by_role("heading", name="does not allow this")).to_be_visible()
    await page.get_by_role("button", name="Use another key").click()
    await page.get_by_role("button", name="Forget it").click()
    await page.get_by_role("button", name="Enter a key").last.click()
    await enter(page, await guarded.key("officiate"))
    await expect(page.get_by_label("What", exact=True)).to_be_visible()


async def test_an_event_is_voided_out_of_the_explanation(visitor: Visitor, guarded: Site) -> None:
    page = await signed_in(visitor, guarded, f"{BOARD}&player=ann")
    await page.get_by_text("Why this rank?").click()
    await page.locator(".marks tr", has_text="two-ann").get_by_role("link", name="Void …").click()
    await expect(page.get_by_label("Event", exact=True)).to_have_value("two-ann")
    await page.get_by_role("button", name="File it").click()
    await expect(page.locator(".said")).to_contain_text("Reason is needed.")
    await page.get_by_label("Reason").fill("played twice")
    await page.get_by_role("button", name="File it").click()
    await expect(page.locator(".done")).to_have_text("Filed, and the boards show it.")
    other = await visitor.open(BOARD)
    await expect_order(other, "bob", "cid", "Ann Archer", "dan")
    await page.get_by_role("link", name="Reinstate the event …").click()
    await page.get_by_label("Reason").fill("it was not")
    await page.get_by_role("button", name="File it").click()
    await expect_order(other, "Ann Archer", "bob", "cid", "dan")


async def test_a_score_is_adjusted_and_nonsense_is_not(visitor: Visitor, guarded: Site) -> None:
    page = await signed_in(visitor, guarded, CORRECT)
    await page.get_by_label("What", exact=True).select_option("adjustment")
    await page.get_by_label("Player").fill("dan")
    await expect(page.get_by_label("Metric")).to_have_value("points")
    await page.get_by_label("Reason").fill("a goal was not seen")
    for value, said in (("many", "How much: a number"), ("1.5", "values.points: ")):
        await page.get_by_label("How much").fill(value)
        await page.get_by_role("button", name="File it").click()
        await expect(page.locator(".said")).to_contain_text(said)
    await page.get_by_label("How much").fill("100")
    await page.get_by_role("button", name="File it").click()
    await expect(page.locator(".done")).to_be_visible()
    await expect_order(await visitor.open(BOARD), "dan", "Ann Archer", "bob", "cid")


async def test_what_is_filed_and_does_not_count_is_told(visitor: Visitor, guarded: Site) -> None:
    page = await signed_in(visitor, guarded, f"{CORRECT}&event=p-ann")
    await page.get_by_label("Reason").fill("a slip")
    await page.get_by_role("button", name="File it").click()
    await expect(page.locator(".said")).to_contain_text("It is in the log, and does not count: p-ann is a player")


async def test_an_official_may_not_ban(visitor: Visitor, guarded: Site) -> None:
    page = await signed_in(visitor, guarded, CORRECT)
    await page.get_by_label("What", exact=True).select_option("player")
    await page.get_by_label("Player").fill("bob")
    await page.get_by_label("Status").select_option("banned")
    await page.get_by_label("Reason").fill("cheating")
    await page.get_by_role("button", name="File it").click()
    await expect(page.locator(".said")).to_contain_text("needs the scope admin")
    strong = await signed_in(visitor, guarded, CORRECT, "admin")
    await strong.get_by_label("What", exact=True).select_option("player")
    await strong.get_by_label("Player").fill("bob")
    await strong.get_by_label("Status").select_option("banned")
    await strong.get_by_label("Reason").fill("cheating")
    await strong.get_by_role("button", name="File it").click()
    await expect(strong.locator(".done")).to_be_visible()
    await expect_order(await visitor.open(BOARD), "Ann Archer", "cid", "dan")


async def test_dead_letters(visitor: Visitor, guarded: Site) -> None:
    page = await signed_in(visitor, guarded, LETTERS)
    await expect(page.locator(".official .note")).to_contain_text("No dead letters")
    await guarded.stack.log.xadd(stream_key(0), {"event": UNREADABLE})
    await expect(page.locator(".list tbody tr")).to_contain_text("values.goals: ")
    await page.get_by_text("What it held").click()
    await expect(page.locator("pre")).to_have_text(UNREADABLE.decode())
    await page.get_by_role("button", name="Retry number 1").click()
    await expect(page.locator(".said")).to_contain_text("Number 1 failed again, and is number 2 now: ")
    await expect(page.locator(".list tbody th")).to_have_text([re.compile("^2")])
    await page.get_by_label("Show").select_option("all")
    await expect(page.locator(".list tbody th")).to_have_text([re.compile("^1"), re.compile("^2")])


async def test_shards_and_their_services(visitor: Visitor, guarded: Site) -> None:
    page = await signed_in(visitor, guarded, "/?game=cup&view=shards")
    await expect(page.locator(".facts")).to_contain_text("PostgreSQLanswers")
    await expect(page.locator(".list tbody tr")).to_have_count(1)
    await guarded.down()
    await expect(page.get_by_role("heading", name="The API is away")).to_be_visible()
    await guarded.up()
    await page.evaluate("dispatchEvent(new Event('retry'))")
    await expect(page.locator(".list tbody tr")).to_have_count(1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_officials_without_barriers(visitor: Visitor, guarded: Site, scheme: str) -> None:
    axe = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text()
    await guarded.stack.log.xadd(stream_key(0), {"event": UNREADABLE})
    parts = {
        CORRECT: "form",
        **{f"/?game=cup&view={part}": ".list" for part in ("dead-letters", "generations", "shards")},
    }
    for path, there in parts.items():
        size = {"width": 390, "height": 844}
        page = await signed_in(visitor, guarded, path, color_scheme=scheme, viewport=size)
        await expect(page.locator(there).first).to_be_visible()
        assert await page.evaluate(OVERFLOW) <= 0
        await page.get_by_role("button", name="Key: one is in use").click()
        await page.evaluate(axe)
        found = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]] == []
        await page.keyboard.press("Escape")
        found = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]] == []
        await page.context.close()


async def test_what_could_not_be_sent_is_sent_again_as_the_same_event(visitor: Visitor, guarded: Site) -> None:
    page = await signed_in(visitor, guarded, f"{CORRECT}&event=two-ann")
    await page.get_by_label("Reason").fill("played twice")
    posted: list[str] = []
    page.on("request", lambda request: posted.append(request.post_data or "") if request.method == "POST" else None)
    await guarded.down()
    await page.get_by_role("button", name="File it").click()
    await expect(page.locator(".said")).to_contain_text("The API does not answer. Nothing is lost")
    await guarded.up()
    await page.get_by_role("button", name="File it").click()
    await expect(page.locator(".done")).to_have_text("Filed, and the boards show it.")
    assert len(posted) == 2
    assert posted[0] == posted[1]


async def test_a_correction_is_previewed_and_then_filed(visitor: Visitor, guarded: Site) -> None:
    page = await signed_in(visitor, guarded, f"{CORRECT}&event=two-ann")
    await page.get_by_label("Reason").fill("played twice")
    await page.get_by_role("button", name="Preview").click()
    row = page.locator(".found tbody tr", has_text="Ann Archer").filter(has_text="Total points").first
    await expect(row).to_contain_text("1 → 3 ▼ 2")
    await expect(row).to_contain_text("points 30 → 10")
    await expect_order(await visitor.open(BOARD), "Ann Archer", "bob", "cid", "dan")
    await page.get_by_role("button", name="File it").click()
    await expect(page.locator(".done")).to_be_visible()
    await expect_order(await visitor.open(BOARD), "bob", "cid", "Ann Archer", "dan")
    await page.get_by_role("link", name="Reinstate the event …").click()
    await page.get_by_label("Reason").fill("it was not")
    await page.get_by_role("button", name="Preview").click()
    await expect(row).to_contain_text("3 → 1 ▲ 2")
