"""What commands say, and how: results to stdout, everything else to stderr, plain when nobody looks.

Colours follow NO_COLOR and the terminal (rich). Text that came from outside is never read as markup, and what could
steer a terminal is shown escaped.
"""

import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import msgspec
from rich import box
from rich.console import Console, Group
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

WIDTH_PIPED = 10_000
_JOINERS = "\u200c\u200d"
_UNSAFE = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


def out() -> Console:
    """Where results go. Made anew each time, so that a redirected stdout is the one that is written to."""
    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = WIDTH_PIPED
    return console


def err() -> Console:
    """Where messages, progress and errors go."""
    return Console(stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True)


def say(message: str, style: str = "") -> None:
    """A message for whoever looks on; it is not part of a command's result."""
    err().print(Text(message, style=style))


def safe(text: str) -> str:
    """Text without what could steer a terminal or turn its direction: such characters are shown as escapes."""
    if text.isprintable():
        return text
    return "".join(_escaped(char) if unicodedata.category(char) in _UNSAFE else char for char in text)


def safe_lines(text: str) -> str:
    """`safe`, but the text may have several lines."""
    return "\n".join(map(safe, text.splitlines()))


def _escaped(char: str) -> str:
    if char in _JOINERS:
        return char
    return char.encode("unicode_escape", "backslashreplace").decode()


def cell(value: object) -> Text:
    """A value as a table shows it."""
    if value is None:
        return Text("-", style="dim")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, datetime):
        return Text(value.strftime("%Y-%m-%d %H:%M:%S"))
    return Text(safe(str(value)))


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], numeric: Sequence[str] = ()) -> Group:
    """A titled table; the columns named in `numeric` are aligned to the right. A cell that is a Text stays as it is."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        right = column in numeric
        made.add_column(Text(safe(column)), justify="right" if right else "left", no_wrap=right, overflow="fold")
    for row in rows:
        made.add_row(*(value if isinstance(value, Text) else cell(value) for value in row))
    # Not the table's own title, which would be broken to the width of the columns.
    return Group(Text(safe(title), style="bold"), made)


def show_json(value: Any) -> None:
    """A result for programs: one JSON document."""
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
    sys.stdout.flush()


def plural(count: int, noun: str) -> str:
    """A number with its noun, such as 1 event, 1,000 events."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


class Rate(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        """The rate since the start, or since the last look when that is known."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s", style="cyan")


class Meter:
    """A progress bar on stderr with rate and remaining time; silent when stderr is no terminal."""

    def __init__(self, progress: Progress, description: str) -> None:
        self._progress = progress
        self._task = progress.add_task(description, total=None)

    def __call__(self, done: int, total: int | None = None) -> None:
        self._progress.update(self._task, completed=done, total=total)


@contextmanager
def meter(description: str) -> Iterator[Meter]:
    """A meter for as long as the block runs. Call it with (done, total)."""
    console = err()
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield Meter(progress, description)
