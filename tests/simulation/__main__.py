"""`python -m tests.simulation`: seed after seed, until the time is over or something is not as it should be.

A seed says everything that chance decides; `SIM_SEED=n` or `--seed n` runs one again.
"""

import argparse
import asyncio
import logging
import os
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import structlog

from cli.embedded import Embedded, Services
from tests.harness import running
from tests.services import database, sql
from tests.simulation.judging import Discrepancy
from tests.simulation.rulesets import texts
from tests.simulation.world import World

POSTGRES = {"shared_buffers": "64MB", "max_wal_size": "1GB"}


def main() -> int:
    """Returns the exit status: 1 when there was a discrepancy."""
    found = _arguments()
    if not found.log:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    rulesets = texts()
    if found.ruleset is not None:
        rulesets = {found.ruleset: rulesets[found.ruleset]}
    seeds = [found.seed] if found.seed is not None else iter(lambda: random.randrange(1 << 31), None)
    happened: Counter[str] = Counter()
    runs = 0
    deadline = time.monotonic() + found.minutes * 60
    with tempfile.TemporaryDirectory(prefix="rankfold-sim-") as name, _services(Path(name)) as embedded:
        for seed in seeds:
            if not _run(embedded.services, Path(name), seed, rulesets, found.steps, happened):
                return 1
            runs += 1
            if time.monotonic() > deadline:
                break
    _summary(runs, happened)
    return 0


def _services(folder: Path) -> Embedded:
    return Embedded(folder / "services", postgres_settings=POSTGRES, keep=False)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    given = os.environ.get("SIM_SEED")
    parser.add_argument("--seed", type=int, default=int(given) if given else None, help="one seed only; or SIM_SEED")
    parser.add_argument("--steps", type=int, default=120, help="steps of each seed")
    parser.add_argument("--ruleset", help="the game of one ruleset instead of all of them", choices=sorted(texts()))
    parser.add_argument("--log", action="store_true", help="show what the consumers log")
    parser.add_argument("--minutes", type=float, default=3, help="no new seed is begun after so many minutes")
    return parser.parse_args()


def _run(
    services: Services,
    folder: Path,
    seed: int,
    rulesets: dict[str, str],
    steps: int,
    happened: Counter[str],
) -> bool:
    """Runs one seed on an empty database; False, with what went wrong and how to see it again, when it fails."""
    name = f"sim_{seed}"
    sql(services.database_url, f"CREATE DATABASE {name}")
    began = time.monotonic()
    try:
        events, counts = asyncio.run(_world(services, folder, name, seed, rulesets, steps))
    except Discrepancy as error:
        print(f"seed {seed} FAILED: {error}\nagain: SIM_SEED={seed} make sim", file=sys.stderr)
        return False
    finally:
        sql(services.database_url, f"DROP DATABASE {name} WITH (FORCE)")
    happened.update(counts)
    print(f"seed {seed}: {events} entries, {counts['settled']} settled, {time.monotonic() - began:.1f} s", flush=True)
    return True


async def _world(
    services: Services, folder: Path, name: str, seed: int, rulesets: dict[str, str], steps: int
) -> tuple[int, Counter[str]]:
    chance = random.Random(seed)
    total = chance.choice((1, 1, 2, 3))
    some = dict(chance.sample(sorted(rulesets.items()), min(len(rulesets), chance.choice((1, 2, 4, 10)))))
    url = database(services.database_url, name)
    async with running(url, services.log_url, services.rankings_url, folder, shards=total) as harness:
        world = World(harness, seed, some, total=total, freezes=chance.random() < 0.6)
        try:
            await world.run(steps)
        finally:
            await world.close()
            await harness.log.flushall()
            await harness.rankings.flushall()
        return world.events, world.done + world.faults.happened


def _summary(runs: int, happened: Counter[str]) -> None:
    print(f"\n{runs} seeds, no discrepancies. What happened:")
    for what, count in sorted(happened.items()):
        print(f"  {count:>8,}  {what}")


if __name__ == "__main__":
    sys.exit(main())
