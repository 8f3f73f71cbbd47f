"""`rankfold dead-letters`: what could not be folded, why, and another try once the reason is gone."""

import asyncio
from typing import Annotated, Any

import asyncpg
import typer

from api.dead_letters import ID_MAX
from cli import local
from cli.services import redis_client
from cli.settings import Settings
from cli.terminal import out, plural, show_json, table
from projections import dead_letters
from projections.database import connect
from projections.dead_letters import DeadLetter
from schemas.errors import InvalidInput, Problem

BODY_CHARS_SHOWN_MAX = 60
PAGE = 1_000

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def list_command(
    game: Annotated[str | None, typer.Option(help="Only those of this game.")] = None,
    after: Annotated[int, typer.Option(min=0, max=ID_MAX, help="Only those behind this number.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=PAGE, help="How many.")] = 50,
    every: Annotated[bool, typer.Option("--all", help="Also those that were retried.")] = False,
    as_json: AsJson = False,
) -> None:
    """List entries of the log that could not be folded, oldest first."""
    found = asyncio.run(_list(local.load(), game, after, limit, every))
    lines = [_line(letter) for letter in found]
    if as_json:
        show_json({"dead_letters": lines})
        return
    rows = [[*list(line.values())[:-1], _short(line["body"])] for line in lines]
    columns = ["number", "game", "position", "field", "reason", "status", "recorded (UTC)", "body"]
    out().print(table(plural(len(lines), "dead letter"), columns, rows, ["number"]))


def retry_command(
    numbers: Annotated[list[int] | None, typer.Argument(min=1, max=ID_MAX, help="Their numbers.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All that are open.")] = False,
    game: Annotated[str | None, typer.Option(help="With --all: only those of this game.")] = None,
    as_json: AsJson = False,
) -> None:
    """Append dead letters to the log again. Do it when their reason is gone, such as a ruleset that was missing."""
    if bool(numbers) == every:
        raise InvalidInput(Problem("", "name dead letters by their numbers, or say --all"))
    retried = asyncio.run(_retry(local.load(), numbers, game))
    if as_json:
        show_json({"retried": retried})
    else:
        typer.echo(f"{plural(retried, 'dead letter')} appended to the log again")


def _line(letter: DeadLetter) -> dict[str, Any]:
    return {
        "number": letter.id,
        "game": letter.game,
        "position": str(letter.position),
        "field": letter.field,
        "reason": letter.reason,
        "status": letter.status,
        "recorded_at": letter.created_at,
        "body": letter.body.decode("utf-8", "backslashreplace"),
    }


def _short(body: str) -> str:
    return body if len(body) <= BODY_CHARS_SHOWN_MAX else body[: BODY_CHARS_SHOWN_MAX - 1] + "…"


async def _list(found: Settings, game: str | None, after: int, limit: int, every: bool) -> list[DeadLetter]:
    pool = await connect(found.require_database(), size=1)
    try:
        return await dead_letters.list_(pool, game, after, limit, None if every else "open")
    finally:
        await pool.close()


async def _retry(found: Settings, numbers: list[int] | None, game: str | None) -> int:
    pool = await connect(found.require_database(), size=1)
    log = redis_client(found.require_log())
    try:
        # All numbers first: what fails again comes back with a new one, and must not be taken again.
        chosen = numbers or [letter.id for letter in await _every(pool, game)]
        retried = 0
        for start in range(0, len(chosen), PAGE):
            retried += len(await dead_letters.retry(pool, log, chosen[start : start + PAGE]))
        return retried
    finally:
        await log.aclose()
        await pool.close()


async def _every(pool: asyncpg.Pool, game: str | None) -> list[DeadLetter]:
    found: list[DeadLetter] = []
    while page := await dead_letters.list_(pool, game, found[-1].id if found else 0, PAGE):
        found += page
    return found
