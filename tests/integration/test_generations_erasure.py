"""Erasing players where there are several generations: none names them any more, and those that follow stay exact."""

import pytest

from projections import generations
from projections.building import Build
from projections.names import ranking_keys
from schemas.errors import RankfoldError
from tests.harness import Harness, ruleset, score, silent
from tests.integration.generating import differences, held, status
from tests.integration.test_erasure import RULES, ZOE, Season, erased, everything, finish, names_zoe

pytestmark = pytest.mark.services


async def test_erasing_reaches_shadows_and_drops_what_does_not_follow(harness: Harness) -> None:
    season = Season(21)
    await harness.publish(ruleset(RULES), *season.fixtures(), *season.take(150, "active", "hidden"))
    async with harness.consuming(batch=40) as reader:
        await reader.drain()
        live = (await harness.swap()).generation_id
        unfinished = await generations.begin(harness.pool, "arcade", label="never done")
        shadow = (await harness.build(label="trial")).generation_id
        await harness.publish(*season.take(80, "active", "banned"))
        await reader.drain()
        await erased(harness, reader)
        assert differences(await held(harness, shadow), await held(harness, live)) == []
        await finish(harness)
        await harness.shown()
        assert not names_zoe(await everything(harness))
        for gone in (1, unfinished):
            assert await status(harness, gone) == "dropped"
        await harness.publish(*season.take(60))
        await reader.drain()
        await harness.assert_exact("arcade")
        followers = {one.name: one for one in await generations.listed(harness.pool, "arcade")}
        assert followers["trial"].status == "shadow"
        assert (await harness.verify(generation=followers["trial"].generation_id)).differences == []


async def test_a_build_shows_nothing_of_what_was_dropped_meanwhile(harness: Harness) -> None:
    """It had stored its rows, and was about to put its rankings in their place."""
    season = Season(22)
    await harness.publish(ruleset(RULES), *season.fixtures(), *season.take(100, "active"))
    async with harness.consuming(batch=40) as reader:
        await reader.drain()
        number = await generations.begin(harness.pool, "arcade")
        build = await Build.open(harness.pool, number, silent, redis=harness.rankings)
        await build.catch_up()
        rankings = [table.ranking_id for table in build.live.fold.tables.values()]
        await erased(harness, reader)
        await finish(harness)
        assert await status(harness, number) == "dropped"
        with pytest.raises(RankfoldError, match="was dropped"):
            await build.show()
        assert await harness.rankings.exists(*(key for one in rankings for key in ranking_keys(one))) == 0


async def test_what_readers_missed_of_a_dropped_generation_is_not_built_again(harness: Harness) -> None:
    """Its rows go in small steps, and some may still be there."""
    await harness.publish(ruleset(RULES), score("e1", ZOE, 9))
    async with harness.consuming() as reader:
        await reader.drain()
        first = await harness.value("SELECT live_generation FROM games")
        rankings = [row[0] for row in await harness.pool.fetch("SELECT ranking_id FROM rankings")]
        await harness.swap()
        await harness.pool.execute("UPDATE generations SET status = 'dropped' WHERE generation_id = $1", first)
        await harness.rankings.unlink(*(key for one in rankings for key in ranking_keys(one)))
        for one in rankings:
            await reader.publisher.rebuild(one)
        assert await harness.rankings.exists(*(key for one in rankings for key in ranking_keys(one))) == 0
