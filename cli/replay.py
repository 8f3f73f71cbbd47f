"""`rankfold replay`: folds a game's archive from nothing, to compare (`--verify`), to take its place (`--swap`), to follow
beside it (`--shadow`), or to look at (`--until`)."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.text import Text

from cli import local
from cli.failures import CheckFailedError
from cli.generations import build_game, show_built
from cli.rulesets import apply, read
from cli.settings import Settings
from cli.terminal import meter, out, plural, say, show_json, table
from cli.until import instant_of, number_of
from projections import cold, generations, replay
from projections.archive import Place
from projections.database import connect
from projections.memory import hold_long_lived_state
from projections.verifying import Difference
from projections.workers import Workers
from schemas.errors import InvalidInput, Problem
from schemas.position import Position
from schemas.ruleset import parse

DIFFERENCES_SHOWN_MAX = 20
PROCESSES = 4
UNTIL_RULE = "a position, an RFC 3339 time with its zone, or epoch milliseconds"


def replay_command(
    game: Annotated[str, typer.Argument(help="The game.")],
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare the boards with a fold of the archive; of the live generation.")
    ] = False,
    generation: Annotated[
        str | None, typer.Option("--generation", help="Verify this generation: its number or name.")
    ] = None,
    swap: Annotated[
        bool, typer.Option("--swap", help="Build the boards anew and switch to them, without a failed read.")
    ] = False,
    shadow: Annotated[
        str | None, typer.Option("--shadow", help="Build a generation of this name that follows beside the live one.")
    ] = None,
    rules: Annotated[
        Path | None,
        typer.Option("--rules", help="The ruleset to build under (TOML); put into the log first.", exists=True),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="Build up to this position or time (RFC 3339), to look at it.")
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option("--processes", help="So many fold to verify; by default one a core, at most 4.", min=1, max=64),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Fold a game's archive from nothing. Exit status 1 when boards differ from it.

    Builds take the newest version of the rules, and go on where they were broken off.
    """
    ways = swap + (shadow is not None) + (until is not None)
    if ways > 1 or not (ways or verify) or (verify and (swap or shadow is not None)):
        raise InvalidInput(Problem("", "say either --verify or --swap, or --shadow NAME, or --until POSITION"))
    if (rules is not None and not ways) or (generation is not None and ways):
        raise InvalidInput(Problem("", "--rules is for what is built, --generation for what is there"))
    found = local.load()
    if ways:
        version = None if rules is None else _apply_rules(found, game, rules)
        place = None if until is None else uvloop.run(_place(found, game, until))
        label = f"until {until}" if until is not None else shadow
        built = build_game(found, game, version=version, to="live" if swap else "shadow", label=label, until=place)
        became = "is live" if swap else f"follows as {shadow!r}" if shadow is not None else "is built"
        show_built(game, built, became, as_json and not verify)
        generation = str(built.generation_id)
    if verify:
        _verify_and_show(found, game, generation, processes or min(os.cpu_count() or 1, PROCESSES), as_json)


def _verify_and_show(found: Settings, game: str, generation: str | None, processes: int, as_json: bool) -> None:
    hold_long_lived_state()
    result = uvloop.run(_verify(found, game, generation, processes))
    _show_verified(game, result, "live" if generation is None else f"generation {generation}", as_json)
    if result.differences or result.live_digest != result.replayed_digest:
        raise CheckFailedError


async def _verify(found: Settings, game: str, generation: str | None, processes: int) -> replay.Verification:
    workers = Workers(found.require_database(), processes)
    pool = await connect(found.require_database(), size=2)
    try:
        number = None if generation is None else (await generations.find(pool, game, generation)).generation_id
        async with cold.brought_back(pool, found.cold_dir, game):
            with meter("replaying") as progress:
                return await replay.verify_all(pool, game, progress, generation_id=number, workers=workers)
    finally:
        await pool.close()


def _apply_rules(found: Settings, game: str, file: Path) -> int:
    """Puts a ruleset into the log, so that it explains the boards; returns its version."""
    text = read(file)
    rules = parse(text, game=game)
    version, _, is_new = asyncio.run(apply(found, rules, text))
    say(f"{game}: this is version {version} of the rules" + ("" if is_new else " already"))
    return version


async def _place(found: Settings, game: str, until: str) -> Place:
    pool = await connect(found.require_database(), size=1)
    try:
        return await generations.place_at(pool, game, _moment(until))
    finally:
        await pool.close()


def _moment(text: str) -> Position | int:
    """A position, or a time in epoch milliseconds."""
    number = number_of(text)
    return instant_of(text, UNTIL_RULE) if number is None else number


def _show_verified(game: str, result: replay.Verification, what: str, as_json: bool) -> None:
    same = result.live_digest == result.replayed_digest and not result.differences
    if as_json:
        differences = [line._asdict() for line in result.differences]
        head = {"game": game, "same": same, "events": result.events, "rows": result.rows}
        digests = {"live_digest": result.live_digest, "replayed_digest": result.replayed_digest}
        kinds = {"kinds": {kind.name: kind._asdict() for kind in result.kinds}}
        tail = {"position": str(result.position), "seconds": round(result.seconds, 3), "differences": differences}
        show_json({**head, **digests, **kinds, **tail})
        return
    rate = f"{result.events / result.seconds if result.seconds else 0:,.0f}/s"
    typer.echo(
        f"{game}: {plural(result.events, 'event')} folded in {result.seconds:.1f} s ({rate}), at {result.position}"
    )
    if same:
        typer.echo(f"{what} equals replay: {result.live_digest}, {plural(result.rows, 'row')}")
        if beside := ", ".join(f"{kind.name} {kind.rows:,}" for kind in result.kinds if kind.rows):
            typer.echo(f"and so do {beside}")
        return
    compared = [("standings", result.live_digest, result.replayed_digest)]
    compared += [(kind.name, kind.live_digest, kind.replayed_digest) for kind in result.kinds]
    for name, live, replayed in compared:
        if live != replayed:
            typer.echo(f"{what} differs from replay in its {name}: {live} and {replayed}")
    shown = result.differences[:DIFFERENCES_SHOWN_MAX]
    out().print(table("The first differences", _COLUMNS, [_cells(line) for line in shown]))
    if len(result.differences) > len(shown):
        out().print(Text(f"... and {len(result.differences) - len(shown):,} more", style="dim"))


_COLUMNS = ["kind", "where", "live", "replayed"]


def _cells(line: Difference) -> list[str]:
    where = (line.board, line.period, line.segment, line.player, line.key)
    return [line.kind, " · ".join(filter(None, where)), line.live, line.replayed]
