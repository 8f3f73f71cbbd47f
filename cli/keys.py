"""`rankfold keys`: make API keys, list them, revoke them. The API asks for them when RANKFOLD_AUTH is `keys`."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar

import asyncpg
import typer

from cli import local
from cli.terminal import out, plural, say, show_json, table
from projections import keys
from projections.database import connect
from projections.keys import SCOPES, Key, Scope
from schemas.checks import NAME_RULE, good_name
from schemas.errors import InvalidInput, Problem

LABEL_CHARS_MAX = 200
DAYS_MAX = 36_500
T = TypeVar("T")
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def create_command(
    scopes: Annotated[list[str], typer.Option("--scope", help="read, publish, officiate or admin; may be repeated.")],
    game: Annotated[str | None, typer.Option(help="The game that it is for; it need not exist yet.")] = None,
    all_games: Annotated[bool, typer.Option("--all-games", help="For every game instead.")] = False,
    label: Annotated[str, typer.Option(help="Who will have it, for the list.")] = "",
    days: Annotated[int | None, typer.Option(min=1, max=DAYS_MAX, help="Expire after so many days.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key, and show its token this one time.

    read: private boards and rejections. publish: scores and picks. officiate: fixtures, results, corrections, freezes.
    admin: rulesets, players, and all the others. Any number of keys hold at once: to change one, make the next one, and
    revoke the old one when nobody uses it any more.
    """
    _check(scopes, game, all_games, label)
    expires_at = None if days is None else datetime.now(UTC) + timedelta(days=days)
    wanted: list[Scope] = [scope for scope in SCOPES if scope in scopes]
    key, token = _with_pool(lambda pool: keys.create(pool, game, wanted, label, expires_at))
    if as_json:
        show_json({**_line(key), "token": token})
        return
    say(f"key {key.key_id} for {key.game or 'all games'}: {', '.join(wanted)}. It is shown only now:")
    typer.echo(token)


def list_command(
    game: Annotated[str | None, typer.Option(help="Only those that hold for this game.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that were revoked.")] = False,
    as_json: AsJson = False,
) -> None:
    """List keys, oldest first. Tokens are not stored, and so not shown."""
    found = [_line(key) for key in _with_pool(lambda pool: keys.list_(pool, game, every=every))]
    if as_json:
        show_json({"keys": found})
        return
    rows = [[*list(line.values())[:2], ", ".join(line["scopes"]), *list(line.values())[3:]] for line in found]
    columns = ["key", "game", "scopes", "label", "created (UTC)", "expires", "revoked"]
    out().print(table(plural(len(found), "key"), columns, rows))


def revoke_command(
    key: Annotated[str, typer.Argument(help="The key's id, as `rankfold keys list` shows it.")], as_json: AsJson = False
) -> None:
    """Revoke a key for good. API processes follow within seconds."""
    revoked = _with_pool(lambda pool: keys.revoke(pool, key))
    if as_json:
        show_json(_line(revoked))
    else:
        typer.echo(f"key {revoked.key_id} is revoked")


def _check(scopes: list[str], game: str | None, all_games: bool, label: str) -> None:
    problems = [
        Problem("--scope", f"{', '.join(SCOPES)}, not {scope[:80]!r}") for scope in scopes if scope not in SCOPES
    ]
    if (game is None) != all_games:
        problems.append(Problem("--game", "name a game, or say --all-games"))
    elif game is not None and not good_name(game):
        problems.append(Problem("--game", NAME_RULE))
    if len(label) > LABEL_CHARS_MAX:
        problems.append(Problem("--label", f"at most {LABEL_CHARS_MAX} characters"))
    if problems:
        raise InvalidInput(*problems)


def _line(key: Key) -> dict[str, Any]:
    return {
        "key": key.key_id,
        "game": key.game or "(all)",
        "scopes": [scope for scope in SCOPES if scope in key.scopes],
        "label": key.label,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
    }


def _with_pool(call: Callable[[asyncpg.Pool], Awaitable[T]]) -> T:
    async def run() -> T:
        pool = await connect(local.load().require_database(), size=1)
        try:
            return await call(pool)
        finally:
            await pool.close()

    return asyncio.run(run())
