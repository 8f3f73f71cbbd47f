"""What both demos need: events from a program in `examples/`, a ruleset in the log, a board that shows movement."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from rich.console import Group
from rich.text import Text

from cli.client import Api
from cli.publish import until_visible
from cli.supervisor import ROOT
from cli.tables import rank_text
from cli.terminal import table
from schemas.codec import encode
from schemas.errors import Unavailable
from schemas.events import RulesetChange
from schemas.position import Vector
from schemas.ruleset import parse

LINE_BYTES_MAX = 2**20


@asynccontextmanager
async def example(module: str, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A program of the examples, whose stdout can be read; it ends with the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=LINE_BYTES_MAX,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        # Reads what is left: a process is only known to have ended when its pipe is empty.
        await process.communicate()


async def lines_of(process: asyncio.subprocess.Process, count: int) -> list[bytes]:
    """The next `count` lines; raises Unavailable when the program has ended before."""
    assert process.stdout is not None
    lines = [await process.stdout.readline() for _ in range(count)]
    if not lines[-1]:
        raise Unavailable("the example that makes the events has ended too early")
    return lines


async def apply(api: Api, text: str) -> str:
    """Puts the first version of a game's rules into the log; returns the game's name once it is there."""
    game = parse(text).game
    event = RulesetChange(id="ruleset-1", game=game, version=1, text=text)
    answer = await api.publish(game, encode(event) + b"\n")
    await until_visible(api, {game: Vector.parse(answer["position"])})
    return game


Ranks = Mapping[str, int]


def ranks_of(page: Mapping[str, Any]) -> dict[str, int]:
    """The rank of each player on a page."""
    return {entry["player"]: entry["rank"] for entry in page["entries"]}


def moving(page: Mapping[str, Any], before: Ranks, title: str) -> Group:
    """A page as a table whose last column says how each player moved since `before`."""
    entries = page["entries"]
    metrics = list(entries[0]["metrics"]) if entries else []
    rows = [
        [
            rank_text(at["rank"], at["tied"]),
            at["player"],
            *(at["metrics"][name] for name in metrics),
            _arrow(at, before),
        ]
        for at in entries
    ]
    return table(title, ["rank", "player", *metrics, ""], rows, ["rank", *metrics])


def _arrow(entry: Mapping[str, Any], before: Ranks) -> Text:
    if not before:
        return Text("    ")
    earlier = before.get(entry["player"])
    if earlier is None:
        return Text("new ", style="cyan")
    moved = earlier - entry["rank"]
    if moved == 0:
        return Text("    ")
    return Text(f"{'▲' if moved > 0 else '▼'} {abs(moved):<2}", style="green" if moved > 0 else "red")
