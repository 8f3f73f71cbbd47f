"""A few seeds of the simulation. `make sim` runs more of them, `SIM_SEED=n make sim` one again."""

import pytest

from tests.harness import Harness
from tests.simulation.rulesets import texts
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
