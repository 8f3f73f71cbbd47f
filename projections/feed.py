"""The lines of a batch on their way into its transaction, which is open while the batch still grows.

Deep in a backlog a batch is large, so that a place that changes often is written once. What it writes of each entry and each
row is handed over in pieces, and is gone from memory when it is written.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import NamedTuple

LogLine = tuple[int, int, int, int, int, int, int | None, bytes]
IdLine = tuple[int, bytes, bytes, int, int, int, int]
DeadLine = tuple[str | None, int, int, int, int, str, str, bytes]
RowLine = tuple[int, str, bytes | None, bytes, bytes, int, bytes | None]
HistoryLine = tuple[int, str, bytes | None, bytes, int, int, bytes | None]

AHEAD = 1
"""So many pieces wait for the writer before whoever folds waits, too."""


class Lines(NamedTuple):
    """What a stretch of a batch adds to the tables that grow with its entries and rows."""

    log: list[LogLine]
    ids: list[IdLine]
    dead: list[DeadLine]
    new_rows: list[RowLine]
    changed_rows: list[RowLine]
    history: list[HistoryLine]


def no_lines() -> Lines:
    """To be added to."""
    return Lines([], [], [], [], [], [])


class Abandoned(Exception):
    """The batch will not become whole; its transaction has to be rolled back."""


class Feed:
    """From the one who folds a batch to the one who writes it. Either side may give up, and the other notices."""

    def __init__(self) -> None:
        self._lines: deque[Lines] = deque()
        self._given, self._taken = asyncio.Event(), asyncio.Event()
        self._whole = False
        self._ended = False

    async def put(self, lines: Lines) -> None:
        """Hands lines over, and waits while too many wait. Returns at once when nobody takes them any more."""
        self._lines.append(lines)
        self._given.set()
        while len(self._lines) > AHEAD and not self._ended:
            self._taken.clear()
            await self._taken.wait()

    def finish(self) -> None:
        """Everything was handed over."""
        self._whole = True
        self._given.set()

    def end(self) -> None:
        """Gives up: unless everything was handed over before, whoever takes raises Abandoned."""
        self._ended = True
        self._given.set()
        self._taken.set()

    async def taking(self) -> AsyncIterator[Lines]:
        """The lines as they come, until the batch is whole. Raises Abandoned."""
        while True:
            while not self._lines:
                if self._whole:
                    return
                if self._ended:
                    raise Abandoned
                self._given.clear()
                await self._given.wait()
            yield self._lines.popleft()
            self._taken.set()
