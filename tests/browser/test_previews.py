"""Previews of corrections as the page shows them; the answers are those of a stand-in for the part of the API that previews."""

import json
from typing import Any

import pytest

from tests.browser.conftest import Site, Visitor
from tests.browser.test_officials import CORRECT

try:
    from playwright.async_api import Page, expect
except ImportError:
    Page = Any  # type: ignore[assignment,misc]

pytestmark = pytest.mark.services


def change(player: str, before: int | None, after: int | None, **more: Any) -> dict[str, Any]:
    place = {rank: {"rank": rank, "metrics": {"points": 10 * rank}} for rank in (before, after) if rank is not None}
    moved = before - after if before is not None and after is not None else None
    return {
        "board": "total",
        "period": "all",
        "segment": None,
        "player": player,
        "name": None,
        "before": place.get(before),
        "after": place.get(after),
        "moved": moved,
        **more,
    }


def found(*changes: dict[str, Any], total: int | None = None) -> dict[str, Any]:
    return {"position": "1.0.1-0", "game": "cup", "changes": changes, "total": total or len(changes), "problems": []}


class StandIn:
    """Answers previews; `asked` holds the events that it was asked about."""

    def __init__(self, *answers: tuple[int, Any]) -> None:
        self.answers = list(answers)
        self.asked: list[Any] = []

    async def open(self, visitor: Visitor, site: Site, path: str) -> "Page":
        """A page that believes that the API previews."""
        context = await visitor.browser.new_context(locale="en-GB", timezone_id="UTC")

        async def index(route: Any) -> None:
            answer = await route.fetch()
            text = (await answer.text()).replace('name="features" content="', 'name="features" content="preview ')
            await route.fulfill(response=answer, body=text)

        async def preview(route: Any) -> None:
            self.asked.append(json.loads(route.request.post_data)["events"])
            status, answer = self.answers.pop(0)
            await route.fulfill(status=status, json=answer)

        async def job(route: Any) -> None:
            _, answer = self.answers.pop(0)
            await route.fulfill(json=answer)

        await context.route(lambda url: url.startswith(site.url + "/?"), index)
        await context.route("**/v1/games/cup/preview", preview)
        await context.route("**/v1/jobs/*", job)
        return await visitor.open(path, context=context)


async def test_who_would_move_is_shown_and_then_filed(visitor: Visitor, site: Site) -> None:
    stand_in = StandIn(
        (200, found(change("ann", 1, 3), change("bob", 2, 1), change("dan", None, 4), change("cid", 3, None), total=9))
    )
    page = await stand_in.open(visitor, site, f"{CORRECT}&event=two-ann")
    posted: list[Any] = []
    page.on("request", lambda one: posted.append(one.post_data_json) if "/events" in one.url else None)
    await page.get_by_label("Reason").fill("played twice")
    await page.get_by_role("button", name="Preview").click()
    await expect(page.locator(".said")).to_have_text("9 places would be another. Nothing is filed yet.")
    rows = page.locator(".found tbody tr")
    await expect(rows).to_have_count(4)
    await expect(rows.nth(0)).to_contain_text("1 → 3 ▼ 2")
    await expect(rows.nth(1)).to_contain_text("2 → 1 ▲ 1")
    await expect(rows.nth(2)).to_contain_text("new")
    await expect(rows.nth(3)).to_contain_text("not ranked")
    await expect(page.locator(".found")).to_contain_text("and 5 more")
    await page.get_by_role("button", name="File it").click()
    await expect(page.locator(".done")).to_be_visible()
    assert posted == stand_in.asked, "what was previewed is what is filed"
    await page.get_by_label("Reason").fill("another")
    await expect(page.locator(".done, .found tr")).to_have_count(0)


async def test_a_large_one_is_waited_for(visitor: Visitor, site: Site) -> None:
    running = {"job": "j1", "state": "running", "done": 20_000, "total": 90_000, "result": None, "error": None}
    done = {**running, "state": "done", "result": found(change("ann", 1, 2))}
    stand_in = StandIn((202, {"job": "j1"}), (200, running), (200, done))
    page = await stand_in.open(visitor, site, f"{CORRECT}&event=two-ann")
    await page.get_by_label("Reason").fill("played twice")
    await page.get_by_role("button", name="Preview").click()
    await expect(page.locator(".said")).to_have_text("Folding it in: 20,000 of 90,000 …")
    await expect(page.locator(".said")).to_have_text("1 place would be another. Nothing is filed yet.")


async def test_what_it_would_not_accept(visitor: Visitor, site: Site) -> None:
    problems = [{"field": "event", "rule": "no such event", "index": 0}]
    stand_in = StandIn((200, {**found(), "problems": problems}), (200, found()), (503, {"detail": "away"}))
    page = await stand_in.open(visitor, site, f"{CORRECT}&event=none")
    await page.get_by_label("Reason").fill("played twice")
    for said in ("event: no such event", "Nobody's place would change.", "The API does not answer."):
        await page.get_by_role("button", name="Preview").click()
        await expect(page.locator(".said")).to_contain_text(said)
