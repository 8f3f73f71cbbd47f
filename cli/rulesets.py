"""`rankfold rulesets`: checks a ruleset, puts it into a game's log, lists a game's versions."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import local
from cli.client import Api
from cli.generations import build_game, described
from cli.publish import retried, until_visible
from cli.settings import Settings
from cli.terminal import out, say, show_json, table
from engine.boards import BoardPlan
from engine.rules import compile_ruleset, ranked_by
from projections.database import connect, queries
from schemas.errors import NotFound
from schemas.language import Ruleset
from schemas.position import Vector
from schemas.ruleset import parse

Q = queries("reader")

File = Annotated[Path, typer.Argument(help="The ruleset (TOML).", exists=True, dir_okay=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def validate_command(file: File, as_json: AsJson = False) -> None:
    """Check a ruleset and show what it says. Names line, key and rule of what is wrong."""
    rules = parse(read(file))
    boards = compile_ruleset(rules).boards.values()
    if as_json:
        described = [
            {"board": plan.name, "ranked_by": ranked_by(plan), "ranks": plan.style, "periods": _periods(plan)}
            for plan in boards
        ]
        show_json({"game": rules.game, "boards": described})
        return
    rows = [[plan.name, ", ".join(ranked_by(plan)), plan.style, ", ".join(_periods(plan))] for plan in boards]
    out().print(table(f"{rules.game} is valid", ["board", "ranked by", "ranks", "periods"], rows))


def _periods(plan: BoardPlan) -> list[str]:
    """The kinds of periods of a board, and its windows."""
    return [*plan.period_kinds, *plan.windows]


def apply_command(
    file: File,
    swap: Annotated[
        bool, typer.Option("--swap", help="Rebuild the boards under it at once, if the game exists.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a ruleset the next version of its game's rules. The first version makes the game."""
    text = read(file)
    rules = parse(text)
    compile_ruleset(rules)
    found = local.load()
    version, live, is_new = asyncio.run(apply(found, rules, text))
    swapped = None
    if live is not None and version != live and swap:
        swapped = described(build_game(found, rules.game, version=version))
        live = version
    if as_json:
        show_json({"game": rules.game, "version": version, "new": is_new, "live": live or version, "swapped": swapped})
        return
    typer.echo(f"{rules.game}: this is version {version} of the rules" + ("" if is_new else " already"))
    if live is not None and version != live:
        say(f"the boards still show version {live}; rebuild them with: rankfold replay {rules.game} --swap")


def list_command(
    game: Annotated[str, typer.Argument(help="The game.")],
    as_json: AsJson = False,
) -> None:
    """List the versions of a game's rules. Reads the database."""
    live, versions = asyncio.run(_versions(local.load().require_database(), game))
    lines = [
        {
            "version": row["version"],
            "live": row["version"] == live,
            "mode": row["mode"],
            "recorded_at": datetime.fromtimestamp(row["recorded_ms"] // 1000, UTC),
            "position": row["position"],
            "boards": list(parse(row["text"]).boards),
        }
        for row in versions
    ]
    if as_json:
        show_json({"game": game, "versions": lines})
        return
    rows = [[*list(line.values())[:-1], ", ".join(line["boards"])] for line in lines]
    columns = ["version", "live", "mode", "recorded at (UTC)", "position", "boards"]
    out().print(table(f"Rules of {game}", columns, rows, ["version"]))


def read(file: Path) -> str:
    """A ruleset's text; bytes that are not UTF-8 become signs that TOML refuses."""
    return file.read_bytes().decode("utf-8", "replace")


async def apply(found: Settings, rules: Ruleset, text: str) -> tuple[int, int | None, bool]:
    """(version, version that is live or None for a new game, whether it was not there before)."""
    async with Api(found.url, found.key) as api:
        live = await _live_version(api, rules.game)
        answer = await retried(lambda: api.put_ruleset(rules.game, text))
        await until_visible(api, {rules.game: Vector.parse(answer["position"])})
        return answer["version"], live, answer["new"]


async def _live_version(api: Api, game: str) -> int | None:
    try:
        version: int = (await api.get("games", game))["ruleset_version"]
    except NotFound:
        return None
    return version


async def _versions(url: str, game: str) -> tuple[int, list[Any]]:
    """(the live version, all of them, oldest first); raises NotFound."""
    pool = await connect(url, size=1)
    try:
        for row in await pool.fetch(Q["catalog"]):
            if row["name"] == game:
                return row["ruleset_version"], await pool.fetch(Q["rulesets"], row["game_id"])
    finally:
        await pool.close()
    raise NotFound("game", game)
