"""A few seeds of the simulation. `make sim` runs more of them, `SIM_SEED=n make sim` one again."""

import pytest

from tests.harness import Harness
from tests.simulation.rulesets import texts
from tests.simulation.world import World

pytestmark = [pytest.mark.services, pytest.mark.slow]


@pytest.mark.parametrize("seed", range(3))
async def test_live_equals_replay_equals_audit(harness: Harness, seed: int) -> None:
    """All rulesets at once, with every fault."""
    world = World(harness, seed, texts())
    try:
        await world.run(60)
    finally:
        await world.close()
