"""Swaps of generations and back, under load: no read fails, and each answer belongs to one generation wholly."""

import asyncio
from typing import Any

import pytest

from engine.places import Lookup
from projections import dropping, generations
from projections.catalog import Catalog
from projections.fallback import PostgresRankings
from projections.names import ranking_keys
from projections.rankings import RedisRankings
from schemas.errors import Conflict, NotFound
from schemas.position import Position
from tests.harness import RULES, Harness, event, renamed, ruleset, score, silent
from tests.integration.generating import GAMES, anything_left, begun, differences, held, status
from tests.integration.test_generations_shadow import DOUBLED
from tests.services import eventually
from tests.workload import Workload

pytestmark = pytest.mark.services


async def swap(harness: Harness, generation: int, game: str = "arcade") -> generations.Built:
    return await generations.swap(harness.pool, harness.rankings, game, generation, silent)


async def back(harness: Harness, game: str = "arcade") -> generations.Built:
    return await generations.swap_back(harness.pool, harness.rankings, game, silent)


async def drop(harness: Harness, generation: int, game: str = "arcade") -> None:
    await generations.drop(harness.pool, harness.rankings, game, generation)


def races(player: str, count: int) -> list[dict[str, Any]]:
    """Races that a player has won."""
    lines = [{"player": player, "position": 1}]
    return [event("result", f"{player}-{n}", fixture=f"{player}-{n}", placements=lines) for n in range(count)]


async def test_readers_see_one_generation_or_the_other_through_swaps_and_back(harness: Harness) -> None:
    workload = Workload(seed=31)
    await harness.publish(ruleset(), *workload.take(300), ruleset(DOUBLED, 2), *races("mixed", 4), *races("other", 4))
    catalog = Catalog(harness.pool)
    seen: list[tuple[str, tuple[int, int]]] = []
    done = asyncio.Event()

    async def read(kind: str, rankings: RedisRankings | PostgresRankings) -> None:
        while not done.is_set():
            info = await catalog.game("arcade")
            ranking_id = await catalog.ranking(info, "cup", "all")
            assert ranking_id is not None
            plan = info.game.boards["cup"]
            answer = await rankings.lookup(ranking_id, plan, [Lookup("player", name, 0) for name in ("mixed", "other")])
            assert answer is not None, kind
            points = [plan.decode(place.prefix, place.extra)["points"] for place in answer.found if place is not None]
            seen.append((kind, (int(points[0] or 0), int(points[1] or 0))))
            await asyncio.sleep(0)

    async def load() -> None:
        while not done.is_set():
            await harness.publish(*workload.take(20))
            await reader.step()

    async with harness.consuming(batch=100) as reader:
        await reader.drain()
        await catalog.start()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(read("redis", RedisRankings(harness.rankings)))
            tasks.create_task(read("postgres", PostgresRankings(harness.pool)))
            tasks.create_task(load())
            built = await harness.build(label="double")
            for number, turn in enumerate((lambda: swap(harness, built.generation_id), *(lambda: back(harness),) * 3)):
                await turn()
                expected = (200, 200) if number % 2 == 0 else (100, 100)
                await eventually(lambda expected=expected: {seen[-1][1], seen[-2][1]} == {expected})
            done.set()
        assert {points for _, points in seen} == {(100, 100), (200, 200)}
        assert {kind for kind, _ in seen} == {"redis", "postgres"}
        await catalog.stop()
        await reader.drain()
        await harness.assert_exact("arcade")
    statuses = [one.status for one in await generations.listed(harness.pool, "arcade")]
    assert statuses == ["live", "retired"]


@pytest.mark.parametrize("game", GAMES)
async def test_what_was_retired_catches_up_and_holds_what_was_live(harness: Harness, game: str) -> None:
    rules, bodies = GAMES[game](6)
    third = len(bodies) // 3
    await begun(harness, rules, bodies[:third])
    built = await harness.swap()
    async with harness.consuming(batch=40) as reader:
        await harness.publish(*bodies[third : 2 * third])
        await reader.drain()
        found = await harness.verify(generation=1)
        assert (found.differences, found.events < (await harness.verify()).events) == ([], True)
        await back(harness)
        assert differences(await held(harness, 1), await held(harness, built.generation_id)) == []
        await harness.publish(*bodies[2 * third :])
        await reader.drain()
        await harness.assert_exact("arcade")
        await back(harness)
        await harness.shown()
        await harness.assert_exact("arcade")
        assert differences(await held(harness, 1), await held(harness, built.generation_id)) == []


async def test_what_was_shown_stays_in_the_history_of_what_is_taken_back(harness: Harness) -> None:
    await begun(harness, RULES, [score("e1", "ann", 3)])
    shown = await harness.value("SELECT version FROM shards")
    await harness.swap()
    async with harness.consuming() as reader:
        await harness.publish(score("e2", "ann", 4))
        await reader.drain()
        await back(harness)
    query = (
        "SELECT h.from_version FROM standings_history h JOIN rankings r USING (ranking_id)"
        " WHERE generation_id = 1 AND board = 'total' AND player = 'ann'"
    )
    assert [row[0] for row in await harness.pool.fetch(query)] == [shown]


async def test_without_a_consumer_everything_goes_on_too(harness: Harness) -> None:
    workload = Workload(seed=32)
    await begun(harness, RULES, workload.take(200))
    built = await harness.build(label="trial")
    await swap(harness, built.generation_id)
    await harness.assert_rankings_agree()
    await back(harness)
    await harness.assert_rankings_agree()
    await drop(harness, built.generation_id)
    with pytest.raises(NotFound):
        await back(harness)
    async with harness.consuming() as reader:
        await harness.publish(*workload.take(100))
        await reader.drain()
    await workload.check(harness)
    await harness.assert_exact("arcade")


async def test_a_swap_of_one_game_leaves_the_other_alone(harness: Harness) -> None:
    workload, other = Workload(seed=33), Workload(seed=34, game="other")
    await harness.publish(ruleset(), ruleset(renamed("other"), game="other"), *workload.take(100), *other.take(100))
    async with harness.consuming(batch=50) as reader:
        await reader.drain()
        await harness.swap("other")
        await harness.publish(*workload.take(50), *other.take(50))
        await reader.drain()
        with pytest.raises(NotFound):
            await back(harness)
        with pytest.raises(NotFound):
            await swap(harness, await harness.value("SELECT live_generation FROM games WHERE name = 'other'"))
        await back(harness, "other")
        await reader.drain()
        await workload.check_scores(harness)
        await other.check_scores(harness)
        await harness.assert_exact()


async def test_a_drop_leaves_nothing_behind(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dropping, "ROWS", 7)
    await begun(harness, *GAMES["erasures"](7))
    await harness.swap()
    rankings = [row[0] for row in await harness.pool.fetch("SELECT ranking_id FROM rankings WHERE generation_id = 1")]
    assert rankings
    kept = await held(harness)
    with pytest.raises(Conflict, match="is live"):
        await drop(harness, 2)
    with pytest.raises(NotFound):
        await drop(harness, 3)
    await drop(harness, 1)
    assert not any((await anything_left(harness, 1)).values())
    for table in ("standings", "dues", "standings_history"):
        assert await harness.value(f"SELECT count(*) FROM {table} WHERE ranking_id = ANY ($1)", rankings) == 0
    for ranking_id in rankings:
        assert await harness.rankings.exists(*ranking_keys(ranking_id)) == 0
    assert await held(harness) == kept
    assert await status(harness, 1) == "dropped"
    with pytest.raises(NotFound):
        await swap(harness, 1)


async def test_a_drop_that_was_broken_off_is_finished_by_the_next(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await begun(harness, *GAMES["copies"](8))
    await harness.swap()
    await harness.swap()
    await harness.pool.execute("ALTER TABLE picks RENAME TO picks_away")
    with pytest.raises(Exception, match="picks"):
        await drop(harness, 1)
    await harness.pool.execute("ALTER TABLE picks_away RENAME TO picks")
    assert any((await anything_left(harness, 1)).values())
    await drop(harness, 2)
    assert not any((await anything_left(harness, 1)).values())
    await harness.assert_exact("arcade")


async def test_what_cannot_be_swapped(harness: Harness) -> None:
    await begun(harness, RULES, [score("e1", "ann", 3)])
    with pytest.raises(Conflict, match="is live"):
        await swap(harness, 1)
    await harness.build(label="bad")
    await generations.take_out(harness.pool, 0, 2, "it broke")
    with pytest.raises(Conflict, match="it broke"):
        await swap(harness, 2)
    with pytest.raises(NotFound):
        await generations.place_at(harness.pool, "arcade", Position(1, 0, 1, 0))


async def test_what_a_frozen_board_is_shown_from_is_not_dropped(harness: Harness) -> None:
    await begun(harness, RULES, [score("e1", "ann", 3), event("freeze", "cold", board="total")])
    await harness.swap()
    with pytest.raises(Conflict, match="thaw it first"):
        await drop(harness, 1)
    async with harness.consuming() as reader:
        await harness.publish(event("thaw", "warm", board="total"))
        await reader.drain()
    await drop(harness, 1)
