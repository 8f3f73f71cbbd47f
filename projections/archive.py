"""The archive of one game, read in log order and folded as it comes, with all rows and contests of the fold in memory."""

import asyncio
from collections.abc import Callable
from typing import Any

from engine.erasure import erases
from engine.fold import Fold
from projections import past
from projections.database import Connection, queries
from schemas.codec import decode_archived
from schemas.events import Player, Reinstate, Score, Void
from schemas.position import Position

Q = queries("replay")
Progress = Callable[[int, int], None]
"""Called with (events folded, events in all) now and then."""

Place = tuple[int, int, int]
"""(epoch, ms, seq): an entry of the game's shard."""

CHUNK = 5_000
ABSORB = 100_000
"""Staged events before they are absorbed: the more, the more of them meet the same row while it is at hand."""


class Archive:
    """The accepted events of one game. `upto` is the place up to which they are folded, `events` how many that were."""

    def __init__(self, game_id: int, fold: Fold, total: int, progress: Progress) -> None:
        self.game_id = game_id
        self.fold = fold
        self.total = total
        self.events = 0
        self.upto: Place = (0, 0, 0)
        self.erased: list[tuple[str, Position]] = []
        """Who was erased by the events that were folded: rows that are stored have to be renamed before others are written."""
        self._progress = progress

    async def read(self, connection: Connection, upto: Place, *, limit: int | None = None) -> int:
        """Folds the events behind the last one up to and with `upto`, and returns how many; stops after about `limit`."""
        before, staged = self.events, 0
        await connection.execute(Q["in_order"])
        reader = await connection.cursor(Q["events"], self.game_id, *self.upto, *upto)
        rows = await reader.fetch(CHUNK)
        while rows:
            # The server prepares the next rows while these are folded.
            ahead = asyncio.ensure_future(reader.fetch(CHUNK))
            await asyncio.sleep(0)
            await self._stage(connection, rows, ahead)
            staged += len(rows)
            if staged >= ABSORB:
                self.fold.absorb()
                staged = 0
            self.events += len(rows)
            self._progress(self.events, max(self.total, self.events))
            last, rows = rows[-1], await ahead
            if rows and limit is not None and self.events - before >= limit:
                upto = (last[0], last[2], last[3])
                break
        self.fold.absorb()
        await connection.execute(Q["any_order"])
        self.upto = upto
        return self.events - before

    async def _stage(self, connection: Connection, rows: list[Any], ahead: "asyncio.Future[Any]") -> None:
        fold = self.fold
        plain, closed = not fold.game.badged, fold.closes.held
        for epoch, shard, ms, seq, body in rows:
            event = decode_archived(body)
            if type(event) is Score and plain and not closed:
                fold.stage_score(event, ms, seq)
            elif isinstance(event, Void | Reinstate):
                # One thing at a time on a connection.
                await asyncio.wait((ahead,))
                await past.correct(connection.fetch, self.game_id, fold, event, Position(epoch, shard, ms, seq))
            else:
                fold.stage(event, Position(epoch, shard, ms, seq))
                if isinstance(event, Player) and erases(event):
                    self.erased.append((event.player, Position(epoch, shard, ms, seq)))
        fold.pass_time(max(row[2] for row in rows))
