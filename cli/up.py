"""`rankfold up`: everything in one command, until Ctrl-C."""

import asyncio
import os
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from cli import local, settings
from cli.local import Note
from cli.services import until_signal
from cli.settings import Settings
from cli.stack import require_free, running
from cli.terminal import say


def up_command(
    host: Annotated[str | None, typer.Option(help="The address of the API; RANKFOLD_HOST.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65_535, help="RANKFOLD_PORT.")] = None,
    data: Annotated[
        Path | None, typer.Option(help="Where the embedded services keep their data; RANKFOLD_DATA.")
    ] = None,
) -> None:
    """Run everything: Redis, PostgreSQL, a consumer and the API, until Ctrl-C.

    With REDIS_URL and DATABASE_URL set, those services are used and none is started. Data is kept between runs.
    """
    found = settings.load()
    found = replace(found, host=host or found.host, port=port or found.port, data=data or found.data)
    require_free(found.host, found.port)
    asyncio.run(_up(found))


async def _up(found: Settings) -> None:
    own = not found.external()
    say("starting Redis and PostgreSQL ..." if own else "using the services that the environment names ...")
    async with running(found, found.data, keep=True, log=None) as started:
        found.data.mkdir(parents=True, exist_ok=True)
        note = Note(
            os.getpid(),
            started.url,
            started.require_log(),
            started.require_rankings(),
            started.require_database(),
        )
        stopped = asyncio.create_task(until_signal())
        # It listens before anybody is told that there is something to stop.
        await asyncio.sleep(0)
        with local.announced(found.data, note):
            _say_ready(started, found.data if own else None, found.data)
            await stopped
            say("stopping ...")


def _say_ready(started: Settings, folder: Path | None, note: Path) -> None:
    say("\nRankfold is ready.", "bold green")
    say(f"  API        {started.url}")
    if folder is not None:
        say(f"  data       {folder.absolute()}")
        say(f"  log        {started.redis_log_url}")
        say(f"  rankings   {started.redis_rankings_url}")
        say(f"  database   {started.database_url}")
    # The other commands find it by the note in its folder, which they look for where they are run.
    say(f"  elsewhere  export RANKFOLD_DATA={shlex.quote(str(note.absolute()))}")
    say("Ctrl-C stops all of it.\n")
