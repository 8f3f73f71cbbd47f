"""What tests of generations share: games of all kinds, what a generation holds, builds that are broken off and killed."""

import asyncio
import os
import signal
import sys
from typing import Any

from projections import building, generations
from tests.harness import ROOT, Harness, ruleset, silent
from tests.integration import test_copies, test_corrections, test_erasure

Bodies = list[dict[str, Any]]


class BrokenOffError(Exception):
    """A build was broken off on purpose."""


def erasures(seed: int) -> tuple[str, Bodies]:
    """Everything that a log may hold, with badges, movement, segments, missing picks, and players who are erased."""
    season = test_erasure.Season(seed)
    return test_erasure.RULES, season.fixtures() + season.take(240, "active", "hidden", "banned", "erased")


def copies(seed: int) -> tuple[str, Bodies]:
    """Movement, segments by players' attributes, head-to-head and lots."""
    return test_copies.RULES, test_copies.some_events(seed, 160)


def corrections(seed: int) -> tuple[str, Bodies]:
    """Scores, results and picks that are voided and count again."""
    events = test_corrections.said(seed, 200)
    mended, _ = test_corrections.corrections(seed, events, 60)
    mixed = events[:120] + mended[:30] + events[120:] + mended[30:]
    return test_corrections.RULES, test_corrections.plans() + mixed


GAMES = {"erasures": erasures, "copies": copies, "corrections": corrections}

_OF_GENERATION = {
    "picks": "fixture, player, market, epoch, ms, seq, event, choice, stake",
    "rejections": "epoch, shard, ms, seq, event, player, field, reason",
    "fixtures": "fixture, revision, round, starts_ms, state",
    "players": "player, name, attributes, status, joined_ms",
    "badges": "board, period, player, badge, epoch, shard, ms, seq, occurred_ms",
    "voids": "event",
    "closes": "board, period, epoch, shard, ms, seq",
}
_OF_RANKING = {
    "standings": "player, prefix, extra, state, hidden",
    "dues": "player, due",
}


async def held(harness: Harness, generation: int | None = None) -> dict[str, list[tuple[Any, ...]]]:
    """What a generation of the game (None: the live one) holds, apart from numbers that are its own."""
    if generation is None:
        generation = await harness.value("SELECT live_generation FROM games WHERE name = 'arcade'")
    found: dict[str, list[tuple[Any, ...]]] = {}
    for table, names in _OF_GENERATION.items():
        rows = await harness.pool.fetch(f"SELECT {names} FROM {table} WHERE generation_id = $1", generation)
        found[table] = sorted(map(tuple, rows), key=repr)
    for table, names in _OF_RANKING.items():
        query = f"SELECT board, period, segment, {names} FROM rankings JOIN {table} USING (ranking_id)"
        # A row without a state and a place says nothing.
        says = " AND (state <> '' OR coalesce(prefix, hidden) IS NOT NULL)" if table == "standings" else ""
        rows = await harness.pool.fetch(f"{query} WHERE generation_id = $1{says}", generation)
        found[table] = sorted(map(tuple, rows), key=repr)
    return found


def differences(one: dict[str, list[tuple[Any, ...]]], other: dict[str, list[tuple[Any, ...]]]) -> list[Any]:
    """The lines that only one of two generations holds, each with its table."""
    return [
        (table, side, line)
        for table in one
        for side, (lines, others) in enumerate(((one[table], other[table]), (other[table], one[table])))
        for line in lines
        if line not in others
    ]


async def anything_left(harness: Harness, generation: int) -> dict[str, int]:
    """How many rows each table holds of a generation, but for the generation itself."""
    found = {}
    for table in (*_OF_GENERATION, "rankings"):
        found[table] = await harness.value(f"SELECT count(*) FROM {table} WHERE generation_id = $1", generation)
    return found


async def status(harness: Harness, generation: int) -> str:
    """The status of a generation."""
    found: str = await harness.value("SELECT status FROM generations WHERE generation_id = $1", generation)
    return found


async def begun(harness: Harness, rules: str, bodies: Bodies) -> None:
    """The game with these events, folded by a consumer that has stopped."""
    await harness.publish(ruleset(rules), *bodies)
    async with harness.consuming(batch=40) as reader:
        await reader.drain()


async def broken_build(harness: Harness, *, steps: int, to: generations.Part, label: str | None = None) -> int:
    """Begins or goes on with a build, and breaks it off behind its so many-th step; returns how many it took."""
    taken = 0

    def crash(point: str) -> None:
        nonlocal taken
        taken += point == "build_saved"
        if taken == steps:
            raise BrokenOffError

    generation = await generations.begin(harness.pool, "arcade", label=label)
    try:
        await generations.build(harness.pool, harness.rankings, generation, silent, to=to, crash=crash)
    except BrokenOffError:
        return taken
    return 0


class BuildProcess:
    """A process that builds a generation of the game in small steps, and may be killed at a named point."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, harness: Harness, to: generations.Part, crash_at: str | None = None) -> "BuildProcess":
        """Starts to build, or goes on."""
        arguments = [harness.database_url, harness.rankings_url, to, crash_at or ""]
        module = [sys.executable, "-m", "tests.integration.generating"]
        output = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *module, *arguments, cwd=ROOT, env={**os.environ}, stdout=output, stderr=asyncio.subprocess.STDOUT
        )
        return cls(process)

    async def ended(self) -> tuple[int, str]:
        """The exit status, or the negative number of the signal that killed it, and what it said."""
        said, _ = await self._process.communicate()
        assert self._process.returncode is not None
        return self._process.returncode, said.decode()


async def _main(database_url: str, rankings_url: str, to: str, crash_at: str) -> None:
    from redis.asyncio import Redis

    from consumers.crash import BUILD_POINTS, Crash
    from projections.database import connect

    building.STEP_EVENTS = 1
    building.TAIL_EVENTS_MAX = 20
    pool, redis = await connect(database_url), Redis.from_url(rankings_url)
    generation = await generations.begin(pool, "arcade")
    crash = Crash(crash_at or None, BUILD_POINTS)
    part: generations.Part = "live" if to == "live" else "shadow"
    await generations.build(pool, redis, generation, silent, to=part, crash=crash)
    await redis.aclose()
    await pool.close()


KILLED = -signal.SIGKILL

if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
