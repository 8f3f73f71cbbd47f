"""A few seeds of the simulation. `make sim` runs more of them, `SIM_SEED=n make sim` one again."""

import pytest

from projections.database import queries
from projections.names import epoch_key
from tests.harness import Harness
from tests.simulation.rulesets import texts
from tests.simulation.world import World

pytestmark = [pytest.mark.services, pytest.mark.slow]


@pytest.mark.parametrize(
    ("seed", "freezes", "shards"), [(0, False, 1), (1, False, 2), (2, False, 1), (3, True, 1), (4, True, 3)]
)
async def test_live_equals_replay_equals_audit(harness: Harness, seed: int, freezes: bool, shards: int) -> None:
    """All rulesets at once, with every fault; with `freezes` boards are frozen, thawed and closed as well."""
    for shard in range(1, shards):
        await harness.pool.execute(queries("writer")["new_shard"], shard)
        await harness.log.set(epoch_key(shard), 1)
    world = World(harness, seed, texts(), total=shards, freezes=freezes)
    try:
        await world.run(60)
    finally:
        await world.close()
