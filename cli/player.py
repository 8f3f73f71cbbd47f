"""`rankfold player`: a player's profile and his place on every board, over HTTP."""

from typing import Annotated, Any

import typer
from rich.text import Text

from cli.reads import PAGE_MAX, AsJson, Game, MinPosition, Player, fetch
from cli.tables import rank_text
from cli.terminal import out, safe, show_json, table


def player_command(
    game: Game,
    player: Player,
    board: Annotated[str | None, typer.Option(help="Only the places on this board.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=PAGE_MAX, help="How many places.")] = 20,
    after: Annotated[str | None, typer.Option(help="Go on behind a page: the cursor that it ended with.")] = None,
    min_position: MinPosition = None,
    as_json: AsJson = False,
) -> None:
    """Show a player: name, attributes, status, and his place on every board."""
    query = {"board": board, "limit": limit, "after": after, "min_position": min_position}
    answer = fetch("games", game, "players", player, **query)
    if as_json:
        show_json(answer)
        return
    console = out()
    console.print(Text(_about(answer)))
    if answer["places"]:
        rows = [_cells(place) for place in answer["places"]]
        console.print(table("Places", ["board", "period", "rank", "of", "metrics"], rows, ["rank", "of"]))
    else:
        console.print(Text("not ranked on any board", style="dim"))
    if answer["next"] is not None:
        console.print(Text(f"more with --after {answer['next']}", style="dim"))


def _about(answer: dict[str, Any]) -> str:
    name = f"{safe(answer['name'])} ({safe(answer['player'])})" if "name" in answer else safe(answer["player"])
    attributes = ", ".join(f"{safe(key)} {safe(str(value))}" for key, value in sorted(answer["attributes"].items()))
    return " · ".join(filter(None, (name, answer["status"], attributes)))


def _cells(place: dict[str, Any]) -> list[Any]:
    period = " · ".join(filter(None, (place["period"], place.get("segment"))))
    metrics = ", ".join(f"{name} {'-' if value is None else value}" for name, value in place["metrics"].items())
    return [place["board"], period, rank_text(place["rank"], place["tied"] > 1), place["total"], metrics]
