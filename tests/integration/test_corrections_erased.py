"""Corrections of what was said of a player before he was erased, and voids that come before what cannot be voided."""

import pytest

from tests.harness import Harness, event, ruleset, score
from tests.integration.test_corrections import RULES

pytestmark = pytest.mark.services


async def erased(harness: Harness, *bodies: object) -> str:
    """Publishes the bodies, erases ann, and returns the id that she has then."""
    await harness.publish(ruleset(RULES), *bodies)
    [(ms, seq)] = await harness.publish(event("player", "erase", player="ann", status="erased"))
    return f"erased-1.0.{ms}-{seq}"


def place(id_: str, player: str, revision: int = 1) -> dict[str, object]:
    lines = [{"player": player, "position": 1}]
    return event("result", id_, fixture="race", revision=revision, placements=lines)


async def test_a_pick_can_be_voided_and_reinstated_after_its_player_was_erased(harness: Harness) -> None:
    planned = event("fixture", "plan", fixture="match", round=1, starts_at=0)
    pick = event("pick", "pick", player="ann", fixture="match", choice="red")
    ended = event("result", "end", fixture="match", outcomes={"winner": ["red"]})
    her = await erased(harness, planned, pick, ended)
    async with harness.consuming() as reader:
        await reader.drain()
        assert await harness.points("contests") == {her: 7}
        await harness.publish(event("void", "void", event="pick", reason="two accounts"))
        await reader.drain()
        assert await harness.points("contests") == {}
        await harness.publish(event("reinstate", "again", event="pick", reason="one account"))
        await reader.drain()
        assert await harness.points("contests") == {her: 7}
    await harness.assert_exact("arcade")


async def test_a_result_that_holds_again_does_not_bring_the_name_back(harness: Harness) -> None:
    her = await erased(harness, place("first", "ann"), place("second", "bob", 2))
    async with harness.consuming() as reader:
        await reader.drain()
        assert await harness.points("contests") == {"bob": 5}
        await harness.publish(event("void", "void", event="second", reason="the first one was right"))
        await reader.drain()
        assert await harness.points("contests") == {her: 5}
    await harness.assert_exact("arcade")


async def test_a_player_event_that_was_void_before_it_came_holds(harness: Harness) -> None:
    """As one that is voided afterwards does: it cannot be voided."""
    early = event("void", "early", event="erase", reason="a wrong id")
    her = await erased(harness, score("run", "ann", 3), early)
    async with harness.consuming() as reader:
        await reader.drain()
        assert await harness.points("total") == {her: 3}
        await harness.publish(event("void", "void", event="run", reason="cheated"))
        await reader.drain()
        assert await harness.points("total") == {}
    await harness.assert_exact("arcade")
