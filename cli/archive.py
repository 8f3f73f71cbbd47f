"""`rankfold archive`: moves old months of the log's archive to files, and back."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import typer
import uvloop

from cli import local
from cli.services import redis_client
from cli.settings import Settings
from cli.terminal import out, plural, say, show_json, table
from projections import cold, coldfile
from projections.database import connect
from schemas.errors import InvalidInput, Problem

Folder = Annotated[
    Path | None,
    typer.Option("--dir", help="The folder of the files; RANKFOLD_COLD_DIR.", exists=True, file_okay=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def export_command(
    before: Annotated[datetime, typer.Option(help="Months that end before this day (UTC).", formats=["%Y-%m-%d"])],
    folder: Folder = None,
    drop: Annotated[bool, typer.Option("--drop", help="Then take them out of the database.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write old months of the archive to compressed JSON lines, and read them back. The newest month always stays."""
    found = local.load()
    place = _folder(found, folder)
    day = before.replace(tzinfo=UTC)
    if day > datetime.now(UTC):
        raise InvalidInput(Problem("--before", "a day that is past"))

    async def export(pool: asyncpg.Pool) -> list[coldfile.Manifest]:
        log = redis_client(found.require_log())
        try:
            made = await cold.export(pool, log, place, int(day.timestamp()) * 1000)
        finally:
            await log.aclose()
        for one in made if drop else ():
            await cold.drop(pool, place, one.name)
        return made

    made = uvloop.run(_with_pool(found, export))
    if as_json:
        show_json({"stretches": [_described(one) for one in made], "dropped": drop})
        return
    for one in made:
        after = ", and dropped from the database" if drop else ""
        say(f"{one.name}: {plural(one.entries, 'line')} written to {coldfile.file_of(place, one.name)}{after}")
    if not made:
        say("there is nothing to write")


def list_command(as_json: AsJson = False) -> None:
    """List the months that were written to files, and which of them the database no longer has."""

    found = uvloop.run(_with_pool(local.load(), cold.stretches))
    if as_json:
        show_json({"stretches": [{**one._asdict(), "sha256": one.sha256.hex()} for one in found]})
        return
    rows = [
        [one.name, f"{one.entries:,}", _day(one.exported_at), _day(one.dropped_at), one.sha256.hex()[:16]]
        for one in found
    ]
    out().print(table("The cold archive", ["stretch", "entries", "exported", "dropped", "sha256"], rows))


def verify_command(folder: Folder = None, as_json: AsJson = False) -> None:
    """Read every file and hold it to its manifest. Exit status 2 when one is damaged."""
    place = _folder(local.load(), folder)
    found = [coldfile.verified(place, one.name) for one in cold.listed(place)]
    if as_json:
        show_json({"stretches": [_described(one) for one in found]})
        return
    for one in found:
        say(f"{one.name}: {plural(one.entries, 'line')} of {plural(len(one.games), 'game')}, sound")


def restore_command(
    names: Annotated[list[str], typer.Argument(help="The stretches, such as log_2026_01.")], folder: Folder = None
) -> None:
    """Bring months that were dropped back into the database."""
    found = local.load()
    place = _folder(found, folder)

    async def restore(pool: asyncpg.Pool) -> list[coldfile.Manifest]:
        return [await cold.restore(pool, place, name) for name in names]

    for one in uvloop.run(_with_pool(found, restore)):
        say(f"{one.name}: {plural(one.entries, 'line')} back in the database")


def _folder(found: Settings, given: Path | None) -> Path:
    place = given or found.cold_dir
    if place is None:
        raise InvalidInput(Problem("--dir", "say in which folder the files are, or set RANKFOLD_COLD_DIR"))
    return place


async def _with_pool(found: Settings, work: Callable[[asyncpg.Pool], Awaitable[Any]]) -> Any:
    pool = await connect(found.require_database(), size=2)
    try:
        return await work(pool)
    finally:
        await pool.close()


def _described(one: coldfile.Manifest) -> dict[str, Any]:
    return {"name": one.name, "entries": one.entries, "games": one.games, "sha256": one.sha256}


def _day(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d}"
