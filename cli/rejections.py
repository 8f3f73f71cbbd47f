"""`rankfold rejections`: what is in a game's log and does not count, and why."""

from datetime import datetime
from typing import Annotated

import typer
from rich.text import Text

from cli.reads import PAGE_MAX, AsJson, Game, MinPosition, fetch
from cli.terminal import out, show_json, table


def rejections_command(
    game: Game,
    player: Annotated[str | None, typer.Option(help="Only those of this player.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=PAGE_MAX, help="How many lines.")] = 20,
    after: Annotated[str | None, typer.Option(help="Go on behind a page: the position that it ended with.")] = None,
    min_position: MinPosition = None,
    as_json: AsJson = False,
) -> None:
    """Show events that do not count, and why, newest first: late picks, unknown fixtures, conflicting results."""
    path = ("games", game, "rejections")
    answer = fetch(*path, player=player, limit=limit, after=after, min_position=min_position)
    if as_json:
        show_json(answer)
        return
    rows = [
        [datetime.fromisoformat(line["recorded_at"]), line["player"], line["event"], line["field"], line["reason"]]
        for line in answer["rejections"]
    ]
    if not rows:
        out().print(Text("0 rejections"))
        return
    title = f"Does not count · {game}"
    out().print(table(title, ["recorded (UTC)", "player", "event", "field", "reason"], rows))
    if answer["next"] is not None:
        out().print(Text(f"more with --after {answer['next']}", style="dim"))
