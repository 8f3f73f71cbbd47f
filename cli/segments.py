"""`rankfold segments`: which segments a board has."""

import asyncio
from typing import Annotated, Any

import typer

from cli import local
from cli.client import Api
from cli.terminal import out, show_json, table

PAGE = 1_000


def segments_command(
    game: Annotated[str, typer.Argument(help="The game.")],
    board: Annotated[str, typer.Argument(help="The board.")],
    period: Annotated[str | None, typer.Option(help="Only those that this period has.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=PAGE, help="How many lines.")] = 100,
    after: Annotated[str | None, typer.Option(help="Go on behind this segment.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the API's answer.")] = False,
) -> None:
    """List the segments of a board: its copies for single values of an attribute."""
    answer = asyncio.run(_ask(game, board, period, limit, after))
    if as_json:
        show_json(answer)
        return
    out().print(table(f"{game} · {board}", ["segment"], [[segment] for segment in answer["segments"]]))
    if answer["next"] is not None:
        out().print(f"more with --after {answer['next']!r}", style="dim")


async def _ask(game: str, board: str, period: str | None, limit: int, after: str | None) -> Any:
    found = local.load()
    async with Api(found.url, found.key) as api:
        return await api.get("games", game, "boards", board, "segments", period=period, limit=limit, after=after)
