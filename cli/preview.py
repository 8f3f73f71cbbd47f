"""`rankfold preview` and `rankfold rulesets preview`: who would move if events came, or other rules held. Writes nothing."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.text import Text

from cli import local
from cli.client import Api
from cli.jobs import finished
from cli.rulesets import File, read
from cli.terminal import cell, out, plural, safe, show_json, table
from schemas.codec import decode_json
from schemas.errors import InvalidInput, Problem
from schemas.ruleset import parse

LIMIT = typer.Option(min=1, max=10_000, help="How many changes, at most.")
Board = Annotated[str | None, typer.Option("--board", "-b", help="One board only.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]


def preview_command(
    file: Annotated[Path, typer.Argument(help="Events, JSON lines of one game; - reads standard input.")],
    board: Board = None,
    limit: Annotated[int, LIMIT] = 100,
    as_json: AsJson = False,
) -> None:
    """Show who would move if these events were published. Nothing is written."""
    data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    game, events = _events(str(file), data)
    _show(_ask(game, {"events": events, "board": board, "limit": limit}), as_json)


def preview_rules_command(
    file: File, board: Board = None, limit: Annotated[int, LIMIT] = 100, as_json: AsJson = False
) -> None:
    """Show who would move if this ruleset held from the start. Nothing is written."""
    text = read(file)
    _show(_ask(parse(text).game, {"ruleset": text, "board": board, "limit": limit}), as_json)


def _events(source: str, data: bytes) -> tuple[str, list[msgspec.Raw]]:
    """The events as they are written, and the game that all of them name."""
    lines = [line for line in data.split(b"\n") if line.strip()]
    games = set()
    for number, line in enumerate(lines, 1):
        try:
            value = decode_json(line)
        except InvalidInput as error:
            raise InvalidInput(*(Problem(f"{source}:{number}", problem.rule) for problem in error.problems)) from None
        games.add(value.get("game") if isinstance(value, dict) else None)
    if len(games) != 1 or not isinstance(game := games.pop(), str):
        raise InvalidInput(Problem(source, "events, one a line, all of the same game"))
    return game, [msgspec.Raw(line) for line in lines]


def _ask(game: str, question: dict[str, Any]) -> Any:
    found = local.load()
    return asyncio.run(_answer(found.url, found.key, game, question))


async def _answer(url: str, key: str | None, game: str, question: dict[str, Any]) -> Any:
    """The preview, at once or when its job is done."""
    asked = {name: value for name, value in question.items() if value is not None}
    async with Api(url, key) as api:
        return await finished(api, await api.preview(game, msgspec.json.encode(asked)), "previewing")


def _show(answer: Any, as_json: bool) -> None:
    if as_json:
        show_json(answer)
        return
    console = out()
    groups: dict[tuple[str, str, str], list[Any]] = {}
    for change in answer["changes"]:
        groups.setdefault((change["board"], change["period"], change["segment"]), []).append(change)
    for where, changes in groups.items():
        metrics = list((changes[0]["after"] or changes[0]["before"])["metrics"])
        title = " · ".join(filter(None, (answer["game"], *map(safe, where))))
        heads = ["rank", "", "player", "was", *metrics]
        console.print(table(title, heads, _rows(changes, metrics), ["rank", "was", *metrics]))
    for name, words in (("boards_added", "would be new"), ("boards_gone", "would go")):
        for board in answer[name]:
            console.print(Text(f"the board {safe(board)} {words}"))
    for problem in answer["problems"]:
        console.print(
            Text(safe(f"{problem['event']} would not count: {problem['field']}: {problem['rule']}"), "yellow")
        )
    rest = answer["total"] - len(answer["changes"])
    more = f", {rest:,} more with --limit" if rest else ""
    console.print(Text(f"{plural(answer['total'], 'place')} would change{more}; nothing was written", style="dim"))


def _rows(changes: list[Any], metrics: list[str]) -> Iterator[list[object]]:
    for change in changes:
        before, after = change["before"], change["after"]
        style = "bold" if change["changed"] else "dim"
        player = f"{safe(change['name'])} ({safe(change['player'])})" if change["name"] else safe(change["player"])
        yield [
            Text("-" if after is None else str(after["rank"]), style),
            _arrow(change),
            Text(player, style),
            Text("-" if before is None else str(before["rank"]), style),
            *(_metric(before, after, name, style) for name in metrics),
        ]


def _arrow(change: Any) -> Text:
    if change["moved"] is None:
        return Text("new", "green") if change["before"] is None else Text("gone", "red")
    if not change["moved"]:
        return Text("")
    up = change["moved"] > 0
    return Text(f"{'▲' if up else '▼'} {abs(change['moved'])}", "green" if up else "red")


def _metric(before: Any, after: Any, name: str, style: str) -> Text:
    """What a metric would be; where it changes, from what."""
    values = [standing["metrics"].get(name) for standing in (before, after) if standing is not None]
    shown = [cell(value).plain for value in dict.fromkeys(values)]
    return Text(" → ".join(shown), style)
