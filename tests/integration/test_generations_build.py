"""Building a generation: broken off and killed anywhere it goes on from its last step, and comes to what is live."""

import pytest

from consumers.crash import BUILD_POINTS
from projections import archive, building, generations
from projections.names import ranking_keys
from schemas.errors import RankfoldError
from tests.harness import Harness, ruleset, silent
from tests.integration.generating import (
    GAMES,
    KILLED,
    BuildProcess,
    anything_left,
    begun,
    broken_build,
    differences,
    held,
    status,
)
from tests.workload import Workload

pytestmark = pytest.mark.services


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds in steps of about 25 events."""
    monkeypatch.setattr(archive, "CHUNK", 25)
    monkeypatch.setattr(building, "STEP_EVENTS", 1)
    monkeypatch.setattr(building, "TAIL_EVENTS_MAX", 10)


@pytest.mark.usefixtures("small_steps")
@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("seed", [1, 2])
async def test_a_build_that_is_broken_off_at_every_step_holds_what_is_live(
    harness: Harness, game: str, seed: int
) -> None:
    await begun(harness, *GAMES[game](seed))
    folded = []
    while len(folded) < 2 or folded[-1] > folded[-2]:
        await broken_build(harness, steps=1, to="live")
        folded.append(await harness.value("SELECT folded_events FROM generations WHERE generation_id = 2"))
    assert len(folded) >= 6
    await harness.swap()
    statuses = await harness.pool.fetch("SELECT status FROM generations ORDER BY generation_id")
    assert [row["status"] for row in statuses] == ["retired", "live"]
    assert differences(await held(harness, 2), await held(harness, 1)) == []
    await harness.assert_exact("arcade")


@pytest.mark.parametrize("point", BUILD_POINTS)
async def test_a_build_that_is_killed_goes_on(harness: Harness, point: str) -> None:
    workload = Workload(seed=BUILD_POINTS.index(point))
    await harness.publish(ruleset(), *workload.take(8_000))
    async with harness.consuming() as reader:
        await reader.drain()
        child = await BuildProcess.start(harness, "live", point)
        assert (await child.ended())[0] == KILLED
        await harness.publish(*workload.take(200))
        await reader.drain()
        before = await harness.verify()
        progress = await harness.value("SELECT folded_events FROM generations WHERE generation_id = 2")
        code, said = await (await BuildProcess.start(harness, "live")).ended()
        assert code == 0, said
        if point not in ("build_step", "build_in_transaction", "build_joined"):
            # Nothing of what was stored is folded again: what was built is one generation.
            assert progress >= 5_000
            assert await harness.value("SELECT count(*) FROM generations") == 2
        await harness.publish(*workload.take(100))
        await reader.drain()
    assert before.differences == []
    await workload.check(harness)
    await harness.assert_exact("arcade")


async def rankings(harness: Harness, generation: int) -> set[int]:
    """The ids of a generation's rankings."""
    rows = await harness.pool.fetch("SELECT ranking_id FROM rankings WHERE generation_id = $1", generation)
    return {row["ranking_id"] for row in rows}


async def not_shown(harness: Harness, generation: int) -> set[int]:
    """Those of them that are not in Redis."""
    ids = await rankings(harness, generation)
    return {ranking_id for ranking_id in ids if not await harness.rankings.exists(ranking_keys(ranking_id)[1])}


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("lost", [False, True], ids=["kept", "lost"])
async def test_rankings_that_are_built_beside_are_brought_up_to_date_when_they_are_shown(
    harness: Harness, game: str, lost: bool
) -> None:
    rules, events = GAMES[game](5)
    half = len(events) // 2
    await begun(harness, rules, events[:half])
    built = await building.Build.open(
        harness.pool, await generations.begin(harness.pool, "arcade"), silent, redis=harness.rankings
    )
    await built.catch_up()
    # Nothing is shown of what is built, be it committed or not, until somebody says so.
    assert await not_shown(harness, 2) == await rankings(harness, 2)
    async with harness.consuming(batch=40) as reader:
        for more in (events[half:-20], events[-20:-10]):
            await harness.publish(*more)
            await reader.drain()
            await built.catch_up()
            if lost:
                await harness.rankings.flushdb()
            await built.show()
            # Those that have not moved since are missed by whoever follows the log.
            missed = await not_shown(harness, 2)
            assert lost or not missed
            assert missed < await rankings(harness, 2)
            await harness.assert_rankings_agree_of(2, missed)
        await harness.publish(*events[-10:])
        await reader.drain()
    await generations.swap(harness.pool, harness.rankings, "arcade", 2, silent)
    await harness.assert_rankings_agree_of(2, set() if not lost else await not_shown(harness, 2))
    assert (await harness.verify()).differences == []


@pytest.mark.usefixtures("small_steps")
async def test_of_two_who_build_the_same_one_wins(harness: Harness) -> None:
    await begun(harness, *GAMES["corrections"](3))
    await broken_build(harness, steps=2, to="shadow")
    generation = await generations.begin(harness.pool, "arcade")
    assert generation == 2
    late = await building.Build.open(harness.pool, generation, silent)
    await generations.build(harness.pool, harness.rankings, generation, silent, to="shadow")
    with pytest.raises(RankfoldError, match="built by somebody else"):
        await late.catch_up()
    assert await status(harness, generation) == "shadow"
    found = await harness.verify(generation=generation)
    assert found.differences == []


@pytest.mark.usefixtures("small_steps")
async def test_a_build_that_was_broken_off_can_be_dropped(harness: Harness) -> None:
    await begun(harness, *GAMES["erasures"](3))
    before = await held(harness)
    await broken_build(harness, steps=3, to="live")
    assert any((await anything_left(harness, 2)).values())
    going_on = await building.Build.open(harness.pool, 2, silent)
    await generations.drop(harness.pool, harness.rankings, "arcade", 2)
    assert not any((await anything_left(harness, 2)).values())
    assert (
        await harness.value(
            "SELECT count(*) FROM standings WHERE NOT ranking_id = ANY (SELECT ranking_id FROM rankings)"
        )
        == 0
    )
    with pytest.raises(RankfoldError, match="dropped"):
        await going_on.catch_up()
    assert await held(harness) == before
    assert [one.generation_id for one in await generations.listed(harness.pool, "arcade")] == [1]


@pytest.mark.usefixtures("small_steps")
async def test_a_build_up_to_an_entry_stays_there(harness: Harness) -> None:
    await begun(harness, *GAMES["copies"](4))
    rows = await harness.pool.fetch("SELECT epoch, ms, seq FROM log WHERE verdict = 0 ORDER BY ms, seq")
    generation = await generations.begin(harness.pool, "arcade", label="half")
    until = tuple(rows[len(rows) // 2])
    built = await generations.build_until(harness.pool, generation, until, silent)
    assert built.position[0][2:] == until[1:]
    assert await status(harness, generation) == "retired"
    found = await harness.verify(generation=generation)
    assert (found.differences, found.events) == ([], len(rows) // 2 + 1)
    await generations.swap(harness.pool, harness.rankings, "arcade", generation, silent)
    assert differences(await held(harness, generation), await held(harness, 1)) == []
