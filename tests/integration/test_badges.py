"""Badges through the consumer and PostgreSQL: awarded once whatever happens, in a constant number of statements."""

from typing import Any

from projections.badges import badges_of
from projections.database import connect, queries
from projections.store import Store
from schemas.position import Position, parse_entry
from tests.harness import Harness, event, ruleset, score

RULES = """
game = "arcade"
[metrics.points]
[boards.total]
rank_by = ["points desc"]
periods = ["all", "daily"]
metrics = { points = { op = "sum", of = "points" }, runs = { op = "count" } }
[boards.total.badges]
hundred = { where = { points = { min = 100 } } }
three = { where = { runs = { min = 3 } } }
"""
DAY = 1_770_000_000_000
STATEMENTS_MAX = 10
"""Without COPY, which the logger does not see; there is one for each of log, ids, history and badges."""


async def held(harness: Harness) -> set[tuple[str, str, str, str]]:
    """(period, player, badge, position) of every award of the live generation."""
    rows = await harness.pool.fetch(
        "SELECT b.* FROM badges b JOIN games g ON g.live_generation = b.generation_id WHERE g.name = 'arcade'"
    )
    return {
        (row["period"], row["player"], row["badge"], str(Position(row["epoch"], row["shard"], row["ms"], row["seq"])))
        for row in rows
    }


async def test_a_badge_is_awarded_once_at_the_position_of_its_event(harness: Harness) -> None:
    await harness.publish(ruleset(RULES))
    entries = []
    # Every batch is folded by a consumer that has nothing in memory.
    for part in ([60, 50], [10], [10, 10]):
        bodies = [score(f"e{len(entries) + at}", "ann", points, occurred_at=DAY) for at, points in enumerate(part)]
        entries += await harness.publish(*bodies)
        async with harness.consuming() as reader:
            await reader.drain()
    first, second = (str(Position(1, 0, *entries[at])) for at in (1, 2))
    expected = {
        (period, "ann", badge, position)
        for period in ("all", "daily:2026-02-02")
        for badge, position in (("hundred", first), ("three", second))
    }
    assert await held(harness) == expected
    await harness.assert_exact("arcade")
    generation = await harness.value("SELECT live_generation FROM games")
    found = await badges_of(harness.pool, generation, "ann", "total", "all")
    assert [(badge.badge, badge.occurred_ms) for badge in found] == [("hundred", DAY), ("three", DAY)]
    await harness.swap()
    assert await held(harness) == expected
    await harness.assert_exact("arcade")


async def test_each_of_many_voids_is_judged_by_itself(harness: Harness) -> None:
    """Those that stand together in one batch, too: what is right for a moment only earns a badge."""
    rules = RULES.replace("{ min = 100 }", "{ min = 100, max = 109 }")
    await harness.publish(ruleset(rules), *(score(f"e{at}", "ann", at, occurred_at=DAY) for at in (200, 105, 3)))
    void = [event("void", f"v{at}", event=f"e{at}", reason="a mistake") for at in (200, 105)]
    entries = await harness.publish(*void)
    async with harness.consuming() as reader:
        await reader.drain()
    found = {badge[2:] for badge in await held(harness)}
    third, right = await harness.log.xrange("rankfold:log:{0}"), str(Position(1, 0, *entries[0]))
    assert found == {("three", str(Position(1, 0, *parse_entry(third[3][0])))), ("hundred", right)}
    await harness.assert_exact("arcade")


async def test_a_new_version_of_the_rules_awards_by_the_whole_log(harness: Harness) -> None:
    await harness.publish(ruleset(RULES))
    entries = await harness.publish(*(score(f"e{at}", "ann", 30, occurred_at=DAY) for at in range(4)))
    lower = RULES.replace("min = 100", "min = 60")
    await harness.publish(ruleset(lower, 2))
    async with harness.consuming() as reader:
        await reader.drain()
        await harness.swap(version=2)
        awards = {(badge, position) for period, _, badge, position in await held(harness) if period == "all"}
        assert awards == {
            ("hundred", str(Position(1, 0, *entries[1]))),
            ("three", str(Position(1, 0, *entries[2]))),
        }
        await harness.publish(score("e9", "bob", 60, occurred_at=DAY))
        await reader.drain()
    assert {player for _, player, _, _ in await held(harness)} == {"ann", "bob"}
    await harness.assert_exact("arcade")


async def test_verify_tells_a_badge_that_is_missing(harness: Harness) -> None:
    await harness.publish(ruleset(RULES), score("e0", "ann", 100, occurred_at=DAY))
    async with harness.consuming() as reader:
        await reader.drain()
    await harness.pool.execute("DELETE FROM badges WHERE period = 'all'")
    [difference] = (await harness.verify("arcade")).differences
    assert (difference.period, difference.player, difference.live) == ("all", "ann", "-")
    assert (difference.kind, difference.key) == ("badges", "hundred")


async def test_a_batch_with_badges_takes_as_many_statements_for_2000_players_as_for_50(harness: Harness) -> None:
    pool = await connect(harness.database_url, size=1)
    harness.store = Store(pool)
    asked: list[str] = []
    others = {queries("writer")[name] for name in ("shard", "ranking", "lines")} | set(queries("reader").values())

    def note(record: Any) -> None:
        # Not what the publisher of rankings asks, and not how the pool cleans a connection.
        if record.query not in others and not record.query.startswith(("BEGIN", "COMMIT", "SELECT pg_advisory_unlock")):
            asked.append(record.query)

    def sixty(size: int, round_: str) -> list[dict[str, Any]]:
        return [score(f"{round_}{size}-{at}", f"p{size}-{at}", 60, occurred_at=DAY) for at in range(size)]

    # In the first batch the driver still asks the server about types.
    sizes = (1, 50, 2_000)
    try:
        await harness.publish(ruleset(RULES), *(event for size in sizes for event in sixty(size, "a")))
        async with harness.consuming(batch=4_000) as reader:
            await reader.drain()
        async with pool.acquire() as connection:
            connection.add_query_logger(note)
        # Another consumer has to load the rows of all these players.
        async with harness.consuming(batch=4_000) as reader:
            counts = []
            for size in sizes:
                await harness.publish(*sixty(size, "b"))
                asked.clear()
                assert await reader.step()
                await harness.caught_up()
                counts.append(len(asked))
        assert len(await held(harness)) == 2 * sum(sizes)
        assert counts[1] == counts[2] <= STATEMENTS_MAX, asked
    finally:
        await pool.close()
