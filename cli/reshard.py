"""`rankfold reshard`: changes the number of shards while everything runs."""

import asyncio
from typing import Annotated

import typer

from cli import local
from cli.services import redis_client
from cli.settings import SHARDS_MAX, Settings
from cli.terminal import meter, plural, show_json
from consumers.crash import RESHARD_POINTS, Crash
from projections.database import connect
from projections.reshard import Resharded, reshard


def reshard_command(
    shards: Annotated[int, typer.Argument(help="How many shards the log shall have.", min=1, max=SHARDS_MAX)],
    timeout: Annotated[int, typer.Option(min=1, max=86_400, help="Seconds to wait until everything is archived.")] = 60,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Change the number of shards: begin a new epoch of the log. Run it again when it was broken off.

    Consumers go on running; publishing over HTTP gets 503 for some seconds. Programs that write to the streams
    themselves have to pause, and to look up where their games live afterwards.
    """
    result = asyncio.run(_reshard(local.load(), shards, timeout))
    if as_json:
        show_json(result._asdict())
        return
    state = "began" if result.began else "holds"
    moved = plural(result.moved, "game")
    typer.echo(
        f"epoch {result.epoch} {state} with {plural(result.shards, 'shard')}; {moved} moved in {result.seconds:.1f} s"
    )


async def _reshard(found: Settings, shards: int, timeout_s: int) -> Resharded:
    pool = await connect(found.require_database(), size=2)
    log = redis_client(found.require_log())
    try:
        with meter("shards archived") as progress:
            crash = Crash(found.crash_at, RESHARD_POINTS)
            return await reshard(pool, log, shards, progress, timeout_s=timeout_s, crash=crash)
    finally:
        await log.aclose()
        await pool.close()
