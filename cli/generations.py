"""`rankfold generations`: lists the builds of a game's boards, makes another one live, takes that back, drops one.

Also what `replay` and `rulesets apply` use to build one.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC
from typing import Annotated, Any

import asyncpg
import typer
import uvloop
from redis.asyncio import Redis

from cli import local
from cli.services import redis_client
from cli.settings import Settings
from cli.terminal import Meter, meter, out, plural, say, show_json, table
from projections import cold, generations
from projections.archive import Place
from projections.database import connect
from projections.generations import Built, Generation
from projections.memory import hold_long_lived_state

Game = Annotated[str, typer.Argument(help="The game.")]
Which = Annotated[str, typer.Argument(help="The generation: its number or its name.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def list_command(game: Game, as_json: AsJson = False) -> None:
    """List the generations of a game: which is live, which follow it, which are being built or were live before."""
    lines = [describe(one) for one in _run(lambda pool, _: generations.listed(pool, game))]
    if as_json:
        show_json({"game": game, "generations": lines})
        return
    rows = [[*list(line.values())[:-2], _progress(line)] for line in lines]
    columns = ["generation", "name", "rules", "status", "position", "built at (UTC)", "folded"]
    out().print(table(f"Generations of {game}", columns, rows, ["generation", "rules", "folded"]))
    for line in lines:
        if line["reason"]:
            say(f"generation {line['generation']}: {line['reason']}")


def swap_command(game: Game, generation: Which, as_json: AsJson = False) -> None:
    """Make another generation live, without a failed read. One that does not follow the log catches up first."""

    async def turn(pool: asyncpg.Pool, redis: Redis, progress: Meter) -> Built:
        one = await generations.find(pool, game, generation)
        return await generations.swap(pool, redis, game, one.generation_id, progress)

    show_built(game, _metered(turn), "is live", as_json)


def swap_back_command(game: Game, as_json: AsJson = False) -> None:
    """Make the generation live again that was live before."""

    async def turn(pool: asyncpg.Pool, redis: Redis, progress: Meter) -> Built:
        return await generations.swap_back(pool, redis, game, progress)

    show_built(game, _metered(turn), "is live again", as_json)


def drop_command(game: Game, generation: Which, as_json: AsJson = False) -> None:
    """Drop a generation that is not live, with all its rows and rankings."""

    async def dropped(pool: asyncpg.Pool, redis: Redis) -> int:
        one = await generations.find(pool, game, generation)
        await generations.drop(pool, redis, game, one.generation_id)
        return one.generation_id

    number = _run(dropped)
    if as_json:
        show_json({"game": game, "dropped": number})
        return
    typer.echo(f"{game}: generation {number} is dropped")


def build_game(
    found: Settings,
    game: str,
    *,
    version: int | None = None,
    to: generations.Part = "live",
    label: str | None = None,
    until: Place | None = None,
) -> Built:
    """Builds a generation under a version of the rules (None: the newest), or goes on with one that was broken off."""

    async def build(pool: asyncpg.Pool, redis: Redis, progress: Meter) -> Built:
        number = await generations.begin(pool, game, version=version, label=label)
        one = await generations.find(pool, game, str(number))
        if one.events:
            say(f"going on with generation {number}, of which {plural(one.events, 'event')} are folded")
        async with cold.brought_back(pool, found.cold_dir, game):
            if until is not None:
                return await generations.build_until(pool, number, until, progress)
            return await generations.build(pool, redis, number, progress, to=to)

    return _metered(build, found)


def describe(one: Generation) -> dict[str, Any]:
    """A generation, for programs."""
    return {
        "generation": one.generation_id,
        "name": one.name,
        "ruleset_version": one.ruleset_version,
        "status": one.status,
        "position": str(one.position),
        "created_at": one.created_at.astimezone(UTC).replace(microsecond=0),
        "progress": {"events": one.events, "total": one.total} if one.status == "building" else None,
        "reason": one.reason,
    }


def described(built: Built) -> dict[str, Any]:
    """What came out of a build, for programs."""
    return {
        "generation": built.generation_id,
        "events": built.events,
        "seconds": round(built.seconds, 3),
        "position": str(built.position),
    }


def show_built(game: str, built: Built, became: str, as_json: bool) -> None:
    """Says what came out of a build or a swap."""
    if as_json:
        show_json({"game": game, **described(built)})
        return
    folded = ""
    if built.events:
        rate = built.events / built.seconds if built.seconds else 0
        folded = f"{plural(built.events, 'event')} folded in {built.seconds:.1f} s ({rate:,.0f}/s); "
    typer.echo(f"{game}: {folded}generation {built.generation_id} {became}, at {built.position}")


def _progress(line: dict[str, Any]) -> str:
    progress = line["progress"]
    return "" if progress is None else f"{progress['events']:,} of {progress['total']:,}"


def _metered(call: Callable[[asyncpg.Pool, Redis, Meter], Awaitable[Built]], found: Settings | None = None) -> Built:
    hold_long_lived_state()
    with meter("building") as progress:
        built: Built = _run(lambda pool, redis: call(pool, redis, progress), found)
    return built


def _run(call: Callable[[asyncpg.Pool, Redis], Awaitable[Any]], found: Settings | None = None) -> Any:
    async def run() -> Any:
        async with _connected(found or local.load()) as (pool, redis):
            return await call(pool, redis)

    return uvloop.run(run())


@asynccontextmanager
async def _connected(found: Settings) -> AsyncIterator[tuple[asyncpg.Pool, Redis]]:
    pool = await connect(found.require_database(), size=4)
    redis = redis_client(found.require_rankings())
    try:
        yield pool, redis
    finally:
        await redis.aclose()
        await pool.close()
