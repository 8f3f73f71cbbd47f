"""A board as a table, as JSON and as CSV, wherever it comes from: a fold in memory, or the API."""

import csv
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from rich.console import Group
from rich.text import Text

from cli.terminal import out, safe, show_json, table

RISKY = ("=", "+", "-", "@", "\t", "\r")


class Line(NamedTuple):
    """One entry of a board; `tied` tells that others share the rank's sort key."""

    rank: int
    tied: bool
    player: str
    metrics: dict[str, Any]
    tier: str | None = None
    name: str | None = None
    movement: int | None = None
    badges: tuple[str, ...] = ()


class Page(NamedTuple):
    """A part of a board. `more` says how many ranked players are not on it."""

    game: str
    board: str
    title: str
    period: str
    total: int
    metrics: Sequence[str]
    lines: list[Line]
    position: str | None = None
    marks: Sequence[str] = ()
    """What else of the lines is shown, such as `tier`."""
    segment: str = ""

    def document(self) -> dict[str, Any]:
        """The page for programs."""
        entries = [
            {"rank": line.rank, "tied": line.tied, "player": line.player, "metrics": line.metrics}
            | {name: getattr(line, name) for name in self.marks}
            for line in self.lines
        ]
        head = {"game": self.game, "board": self.board, "period": self.period, "total": self.total}
        if self.segment:
            head["segment"] = self.segment
        return {**head, "position": self.position, "entries": entries}


def rank_text(rank: int, tied: bool) -> str:
    """A rank as people write it: 3, or =3 when it is shared."""
    return f"={rank}" if tied else str(rank)


def show_table(page: Page, mark: str | None = None) -> None:
    """Prints the page; the line of the player `mark` stands out."""
    out().print(table_of(page, mark))


def table_of(page: Page, mark: str | None = None) -> Group:
    """The page as it is printed."""
    rows = [
        [
            Text(shown if value is not None else "-", style="bold" if line.player == mark else "")
            for shown, value in _cells(line, page)
        ]
        for line in page.lines
    ]
    title = " · ".join(filter(None, (page.title, page.game, page.period, page.segment)))
    position = f", at {page.position}" if page.position else ""
    return Group(
        table(title, ["rank", "player", *page.metrics, *page.marks], rows, ["rank", *page.metrics]),
        Text(f"{len(page.lines):,} of {page.total:,} ranked{position}", style="dim"),
    )


def _cells(line: Line, page: Page) -> list[tuple[str, Any]]:
    values = [(str(line.metrics.get(name)), line.metrics.get(name)) for name in page.metrics]
    values += [_mark(name, getattr(line, name)) for name in page.marks]
    player = safe(line.player) if line.name is None else f"{safe(line.name)} ({safe(line.player)})"
    return [(rank_text(line.rank, line.tied), line.rank), (player, line.player), *values]


def _mark(name: str, value: Any) -> tuple[str, Any]:
    if name == "movement":
        return arrow(value), True
    if name == "badges":
        return safe(", ".join(value)), value or None
    return safe(str(value)), value


def arrow(movement: int | None) -> str:
    """Ranks gained or lost as people write it; "new" for who was not ranked before."""
    if movement is None:
        return "new"
    return f"{'▲' if movement > 0 else '▼'}{abs(movement)}" if movement else "="


def show_csv(page: Page) -> None:
    """Prints the page as CSV (RFC 4180 quoting, LF). No cell is a formula to a spreadsheet."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["rank", "player", *page.metrics, *page.marks])
    for line in page.lines:
        values = ("" if line.metrics.get(name) is None else line.metrics[name] for name in page.metrics)
        marks = (_csv_mark(getattr(line, name)) for name in page.marks)
        writer.writerow([line.rank, spreadsheet_text(line.player), *values, *marks])


def _csv_mark(value: Any) -> Any:
    if isinstance(value, tuple):
        return spreadsheet_text(" ".join(value))
    return spreadsheet_text(value) if isinstance(value, str) else value


def spreadsheet_text(text: str) -> str:
    """Text that spreadsheets take as text: what they would read as a formula gets an apostrophe in front.

    Follows OWASP's advice on CSV injection. Metrics are numbers and need none.
    """
    return f"'{text}" if text.startswith(RISKY) else text


def show(page: Page, form: str) -> None:
    """Prints the page as `table`, `json` or `csv`."""
    if form == "json":
        show_json(page.document())
    elif form == "csv":
        show_csv(page)
    else:
        show_table(page)
