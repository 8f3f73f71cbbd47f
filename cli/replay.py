"""`rankfold replay`: folds a game's archive from nothing, to compare (`--verify`) or to take its place (`--swap`)."""

from typing import Annotated, Any

import typer
import uvloop
from rich.text import Text

from cli import local
from cli.failures import CheckFailedError
from cli.services import redis_client
from cli.settings import Settings
from cli.terminal import meter, out, plural, show_json, table
from projections import generations, replay
from projections.database import connect
from projections.memory import hold_long_lived_state
from schemas.errors import InvalidInput, Problem

DIFFERENCES_SHOWN_MAX = 20


def replay_command(
    game: Annotated[str, typer.Argument(help="The game.")],
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare the live boards with a fold of the archive.")
    ] = False,
    swap: Annotated[
        bool, typer.Option("--swap", help="Build the boards anew and switch to them, without a failed read.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Fold a game's archive from nothing. Exit status 1 when the live boards differ from it.

    A swap takes the newest version of the rules.
    """
    if verify == swap:
        raise InvalidInput(Problem("", "say either --verify or --swap"))
    found = local.load()
    if swap:
        _show_swapped(game, swap_game(found, game, None), as_json)
        return
    hold_long_lived_state()
    result = uvloop.run(_verify(found, game))
    _show_verified(game, result, as_json)
    if result.differences or result.live_digest != result.replayed_digest:
        raise CheckFailedError


async def _verify(found: Settings, game: str) -> replay.Verification:
    pool = await connect(found.require_database(), size=2)
    try:
        with meter("replaying") as progress:
            return await replay.verify(pool, game, progress)
    finally:
        await pool.close()


def swap_game(found: Settings, game: str, version: int | None) -> dict[str, Any]:
    """Rebuilds a game's boards under a version of its rules (None: the newest); what came out, for programs."""
    hold_long_lived_state()
    swapped = uvloop.run(_swap(found, game, version))
    return {
        "generation": swapped.generation_id,
        "events": swapped.events,
        "seconds": round(swapped.seconds, 3),
        "position": str(swapped.position),
    }


async def _swap(found: Settings, game: str, version: int | None) -> generations.Built:
    pool = await connect(found.require_database(), size=4)
    rankings = redis_client(found.require_rankings())
    try:
        with meter("rebuilding") as progress:
            generation = await generations.begin(pool, game, version=version)
            return await generations.build(pool, rankings, generation, progress, to="live")
    finally:
        await rankings.aclose()
        await pool.close()


def _show_swapped(game: str, result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show_json({"game": game, **result})
        return
    typer.echo(
        f"{game}: {plural(result['events'], 'event')} folded in {result['seconds']:.1f} s "
        f"({_rate(result['events'], result['seconds'])}); generation {result['generation']} is live, "
        f"at {result['position']}"
    )


def _show_verified(game: str, result: replay.Verification, as_json: bool) -> None:
    same = result.live_digest == result.replayed_digest and not result.differences
    if as_json:
        differences = [dict(zip(_COLUMNS, _cells(line), strict=True)) for line in result.differences]
        head = {"game": game, "same": same, "events": result.events, "rows": result.rows}
        digests = {"live_digest": result.live_digest, "replayed_digest": result.replayed_digest}
        tail = {"position": str(result.position), "seconds": round(result.seconds, 3), "differences": differences}
        show_json({**head, **digests, **tail})
        return
    rate = _rate(result.events, result.seconds)
    typer.echo(
        f"{game}: {plural(result.events, 'event')} folded in {result.seconds:.1f} s ({rate}), at {result.position}"
    )
    if same:
        typer.echo(f"live equals replay: {result.live_digest}, {plural(result.rows, 'row')}")
        return
    typer.echo(f"live {result.live_digest} differs from replay {result.replayed_digest}")
    shown = result.differences[:DIFFERENCES_SHOWN_MAX]
    out().print(table("The first differences", _COLUMNS, [_cells(line) for line in shown]))
    if len(result.differences) > len(shown):
        out().print(Text(f"... and {len(result.differences) - len(shown):,} more", style="dim"))


_COLUMNS = ["board", "period", "player", "live", "replayed"]


def _cells(line: replay.Difference) -> list[str]:
    return [line.board, line.period, line.player, line.live, line.replayed]


def _rate(events: int, seconds: float) -> str:
    return f"{events / seconds if seconds else 0:,.0f}/s"
