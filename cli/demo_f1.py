"""The Formula 1 demo: a season from the corpus, race by race, and in the end the official standings to compare with."""

import asyncio
import csv
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from rich.live import Live
from rich.text import Text

from cli.client import Api
from cli.demo_feed import Ranks, apply, example, moving, ranks_of
from cli.failures import CheckFailedError
from cli.settings import Settings
from cli.terminal import out, table
from schemas.errors import InvalidInput, Problem

FILES = {"drivers": ("driver_standings.csv", "driver"), "constructors": ("constructor_standings.csv", "constructor")}
ROUND_PAUSE_S = 0.5
WAIT_MS = 10_000
TOP = 10
LINES_MAX = 1_000


class Official(NamedTuple):
    """A line of the published final standings."""

    position: int
    entrant: str
    points: Decimal


async def play(found: Settings, folder: Path, season: str | None) -> None:
    """Plays a season (the newest by default); raises CheckFailedError when a line of the standings is another one."""
    year = season or max(row["season"] for row in _rows(folder / "driver_standings.csv"))
    with tempfile.TemporaryDirectory(prefix="rankfold-f1-") as made:
        async with example("examples.f1", str(folder), made, year) as converter:
            await converter.wait()
        rules, events = Path(made) / f"f1-{year}.toml", Path(made) / f"f1-{year}.jsonl"
        if not rules.exists():
            raise InvalidInput(Problem("--season", f"the corpus has no season {year}"))
        text, lines = rules.read_text(), events.read_bytes().splitlines(keepends=True)
    async with Api(found.url, found.key) as api:
        game = await apply(api, text)
        await _race(api, game, year, lines)
        wrong = [await _compare(api, game, board, folder, year) for board in FILES if _official(folder, board, year)]
    if any(wrong):
        raise CheckFailedError


async def _race(api: Api, game: str, year: str, lines: list[bytes]) -> None:
    console = out()
    before: Ranks = {}
    with Live(console=console, auto_refresh=False, transient=True, redirect_stderr=False) as live:
        for line in lines:
            await api.publish(game, line, WAIT_MS)
            if console.is_terminal:
                page = await api.get("games", game, "boards", "drivers", limit=TOP)
                live.update(moving(page, before, f"Formula 1, {year}: {_moment(line)}"), refresh=True)
                before = ranks_of(page)
                await asyncio.sleep(ROUND_PAUSE_S)
    console.print(Text(f"{len(lines)} results and decisions of {year} went through the stream"))


def _moment(line: bytes) -> str:
    event: dict[str, Any] = msgspec.json.decode(line)
    where = event.get("attributes", {}).get("race", "the officials decide")
    return f"round {event['round']}, {where}" if "round" in event else str(where)


async def _compare(api: Api, game: str, board: str, folder: Path, year: str) -> int:
    """Prints a board beside the official one; returns in how many lines they differ without being excused."""
    page = await api.get("games", game, "boards", board, limit=LINES_MAX)
    ours = {entry["player"]: entry for entry in page["entries"]}
    official = _official(folder, board, year)
    excused = _excused(folder, board, year)
    rows, wrong = [], 0
    for line in official:
        mine = ours.pop(line.entrant, None)
        same = mine is not None and mine["rank"] == line.position and Decimal(mine["metrics"]["points"]) == line.points
        wrong += not same and line.entrant not in excused
        rows.append(_row(line, mine, same, line.entrant in excused))
    wrong += sum(1 for entrant in ours if entrant not in excused)
    console = out()
    columns = ["official", "entrant", "points", "Rankfold", "its points", ""]
    console.print(table(f"Formula 1, {year}: {board}", columns, rows, ["official", "points", "Rankfold", "its points"]))
    verdict = f"{len(official) - wrong} of {len(official)} lines are the official ones, at {page['position']}"
    console.print(Text(verdict, style="bold green" if not wrong else "bold red"))
    return wrong


def _row(line: Official, mine: Any, same: bool, excused: bool) -> list[object]:
    verdict = Text("same", style="green") if same else Text("differs", style="red")
    if excused and not same:
        verdict = Text("differs, known exception of the source", style="yellow")
    rank, points = (
        (None, None) if mine is None else (mine["rank"], f"{Decimal(mine['metrics']['points']).normalize():f}")
    )
    return [line.position, line.entrant, f"{line.points.normalize():f}", rank, points, verdict]


def _official(folder: Path, board: str, year: str) -> list[Official]:
    name, scope = FILES[board]
    return [
        Official(int(row["position"]), _entrant(scope, row), Decimal(row["points"]))
        for row in _rows(folder / name)
        if row["season"] == year and row["round"] == "final" and row["position"]
    ]


def _excused(folder: Path, board: str, year: str) -> set[str]:
    """The entrants whose final line the corpus marks as an exception."""
    keys = {"season": year, "round": "final", "board": FILES[board][1]}
    found = _rows(folder / "published_exceptions.csv")
    return {row["entity"] for row in found if all(row[key] == value for key, value in keys.items())}


def _entrant(scope: str, row: dict[str, str]) -> str:
    return row["driver_id"] if scope == "driver" else f"{row['constructor_id']}+{row['engine_id']}"


def _rows(path: Path) -> Iterator[dict[str, str]]:
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)
