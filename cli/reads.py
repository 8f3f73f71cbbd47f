"""`games`, `board`, `rank` and `history`: reads over HTTP, as tables for people or as the API's JSON for programs."""

import asyncio
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.text import Text

from cli import local
from cli.boards import Asked, page_of, pages, watch
from cli.client import Api
from cli.jobs import finished
from cli.tables import arrow, rank_text, show_table
from cli.terminal import out, safe, show_json, table

PAGE_MAX = 1_000

Game = Annotated[str, typer.Argument(help="The game.")]
Board = Annotated[str, typer.Argument(help="The board.")]
Player = Annotated[str, typer.Argument(help="The player's id.")]
Period = Annotated[
    str | None, typer.Option(help="all, round:7, daily:2026-02-08, last:7d ...; by default all, or the present one.")
]
Segment = Annotated[str | None, typer.Option(help="Only marks with this value of an attribute, such as repo:tools.")]
KnownAt = Annotated[
    str | None,
    typer.Option(help="What was displayed then: a time (RFC 3339, or epoch milliseconds) or a position."),
]
Generation = Annotated[
    int | None, typer.Option(help="As this generation beside the live one shows it; where keys are on, for officials.")
]
MinPosition = Annotated[str | None, typer.Option(help="Wait until the answer shows at least this position.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the API's answer.")]


def games_command(
    game: Annotated[str | None, typer.Argument(help="One game, with its boards and their periods.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the games, or show one."""
    answer = fetch("games") if game is None else fetch("games", game)
    if as_json:
        show_json(answer)
    elif game is None:
        rows = [
            [line["game"], line["title"], line["ruleset_version"], ", ".join(line["boards"])]
            for line in answer["games"]
        ]
        if rows:
            out().print(table("Games", ["game", "title", "rules", "boards"], rows, ["rules"]))
        else:
            out().print(Text("no games yet: `rankfold rulesets apply FILE` makes one"))
    else:
        _show_game(answer)


def _show_game(answer: dict[str, Any]) -> None:
    rows = [
        [board["board"], board["title"], ", ".join(board["ranked_by"]), board["ranks"], _few(board["periods"])]
        for board in answer["boards"]
    ]
    title = f"{answer['title']} · {answer['game']}"
    out().print(table(title, ["board", "title", "ranked by", "ranks", "periods"], rows))
    out().print(Text(f"rules {answer['ruleset_version']}, {answer['time_zone']}, at {answer['position']}", style="dim"))


def _few(periods: list[str]) -> str:
    return ", ".join(periods[:3]) + (f" and {len(periods) - 3} more" if len(periods) > 3 else "")


def board_command(
    game: Game,
    board: Board,
    period: Period = None,
    segment: Segment = None,
    limit: Annotated[int, typer.Option(min=1, help="How many lines.")] = 20,
    after: Annotated[str | None, typer.Option(help="Go on behind a page: the cursor that it ended with.")] = None,
    known_at: KnownAt = None,
    generation: Generation = None,
    min_position: MinPosition = None,
    watching: Annotated[bool, typer.Option("--watch", help="Show it anew whenever it changes, until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show a board."""
    asked = Asked(game, board, period, segment, limit, after, min_position, known_at, generation)
    if watching:
        asyncio.run(watch(local.load(), asked, as_json))
        return
    answer = asyncio.run(_once(asked))
    if as_json:
        show_json(answer)
        return
    show_table(page_of(answer))
    if answer["next"] is not None:
        out().print(Text(f"more with --after {answer['next']}", style="dim"))


async def _once(asked: Asked) -> dict[str, Any]:
    found = local.load()
    async with Api(found.url, found.key) as api:
        return await pages(api, asked)


def rank_command(
    game: Game,
    board: Board,
    player: Player,
    period: Period = None,
    segment: Segment = None,
    around: Annotated[int, typer.Option(min=0, max=50, help="So many neighbours on each side.")] = 0,
    known_at: KnownAt = None,
    generation: Generation = None,
    min_position: MinPosition = None,
    as_json: AsJson = False,
) -> None:
    """Show a player's rank."""
    path = ("games", game, "boards", board, "players", player)
    query = {"period": period, "segment": segment, "around": around or None, "known_at": known_at}
    query["generation"] = generation
    answer = fetch(*path, **query, min_position=min_position)
    if as_json:
        show_json(answer)
        return
    metrics = ", ".join(f"{name} {'-' if value is None else value}" for name, value in answer["metrics"].items())
    rank = rank_text(answer["rank"], answer["tied"] > 1)
    console = out()
    tier = f", {safe(answer['tier'])}" if answer.get("tier") else ""
    of = f"{rank} of {answer['total']:,} (top {answer['top_percent']:g} %{tier})"
    who = f"{safe(answer['name'])} ({safe(player)})" if "name" in answer else safe(player)
    console.print(Text(f"{who} is {of}: {metrics}"))
    if "movement" in answer:
        console.print(Text(_movement(answer["movement"]), style="dim"))
    for badge in answer.get("badges") or ():
        console.print(Text(f"badge: {safe(badge['title'])}, at {badge['position']}", style="dim"))
    if answer.get("hidden"):
        console.print(Text("hidden: the board shows him to nobody", style="dim"))
    if answer["tied"] > 1:
        others = answer["tied"] - 1
        shared = "1 other shares this place" if others == 1 else f"{others:,} others share this place"
        console.print(Text(shared, style="dim"))
    if answer["around"]:
        show_table(page_of({**answer, "title": board, "entries": answer["around"]}), mark=player)


def _movement(movement: int | None) -> str:
    if movement is None:
        return "new on this board"
    return f"{arrow(movement)} {'ranks' if abs(movement) != 1 else 'rank'}" if movement else "rank unchanged"


def history_command(
    game: Game,
    board: Board,
    player: Player,
    period: Period = None,
    segment: Segment = None,
    limit: Annotated[int, typer.Option(min=1, max=PAGE_MAX, help="How many lines.")] = 20,
    by: Annotated[str | None, typer.Option(help="Show ranks instead, by change, day or round.")] = None,
    known_at: KnownAt = None,
    min_position: MinPosition = None,
    as_json: AsJson = False,
) -> None:
    """Show what a board has shown of a player, newest first."""
    path = ("games", game, "boards", board, "players", player, "history")
    query = {"period": period, "segment": segment, "limit": limit, "by": by, "known_at": known_at}
    answer = fetch(*path, **query, min_position=min_position)
    if as_json:
        show_json(answer)
        return
    title = " · ".join(filter(None, (player, board, answer["period"], answer.get("segment"))))
    if "ranks" in answer:
        ranks = [
            [_moment(line["at"]), line.get("day") or line.get("round"), line["rank"], line["total"], line["position"]]
            for line in answer["ranks"]
        ]
        out().print(table(title, ["at (UTC)", by or "", "rank", "of", "position"], ranks, ["rank", "of"]))
        return
    lines = answer["history"]
    metrics = list(dict.fromkeys(name for line in lines for name in line["metrics"]))
    rows = [
        [_moment(line["from"]), _moment(line["to"]), *(line["metrics"].get(name) for name in metrics), line["position"]]
        for line in lines
    ]
    out().print(table(title, ["from (UTC)", "to", *metrics, "position"], rows, metrics))


def _moment(text: str | None) -> datetime | str:
    return "now" if text is None else datetime.fromisoformat(text)


def fetch(*path: str, **query: object) -> Any:
    """The JSON of GET /v1/..., from the API that the settings name; parameters that are None are left out."""

    async def ask() -> Any:
        found = local.load()
        async with Api(found.url, found.key) as api:
            return await finished(api, await api.get(*path, **query), "folding")

    return asyncio.run(ask())
