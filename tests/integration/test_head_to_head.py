"""Head-to-head through the real services: rows that no event touched move in PostgreSQL, in Redis and in history."""

from pathlib import Path
from typing import Any

import pytest

from examples.football_league.season import Season
from examples.football_league.standings import Log, table
from schemas.codec import encode
from schemas.events import Pick
from tests.harness import Harness, event, ruleset

pytestmark = pytest.mark.services
ROOT = Path(__file__).parents[2]
LEAGUE = "football-league"
RULES = ruleset((ROOT / "examples" / "football_league" / "league.toml").read_text("utf-8"), game=LEAGUE)

DUELS = """
game = "duels"
[metrics.points]
[boards.table]
rank_by = ["points desc", { head_to_head = ["points desc"] }]
periods = ["all", "round"]
[boards.table.metrics]
points = { op = "sum", of = "points" }
"""


def season() -> list[bytes]:
    """A season without predictions: they would all come too late, since the log records them now."""
    return [encode(said) for said in Season().events() if not isinstance(said, Pick)]


async def assert_table(harness: Harness, bodies: list[bytes]) -> None:
    expected = table(Log(body.decode() for body in bodies))
    shown = await harness.board("table", game=LEAGUE)
    assert [{"player": player, **metrics} for player, metrics in shown.items()] == [
        {name: value for name, value in line.items() if name != "rank"} for line in expected
    ]


async def test_a_season_is_exact_whatever_leaves_the_cache(harness: Harness) -> None:
    bodies = season()
    third = len(bodies) // 3
    await harness.publish(RULES, *bodies[:third])
    # So small a cache that rows leave it all the time.
    async with harness.consuming(batch=9, cache_rows=12) as reader:
        await reader.drain()
        await assert_table(harness, bodies[:third])
        await harness.assert_exact(LEAGUE)
        await harness.publish(*bodies[third : 2 * third])
        await reader.drain()
        await harness.assert_exact(LEAGUE)
    async with harness.consuming(batch=40) as reader:
        await harness.publish(*bodies[2 * third :])
        await reader.drain()
        await assert_table(harness, bodies)
        await harness.assert_exact(LEAGUE)
        await harness.swap(LEAGUE)
        await harness.shown()
        await assert_table(harness, bodies)
        await harness.assert_exact(LEAGUE)


async def test_a_consumer_that_is_killed_and_started_again_goes_on(harness: Harness) -> None:
    bodies = season()
    half = len(bodies) // 2
    with harness.living(batch_events_max=20) as first:
        await harness.publish(RULES, *bodies[:half])
        await harness.caught_up()
        await harness.publish(*bodies[half : half + 40])
        first.kill()
    with harness.living():
        await harness.publish(*bodies[half + 40 :])
        await harness.caught_up()
        await assert_table(harness, bodies)
        await harness.assert_exact(LEAGUE)


def duel(number: int, winner: str, loser: str, round_: int = 1) -> dict[str, Any]:
    """A win, as one side saw it: the other has nothing of it."""
    values, attributes = {"points": 3}, {"opponent": loser}
    return event("score", f"d{number}", "duels", player=winner, values=values, attributes=attributes, round=round_)


async def places(harness: Harness) -> list[tuple[str, Any]]:
    shown = await harness.board("table", game="duels")
    return [(player, metrics["head_to_head.points"]) for player, metrics in shown.items()]


async def history(harness: Harness) -> set[tuple[str, int, int]]:
    rows = await harness.pool.fetch(
        "SELECT h.player, h.from_version, h.to_version FROM standings_history h"
        " JOIN rankings r USING (ranking_id) WHERE r.board = 'table' AND r.period = 'all'"
    )
    return {tuple(row) for row in rows}


async def test_rows_that_no_event_touched_are_stored_shown_and_kept_in_history(harness: Harness) -> None:
    # a beat b, b beat c, c beat d: three players with 3 points, b lost to a.
    await harness.publish(ruleset(DUELS, game="duels"), duel(1, "a", "b"), duel(2, "b", "c"), duel(3, "c", "d"))
    async with harness.consuming() as reader:
        await reader.drain()
    assert await places(harness) == [("a", 3), ("b", 3), ("c", 0)]
    before = await history(harness)
    # Nothing but the ban is in this batch, and a new consumer holds no rows.
    async with harness.consuming() as reader:
        await harness.publish(event("player", "out", "duels", player="c", status="banned"))
        await reader.drain()
        assert await places(harness) == [("a", 3), ("b", 0)]
        fresh = await history(harness) - before
        assert sorted(player for player, _, _ in fresh) == ["b", "c"]
        assert all(since < until for _, since, until in fresh)
        await harness.assert_exact("duels")
        # d comes level without having met the others; a's and b's slots stay, d's is new.
        await harness.publish(duel(4, "d", "e"), event("player", "in", "duels", player="c", status="active"))
        await reader.drain()
        assert await places(harness) == [("a", 3), ("b", 3), ("c", 3), ("d", 0)]
        await harness.assert_exact("duels")


async def test_only_the_touched_tables_are_loaded(harness: Harness) -> None:
    await harness.publish(ruleset(DUELS, game="duels"), *(duel(at, f"p{at}", f"q{at}", round_=at) for at in range(9)))
    async with harness.consuming() as reader:
        await reader.drain()
    async with harness.consuming() as reader:
        await harness.publish(duel(10, "p0", "p1", round_=3))
        await reader.drain()
        fold = reader.consumer._folding._games["duels"].fold
        assert {table.name[1]: (len(table.rows), table.whole) for table in fold.tables.values()} == {
            "all": (9, True),
            "round:3": (2, True),
        }
        await harness.assert_exact("duels")
