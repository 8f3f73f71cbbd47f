"""`rankfold erase`: finishes the erasure of players in the archive, the dead letters and the stream."""

from typing import Annotated, Any

import typer
import uvloop

from cli import local
from cli.services import redis_client
from cli.settings import Settings
from cli.terminal import meter, plural, show_json
from projections import erasure
from projections.database import connect
from projections.memory import hold_long_lived_state


def erase_command(
    game: Annotated[
        str | None, typer.Argument(help="The game; by default every game that has something to do.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Rewrite what the archive says of players who were erased, and check that the boards still follow from it.

    An erasing event takes a player off the boards at once; run this at least daily, so that nothing else names him.
    """
    hold_long_lived_state()
    done = uvloop.run(_erase(local.load(), game))
    if as_json:
        show_json(
            {"games": [{"game": name, **found._asdict(), "seconds": round(found.seconds, 3)} for name, found in done]}
        )
        return
    for name, found in done:
        anew = ", and its boards were folded anew" if found.rebuilt else ""
        events = plural(found.events, "archived event")
        typer.echo(
            f"{name}: {plural(found.players, 'player')} erased, {events} rewritten in {found.seconds:.1f} s{anew}"
        )
    if not done:
        typer.echo("nobody waits to be erased")


async def _erase(found: Settings, game: str | None) -> list[tuple[str, Any]]:
    pool = await connect(found.require_database(), size=3)
    log, rankings = redis_client(found.require_log()), redis_client(found.require_rankings())
    try:
        names = await erasure.games_pending(pool) if game is None else [game]
        with meter("checking") as progress:
            return [
                (name, await erasure.erase(pool, log, rankings, name, progress, cold_dir=found.cold_dir))
                for name in names
            ]
    finally:
        await log.aclose()
        await rankings.aclose()
        await pool.close()
