"""Corrections of what is archived, among the dead letters, or not there yet; twice, out of order, and across a swap."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from projections.dead_letters import retry
from tests.harness import Harness, Reader, event, ruleset, score

pytestmark = pytest.mark.services
E1, E2 = score("e1", "ada", 5), score("e2", "bob", 7)


def void(id_: str, target: str) -> dict[str, Any]:
    return event("void", id_, event=target, reason="checked")


def reinstate(id_: str, target: str) -> dict[str, Any]:
    return event("reinstate", id_, event=target, reason="checked again")


@pytest.fixture
async def reader(harness: Harness) -> AsyncIterator[Reader]:
    await harness.publish(ruleset())
    async with harness.consuming() as reader:
        await reader.drain()
        yield reader


CASES: dict[str, tuple[list[dict[str, Any]], dict[str, int]]] = {
    "archived": ([E1, E2, void("v1", "e1")], {"bob": 7}),
    "twice": ([E1, E2, void("v1", "e1"), void("v2", "e1")], {"bob": 7}),
    "the same event twice": ([E1, E2, void("v1", "e1"), void("v1", "e1")], {"bob": 7}),
    "reinstated": ([E1, E2, void("v1", "e1"), reinstate("r1", "e1")], {"bob": 7, "ada": 5}),
    "voided twice, reinstated once": (
        [E1, E2, void("v1", "e1"), void("v2", "e1"), reinstate("r1", "e1")],
        {"bob": 7, "ada": 5},
    ),
    "reinstated, and void again": (
        [E1, E2, void("v1", "e1"), reinstate("r1", "e1"), void("v2", "e1")],
        {"bob": 7},
    ),
    "not seen yet": ([void("v1", "e1"), E2, E1], {"bob": 7}),
    "reinstated before it came": ([void("v1", "e1"), reinstate("r1", "e1"), E1, E2], {"bob": 7, "ada": 5}),
    "reinstated after it came": ([void("v1", "e1"), E1, E2, reinstate("r1", "e1")], {"bob": 7, "ada": 5}),
    "reinstated what never was void": ([E1, E2, reinstate("r1", "e1")], {"bob": 7, "ada": 5}),
    "reinstated first": ([reinstate("r1", "e1"), E1, E2, void("v1", "e1")], {"bob": 7}),
    "a void of a void": ([E1, E2, void("v1", "e1"), void("v2", "v1")], {"bob": 7}),
    "duplicated after it was void": ([E1, E2, void("v1", "e1"), E1], {"bob": 7}),
}


@pytest.mark.parametrize("batched", [True, False], ids=["in one batch", "one by one"])
@pytest.mark.parametrize("case", CASES)
async def test_a_correction_holds_whenever_it_comes(harness: Harness, reader: Reader, case: str, batched: bool) -> None:
    events, points = CASES[case]
    for part in [events] if batched else [[one] for one in events]:
        await harness.publish(*part)
        await reader.drain()
    assert await harness.points() == points
    await harness.assert_exact("arcade")
    await harness.swap()
    await reader.drain()
    assert await harness.points() == points
    await harness.shown()
    await harness.assert_exact("arcade")


@pytest.mark.parametrize("when", ["before the retry", "after the retry"])
async def test_what_is_among_the_dead_letters_can_be_voided(harness: Harness, reader: Reader, when: str) -> None:
    # The game of rules that are not there yet: what comes for it cannot be folded.
    late = {**score("late", "ada", 5, game="later")}
    await harness.publish(late)
    await reader.drain()
    (letter,) = await harness.dead_letters()
    rules = ruleset(game="later")
    rules["text"] = rules["text"].replace('game = "arcade"', 'game = "later"')
    correction = event("void", "v1", game="later", event="late", reason="checked")
    await harness.publish(rules, score("other", "bob", 7, game="later"))
    await reader.drain()
    if when == "before the retry":
        await harness.publish(correction)
        await reader.drain()
    await retry(harness.pool, harness.log, [letter.id])
    await reader.drain()
    if when == "after the retry":
        assert await harness.points(game="later") == {"ada": 5, "bob": 7}
        await harness.publish(correction)
        await reader.drain()
    assert await harness.points(game="later") == {"bob": 7}
    await harness.publish(event("reinstate", "r1", game="later", event="late", reason="it holds"))
    await reader.drain()
    assert await harness.points(game="later") == {"ada": 5, "bob": 7}
    await harness.assert_exact("later")


async def test_a_void_goes_on_to_hold_and_ends_after_a_swap(harness: Harness, reader: Reader) -> None:
    await harness.publish(E1, E2, void("v1", "e1"))
    await reader.drain()
    await harness.swap()
    await harness.publish(score("e3", "bob", 1))
    await reader.drain()
    assert await harness.points() == {"bob": 8}
    await harness.publish(reinstate("r1", "e1"), void("v2", "e2"))
    await reader.drain()
    assert await harness.points() == {"ada": 5, "bob": 1}
    await harness.assert_exact("arcade")
    await harness.swap()
    await reader.drain()
    assert await harness.points() == {"ada": 5, "bob": 1}


async def test_dead_letters_are_tried_again_in_the_order_in_which_they_came(harness: Harness) -> None:
    """Wherever their rows lie in the table, and in whichever order they are named: a void is to find what it voids."""
    lost = [score("e1", "ada", 5), event("void", "v1", event="e1", reason="late"), score("e2", "ada", 3)]
    await harness.publish(*lost, ruleset())
    async with harness.consuming() as reader:
        await reader.drain()
        numbers = [letter.id for letter in await harness.dead_letters()]
        # As an erasure does.
        await harness.pool.execute("UPDATE dead_letters SET reason = 'x' WHERE dead_letter_id = $1", numbers[0])
        await harness.pool.execute("ANALYZE dead_letters")
        await retry(harness.pool, harness.log, numbers[::-1])
        await reader.drain()
        rows = await harness.pool.fetch("SELECT body FROM log WHERE verdict = 0 ORDER BY ms, seq")
        assert [msgspec.json.decode(body) for (body,) in rows] == [ruleset(), *lost]
        assert await harness.points() == {"ada": 3}
