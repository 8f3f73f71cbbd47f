"""A few seeds of the simulation. `make sim` runs more of them, `SIM_SEED=n make sim` one again."""

from pathlib import Path

import pytest

from tests.harness import Harness, running
from tests.simulation.rulesets import spread_texts, texts
from tests.simulation.world import World

pytestmark = [pytest.mark.services, pytest.mark.slow]


@pytest.mark.parametrize(("seed", "freezes"), [(0, False), (1, False), (2, False), (3, True), (4, True)])
async def test_live_equals_replay_equals_audit(harness: Harness, seed: int, freezes: bool) -> None:
    """All rulesets at once, with every fault; with `freezes` boards are frozen, thawed and closed as well."""
    world = World(harness, seed, texts(), freezes=freezes)
    try:
        await world.run(60)
    finally:
        await world.close()


@pytest.mark.parametrize(("seed", "freezes"), [(10, False), (11, False), (12, True)])
async def test_spread_games_are_their_parts_together(
    database_url: str, redis_log_url: str, redis_rankings_url: str, tmp_path: Path, seed: int, freezes: bool
) -> None:
    """Some games are spread over three shards, and some are not; shards are not reached, and builds break off."""
    spread = spread_texts()
    games = {
        name: spread.get(name, text) if number % 3 else text for number, (name, text) in enumerate(texts().items())
    }
    async with running(database_url, redis_log_url, redis_rankings_url, tmp_path, shards=3) as harness:
        world = World(harness, seed, games, total=3, freezes=freezes)
        try:
            await world.run(60)
        finally:
            await world.close()
