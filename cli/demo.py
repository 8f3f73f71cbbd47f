"""`rankfold demo`: a whole Rankfold in a folder that is thrown away, and something to watch in it.

It goes through the public doors only: events over HTTP, boards over HTTP. What it plays comes from the programs in
`examples/`, which run as processes of their own.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from cli import demo_arcade, demo_f1, settings
from cli.settings import Settings
from cli.stack import free_port, is_free, running
from cli.supervisor import ROOT
from cli.terminal import out, safe_lines, say
from schemas.errors import Unavailable

SECONDS_WATCHED = 60.0
SECONDS_UNWATCHED = 10.0
LOG_LINES_SHOWN = 20


def demo_command(
    seconds: Annotated[
        float | None,
        typer.Option(
            min=0, help=f"How long the arcade plays; {SECONDS_WATCHED:g} on a terminal, else {SECONDS_UNWATCHED:g}."
        ),
    ] = None,
    season: Annotated[str | None, typer.Option(help="Formula 1: which season; the newest by default.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65_535, help="The API's; a free one by default.")] = None,
) -> None:
    """Watch ranks move: servers, consumer and API in a temporary folder, fed with events while you look.

    With RANKFOLD_CORPORA set to a folder that has f1/, a Formula 1 season is played, and the standings that come back
    are compared with the official ones. Otherwise it is an arcade with players made up from a seed.
    """
    if not (ROOT / "examples").is_dir():
        raise Unavailable("the demo plays what is in examples/, which only a checkout of the project has")
    found = settings.load()
    # Whatever servers the environment names: a demo does not write into them.
    found = replace(
        found, redis_log_url=None, redis_rankings_url=None, database_url=None, host="127.0.0.1", auth="open"
    )
    found = replace(found, port=port or (found.port if is_free("127.0.0.1", found.port) else free_port()))
    asyncio.run(_demo(found, seconds, season))


async def _demo(found: Settings, seconds: float | None, season: str | None) -> None:
    async with _temporary(found) as started:
        if found.corpora is not None and (found.corpora / "f1").is_dir():
            await demo_f1.play(started, found.corpora / "f1", season)
            return
        watched = out().is_terminal
        await demo_arcade.play(started, seconds or (SECONDS_WATCHED if watched else SECONDS_UNWATCHED))


@asynccontextmanager
async def _temporary(found: Settings) -> AsyncIterator[Settings]:
    """A stack in a folder of its own; when a part of it fails, its last messages are shown."""
    with tempfile.TemporaryDirectory(prefix="rankfold-demo-", ignore_cleanup_errors=True) as folder:
        log = Path(folder) / "processes.log"
        say("starting Redis, PostgreSQL, a consumer and the API in a temporary folder ...")
        with log.open("wb") as file:
            try:
                async with running(found, Path(folder) / "data", keep=False, log=file) as started:
                    say(f"the API answers at {started.url}")
                    yield started
            except Unavailable:
                tail = log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
                say(safe_lines("\n".join(tail)), "dim")
                raise
