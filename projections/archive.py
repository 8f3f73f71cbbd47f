"""The archive of one game, read in log order and folded as it comes, with all rows and contests of the fold in memory."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, Protocol, TypeVar

from engine.corrections import CORRECTIONS
from engine.erasure import erases
from engine.fold import Fold
from projections import past
from projections.coldguard import refuse
from projections.database import Connection, queries
from projections.share import WHOLE, Share
from schemas.codec import decode_all_archived
from schemas.events import Event, Player, Score
from schemas.position import Position

Q = queries("replay")
Progress = Callable[[int, int], None]
"""Called with (events folded, events in all) now and then."""

Place = tuple[int, int, int]
"""(epoch, ms, seq): an entry of the game's shard."""

T = TypeVar("T")


class Runs(Protocol):
    """Runs what keeps a processor busy for a while, here or elsewhere, and returns what it returned."""

    async def __call__(self, call: Callable[[], T], /) -> T: ...


async def here(call: Callable[[], T], /) -> T:
    """For who has nothing else to do meanwhile."""
    return call()


async def in_a_thread(call: Callable[[], T], /) -> T:
    """For who answers others meanwhile."""
    return await asyncio.to_thread(call)


CHUNK = 5_000
ABSORB = 100_000
"""Staged events before they are absorbed, where each of their marks is held until then: the more, the more of them meet the
same row while it is at hand."""


class Archive:
    """The accepted events of one game. `upto` is the place up to which they are folded, `events` how many that were."""

    def __init__(
        self, game_id: int, fold: Fold, total: int, progress: Progress, run: Runs = here, share: Share = WHOLE
    ) -> None:
        self.game_id = game_id
        self.fold = fold
        self.total = total
        self.events = 0
        self.upto: Place = (0, 0, 0)
        self.erased: list[tuple[str, Position]] = []
        """Who was erased by the events that were folded: rows that are stored have to be renamed before others are written."""
        self.run = run
        self.share = share
        self._progress = progress

    async def read(self, connection: Connection, upto: Place, *, limit: int | None = None) -> int:
        """Folds the events behind the last one up to and with `upto`, and returns how many; stops after about `limit`."""
        before, staged = self.events, 0
        await refuse(connection.fetch, "away", self.game_id, self.upto[1], upto[1])
        await connection.execute(Q["in_order"])
        reader = await connection.cursor(Q["events"], self.game_id, *self.upto, *upto, self.share.of, self.share.number)
        rows = await reader.fetch(CHUNK)
        while rows:
            # The server prepares the next rows while these are folded.
            ahead = asyncio.ensure_future(reader.fetch(CHUNK))
            await asyncio.sleep(0)
            await self._stage(connection, rows, ahead)
            staged += len(rows)
            if staged >= ABSORB and not self.fold.gathers:
                await self.run(self.fold.absorb)
                staged = 0
            self.events += len(rows)
            self._progress(self.events, max(self.total, self.events))
            last, rows = rows[-1], await ahead
            if rows and limit is not None and self.events - before >= limit:
                upto = (last[0], last[2], last[3])
                break
        await self.run(self.fold.absorb)
        await connection.execute(Q["any_order"])
        self.upto = upto
        return self.events - before

    async def _stage(self, connection: Connection, rows: list[Any], ahead: "asyncio.Future[Any]") -> None:
        fold = self.fold
        events: Sequence[Event] = await self.run(lambda: decode_all_archived([row[4] for row in rows]))
        ms = max([row[2] for row in rows])
        if self.share is not WHOLE:
            rows, events = self.share.taken(rows, events)
        start = 0
        corrections = [(at, event) for at, event in enumerate(events) if isinstance(event, CORRECTIONS)]
        for at, event in corrections:
            await self._stage_plain(rows[start:at], events[start:at])
            start = at + 1
            # One thing at a time on a connection.
            await asyncio.wait((ahead,))
            fetch = self.share.looking(connection.fetch)
            await past.correct(fetch, self.game_id, fold, event, Position(*rows[at][:4]))
        await self._stage_plain(rows[start:], events[start:])
        fold.pass_time(ms)

    async def _stage_plain(self, rows: list[Any], events: Sequence[Event]) -> None:
        """Stages events that need nothing but what is in memory."""
        fold = self.fold
        plain, closed = not fold.game.badged, fold.closes.held

        def stage() -> None:
            at = 0
            for kind, group in groupby(events, type):
                said: list[Any] = list(group)
                positions, at = rows[at : at + len(said)], at + len(said)
                if kind is Score and plain and not closed:
                    fold.stage_scores(said, [row[2] for row in positions], [row[3] for row in positions])
                    continue
                for (epoch, shard, ms, seq, _), event in zip(positions, said, strict=True):
                    fold.stage(event, Position(epoch, shard, ms, seq))
                    if isinstance(event, Player) and erases(event):
                        self.erased.append((event.player, Position(epoch, shard, ms, seq)))

        if events:
            await self.run(stage)
