"""`python -m tests.chaos`: publishes and reads for a while as processes are killed, then accounts for every event.

`--seconds` or CHAOS_SECONDS says how long (600 s), `--json` prints the report for programs.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
from redis.asyncio import Redis

from cli.embedded import Embedded, Services
from cli.stack import free_port
from projections.database import connect
from projections.migrate import migrate
from projections.names import stream_key
from tests.chaos.checking import account, until_applied
from tests.chaos.clients import GAME, RULES, HttpPublisher, Ledger, StreamPublisher, Watch, read
from tests.chaos.processes import Killer, Program
from tests.services import eventually

ZEROES = ("losses", "doubles", "strangers", "wrong_places", "replay_differences")
"""What has to be nothing."""

WORDS = ("examples", "last_words")


def main() -> int:
    """Returns the exit status: 1 when an event was lost or counted twice."""
    found = _arguments()
    with tempfile.TemporaryDirectory(prefix="rankfold-chaos-") as name:
        settings = {"shared_buffers": "64MB", "max_wal_size": "1GB"}
        with Embedded(Path(name) / "services", postgres_settings=settings, keep=False) as embedded:
            report = asyncio.run(chaos(embedded, Path(name), found.seconds, found.rate, found.seed))
    good = all(not report[key] for key in ZEROES)
    print(json.dumps(report) if found.json else _table(report))
    return 0 if good else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("CHAOS_SECONDS", "600")))
    parser.add_argument("--rate", type=float, default=200, help="events a second, half by HTTP and half by XADD")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 31), help="of what is killed when")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


async def chaos(embedded: Embedded, folder: Path, seconds: float, rate: float, seed: int) -> dict[str, Any]:
    """Runs it and returns the report."""
    services = embedded.services
    await migrate(services.database_url)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    programs = _programs(services, port, folder)
    ledger, reads = Ledger(), Watch()
    try:
        for program in programs:
            program.start()
        await _begin(services, url)
        chance = random.Random(seed)
        killer = Killer(embedded, programs, chance)
        publishers = [
            HttpPublisher(url, ledger, rate / 2, random.Random(seed + 1)),
            StreamPublisher(services.log_url, ledger, rate / 2, random.Random(seed + 2)),
        ]
        until = time.monotonic() + seconds
        reads = Watch()
        await asyncio.gather(
            killer.run(until), read(url, reads, until), *(publisher.run(until) for publisher in publishers)
        )
        killer.tend()
        await until_applied(services.log_url, services.rankings_url)
        pool = await connect(services.database_url)
        checked = await account(pool, url, ledger)
        await pool.close()
    finally:
        for program in programs:
            program.kill()
    return {
        "seed": seed,
        "seconds": seconds,
        "kills": killer.kills.total(),
        "killed": dict(sorted(killer.kills.items())),
        "paused": dict(sorted(killer.pauses.items())),
        "ended_by_themselves": dict(killer.ended_alone),
        "last_words": killer.last_words,
        "acknowledged": len(ledger.acknowledged),
        "doubtful": len(ledger.doubtful),
        "repeated": ledger.repeated,
        **checked,
        "reads": reads.successes,
        "reads_unavailable_s": round(reads.longest_s, 2),
        "http_writes_unavailable_s": round(publishers[0].watch.longest_s, 2),
        "xadd_writes_unavailable_s": round(publishers[1].watch.longest_s, 2),
    }


def _programs(services: Services, port: int, folder: Path) -> list[Program]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RANKFOLD_")}
    environment |= {
        "REDIS_LOG_URL": services.log_url,
        "REDIS_RANKINGS_URL": services.rankings_url,
        "DATABASE_URL": services.database_url,
        "RANKFOLD_PORT": str(port),
    }
    commands = {"consumer 1": ("consume",), "consumer 2": ("consume",), "api": ("serve",)}
    return [Program(name, command, environment, folder / f"{name}.log") for name, command in commands.items()]


async def _begin(services: Services, url: str) -> None:
    """Publishes the rules, and waits until the API knows the game."""
    rules = {"type": "ruleset", "id": "rules", "game": GAME, "version": 1, "text": RULES, "mode": "retroactive"}
    log: Redis = Redis.from_url(services.log_url)
    await log.xadd(stream_key(0), {"event": msgspec.json.encode(rules)})
    await log.aclose()
    first = Watch()

    async def known() -> bool:
        await read(url, first, time.monotonic() + 0.2)
        return bool(first.successes)

    await eventually(known, 60, "the API shows the game")


def _table(report: dict[str, Any]) -> str:
    lines = [f"{key.replace('_', ' '):<28}{value}" for key, value in report.items() if value or key not in WORDS]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
