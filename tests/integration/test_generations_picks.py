"""Picks that were voided and count again, in generations that are built behind it."""

import pytest

from tests.harness import Harness, event, ruleset
from tests.integration.generating import differences, held

pytestmark = pytest.mark.services
RULES = """
game = "arcade"
[metrics.points]
[sources.picks]
origin = "picks"
grades = [{ points = 1 }]
[boards.b]
rank_by = ["points desc"]
metrics = { points = { op = "sum", of = "points" } }
"""


@pytest.mark.parametrize("planned", [True, False])
async def test_a_pick_that_counts_again_is_in_a_generation_built_later(harness: Harness, planned: bool) -> None:
    """Also one that did not count at first, since its fixture was planned only later."""
    pick = event("pick", "pick", player="ann", fixture="f", choice="x")
    plan = event("fixture", "plan", fixture="f", round=1, starts_at="2100-01-01T00:00:00Z")
    said = [
        ruleset(RULES),
        *((plan, pick) if planned else (pick, plan)),
        event("void", "v", event="pick", reason="a mistake"),
        event("reinstate", "r", event="pick", reason="no mistake"),
    ]
    for upto in range(1, len(said) + 1):
        await harness.publish(said[upto - 1])
        async with harness.consuming() as reader:
            await reader.drain()
        built = await harness.build()
        live, other = await held(harness), await held(harness, built.generation_id)
        assert differences(live, other) == [], upto
    assert len(live["picks"]) == 1
    await harness.assert_exact()


@pytest.mark.parametrize("why", ["the result is known", "he is banned"])
async def test_a_pick_that_was_refused_when_it_came_does_not_count_again(harness: Harness, why: str) -> None:
    pick = event("pick", "pick", player="ann", fixture="f", choice="x")
    plan = event("fixture", "plan", fixture="f", round=1, starts_at="2100-01-01T00:00:00Z")
    results = [
        event("result", f"r{number}", fixture="f", revision=number, outcomes={"winner": ["x"]}) for number in (1, 2)
    ]
    standing = [event("player", status, player="ann", status=status) for status in ("banned", "active")]
    before, after = results if why == "the result is known" else standing
    said = [ruleset(RULES), plan, before, pick, after]
    for part in (
        said,
        [event("void", "v", event="pick", reason="a mistake")],
        [event("reinstate", "r", event="pick", reason="no mistake")],
    ):
        await harness.publish(*part)
        async with harness.consuming() as reader:
            await reader.drain()
    assert (await held(harness))["picks"] == []
    await harness.assert_exact()
