"""Picks through the real servers: locks, rejections, corrections, restarts, swaps, and many picks on one fixture."""

import asyncio
import random
import re
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from projections.batch import Batch, LiveGame
from projections.store import Store
from tests.harness import Harness
from tests.integration.picking import (
    RULES,
    Entries,
    consume,
    fixture,
    pick,
    rejected,
    result,
    said,
    stored,
)

pytestmark = pytest.mark.services


@pytest.fixture
async def entries(harness: Harness) -> Entries:
    writer = Entries(harness)
    await writer.rules()
    return writer


async def points(harness: Harness) -> dict[str, Any]:
    return {player: line["points"] for player, line in (await harness.board("total")).items()}


async def test_a_consumer_that_restarts_between_pick_and_result_grades_every_pick(entries: Entries) -> None:
    harness = entries.harness
    await entries.at(1, fixture("f", 100), fixture("g", 200))
    await entries.at(2, pick("ann", "f", "red"), pick("bob", "f", "blue"), pick("cid", "g", "red"))
    await consume(harness)
    await entries.at(3, pick("bob", "f", "red"))
    await consume(harness)
    await entries.at(101, pick("ann", "f", "blue"), result("f", winner="red"))
    await consume(harness)
    # cid took part and missed f; ann was late with another choice.
    assert await points(harness) == {"ann": 3, "bob": 3, "cid": -1}
    (late,) = await rejected(harness)
    assert (late.player, late.field, late.event) == ("ann", "fixture", "e8")
    assert "late" in late.reason
    await entries.at(110, result("f", 2, winner="blue"), result("f", 1, winner="red"))
    await consume(harness)
    assert await points(harness) == {"ann": -1, "bob": -1, "cid": -1}
    assert await harness.dead_letters() == []
    await harness.assert_exact("arcade")


async def test_rejections_say_why_and_outlive_a_swap(entries: Entries) -> None:
    harness = entries.harness
    await entries.at(1, fixture("f", 100), fixture("g", 100), said("player", player="eve", status="banned"))
    await entries.at(
        2,
        pick("eve", "f", "red"),
        pick("ann", "unknown", "red"),
        pick("ann", "f", "red", market="confidence", stake=3),
        pick("ann", "g", "red", market="confidence", stake=3),
        pick("ann", "f", "blue", market="confidence", stake=4),
        pick("ann", "g", "red", market="confidence", stake=3),
    )
    await entries.at(50, pick("ann", "f", "red", market="confidence", stake=5))
    await entries.at(60, result("f", confidence="blue"), result("f", confidence="red"))
    await consume(harness, batch=1)
    await consume(harness)
    assert [(line.player, line.field, line.event) for line in await rejected(harness)] == [
        (None, "revision", "e13"),
        ("ann", "fixture", "e11"),
        ("ann", "stake", "e8"),
        ("ann", "fixture", "e6"),
        ("eve", "player", "e5"),
    ]
    assert len(await rejected(harness, player="ann")) == 3
    assert await points(harness) == {"ann": 4}
    before = await stored(harness)
    await harness.swap()
    assert await stored(harness) == before
    await entries.at(101, result("g", confidence="red"))
    await consume(harness)
    assert await points(harness) == {"ann": 7}
    await harness.assert_exact("arcade")


async def test_what_the_rules_forbid_is_a_dead_letter(entries: Entries) -> None:
    harness = entries.harness
    await entries.at(1, fixture("f", 100), pick("ann", "f", "x", market="other"), pick("ann", "f", "x", stake=2))
    await entries.at(2, pick("ann", "f", "many", market="total"), pick("ann", "f", "x", market="confidence", stake=17))
    await consume(harness)
    assert [letter.field for letter in await harness.dead_letters()] == ["market", "stake", "choice", "stake"]
    assert await rejected(harness) == []
    await harness.assert_exact("arcade")


async def season(entries: Entries, seed: int) -> None:
    """Two rounds with fixtures that move, picks of all markets, results and corrections."""
    chance = random.Random(seed)
    names, players = ["f", "g", "h", "i"], [f"p{number}" for number in range(12)]
    for at, name in enumerate(names):
        await entries.at(1, fixture(name, 300 + 50 * at, at // 2))
    for second in range(2, 700, 5):
        name, who, choice = chance.choice(names), chance.choice(players), chance.choice(["red", "blue"])
        bodies = [
            pick(who, name, choice),
            pick(who, name, choice, market="confidence", stake=chance.randrange(1, 5)),
            pick(who, name, str(chance.randrange(9)), market="total"),
        ]
        if chance.random() < 0.08:
            bodies.append(fixture(name, chance.randrange(100, 700), chance.randrange(2)))
        if chance.random() < 0.2:
            status = chance.choice(["final", "void", "abandoned"] if second > 300 else ["void", "abandoned"])
            outcomes = {"winner": choice, "confidence": choice, "total": str(chance.randrange(9))}
            bodies.append(result(name, second // 100 + chance.randrange(1, 3), status=status, **outcomes))
        chance.shuffle(bodies)
        await entries.at(second, *bodies[: chance.randrange(1, 5)])


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_batches_and_restarts_change_nothing(entries: Entries, seed: int) -> None:
    harness = entries.harness
    await season(entries, seed)
    async with harness.consuming(batch=7) as reader:
        for _ in range(20):
            assert await reader.step()
    async with harness.consuming(batch=1) as reader:
        for _ in range(20):
            assert await reader.step()
    await consume(harness, batch=40)
    assert len(await harness.board("total")) > 8
    before = await stored(harness)
    assert before["rejections"]
    await harness.assert_exact("arcade")
    # A swap folds everything at once, and goes on where the consumers were.
    shown = await harness.board("total")
    await harness.swap()
    assert await stored(harness) == before
    assert await harness.board("total") == shown
    await entries.at(800, *(result(name, 9, winner="red", confidence="red", total="4") for name in "fghi"))
    await consume(harness)
    await harness.assert_exact("arcade")


class SlowStore(Store):
    """Commits a batch only when what the next one needs has been read."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        super().__init__(pool)
        self.read = asyncio.Condition()
        self.reads = self.commits = 0

    async def load_contests(self, live: LiveGame, events: list[Any]) -> None:
        await super().load_contests(live, events)
        await self.let(self.reads + 1)

    async def let(self, reads: int) -> None:
        """Lets the commits go on that wait for so many reads."""
        async with self.read:
            self.reads = reads
            self.read.notify_all()

    async def commit(self, batch: Batch, inside: Callable[[], None]) -> None:
        self.commits += 1
        following = self.commits + 1
        async with self.read:
            await self.read.wait_for(lambda: self.reads >= following)
        await super().commit(batch, inside)


async def test_picks_whose_commit_is_under_way_are_graded(entries: Entries) -> None:
    harness = entries.harness
    await consume(harness)
    harness.store = slow = SlowStore(harness.pool)
    bodies = [
        fixture("f", 100),
        fixture("g", 200),
        fixture("h", 200),
        pick("ann", "f", "blue"),
        pick("ann", "f", "red"),
        result("f", winner="red"),
        pick("ann", "g", "x", market="confidence", stake=1),
        pick("ann", "h", "x", market="confidence", stake=1),
        pick("ann", "f", "blue"),
    ]
    for second, body in enumerate(bodies, 1):
        await entries.at(second, body)
    async with harness.consuming(batch=1) as reader:
        for _ in bodies:
            assert await reader.step()
        await slow.let(100)
        await reader.drain()
    assert await points(harness) == {"ann": 3}
    assert [(line.field, line.event) for line in await rejected(harness)] == [("fixture", "e10"), ("stake", "e9")]
    await harness.assert_exact("arcade")


MANY = 5_000
OURS = re.compile(r"\b(picks|fixtures|players|rankings|standings|event_ids|rejections)\b")
"""Statements about the game, as against those of the driver."""


async def test_many_picks_on_one_fixture_settle_in_one_batch(entries: Entries) -> None:
    """Thousands of picks are graded with as many queries as one."""
    harness = entries.harness
    asked: list[str] = []
    counting = await asyncpg.create_pool(harness.database_url, min_size=1, init=lambda one: _count(one, asked))
    harness.store = Store(counting)
    try:
        await entries.at(1, fixture("few", 100), fixture("many", 200))
        await entries.at(2, pick("p0", "few", "red"))
        async with harness.consuming() as reader:
            await reader.drain()
            numbers = {}
            for name, count, second in (("few", 1, 3), ("many", MANY, 103)):
                await entries.at(second, *(pick(f"p{at}", name, ["red", "blue"][at % 2]) for at in range(count)))
                await reader.drain()
                await entries.at(second + 98, result(name, winner="red"))
                asked.clear()
                assert await reader.step()
                await harness.caught_up()
                numbers[name] = [text for text in asked if OURS.search(text)]
            assert len(numbers["many"]) <= len(numbers["few"])
            # Who comes too late does not have them read again.
            asked.clear()
            await entries.at(202, pick("p1", "many", "red"))
            await reader.drain()
            assert [text for text in asked if "FROM picks" in text and "player = ANY" not in text] == []
        found = await points(harness)
        assert (len(found), found["p0"], found["p1"], found["p2"]) == (MANY, 6, -1, 3)
        assert await harness.value("SELECT count(*) FROM picks") == MANY + 2
    finally:
        harness.store = Store(harness.pool)
        await counting.close()
    await harness.assert_exact("arcade")


async def _count(connection: asyncpg.Connection, asked: list[str]) -> None:
    connection.add_query_logger(lambda record: asked.append(record.query))


async def test_new_rules_grade_old_picks(entries: Entries) -> None:
    harness = entries.harness
    await entries.at(1, fixture("f", 100), pick("ann", "f", "red"), pick("bob", "f", "4", market="total"))
    await entries.at(101, result("f", winner="red", total="5"))
    await consume(harness)
    assert await points(harness) == {"ann": 3, "bob": -1}
    text = RULES.replace("points = 3", "points = 30").replace('market = "total"', 'market = "sum"')
    await entries.at(102, {**said("ruleset", version=2, text=text), "id": "rules-2"})
    await consume(harness)
    await harness.swap()
    # The market of bob's guess is gone, so it is a rejection now, and he has never taken part.
    assert await points(harness) == {"ann": 30}
    assert [(line.player, line.field) for line in await rejected(harness)] == [("bob", "market")]
    await harness.assert_exact("arcade")
