"""Erasing players where there are several generations: none names them any more, and those that follow stay exact."""

import pytest

from projections import generations
from tests.harness import Harness, ruleset
from tests.integration.generating import differences, held, status
from tests.integration.test_erasure import RULES, Season, erased, everything, finish, names_zoe

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
