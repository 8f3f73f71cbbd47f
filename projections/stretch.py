"""Folding a stretch of events into one generation: what it needs is loaded, then it is staged, absorbed and settled.

The shard's writer, the shadows beside it and previews fold by these steps. Nothing is written here.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from engine.corrections import CORRECTIONS
from engine.tables import Change, Table
from schemas.events import Event, Fixture, Pick, Result
from schemas.position import Position

if TYPE_CHECKING:
    from projections.batch import Batch, LiveGame
    from projections.store import Store


async def prepare(store: "Store", live: "LiveGame", events: Sequence[Event], batch: "Batch") -> None:
    """Makes present what the events need to be staged. Corrections stand among others of their kind only."""
    contests = [event for event in events if isinstance(event, Result | Fixture | Pick)]
    if contests:
        await store.load_contests(live, contests)
    live.fold.home = (batch.state.epoch, batch.shard)
    if events and isinstance(events[0], CORRECTIONS):
        corrections = [event for event in events if isinstance(event, CORRECTIONS)]
        await store.load_past(live, corrections, last(batch))


async def stage(store: "Store", live: "LiveGame", event: Event, position: Position, batch: "Batch") -> None:
    """Stages an event. Where what it takes back may earn a badge, that is done at once: the next one may take more."""
    live.fold.stage(event, position)
    if live.fold.corrections.earning:
        await _absorb(store, live, batch)


async def settling(
    store: "Store", live: "LiveGame", ms: int, batch: "Batch"
) -> AsyncIterator[tuple[Table, list[Change]]]:
    """Brings the rows up to date with what was staged and with the time of its last entry; gives what the batch took."""
    live.fold.pass_time(ms)
    await _absorb(store, live, batch)
    for table, changes in live.fold.settling():
        batch.take(table, changes)
        yield table, changes
        await asyncio.sleep(0)


async def _absorb(store: "Store", live: "LiveGame", batch: "Batch") -> None:
    await store.load_rows(live, batch)
    for _ in live.fold.absorbing(batch.version):
        await asyncio.sleep(0)
    await store.refold(live, last(batch))


def last(batch: "Batch") -> Position:
    """The position that a batch leads to."""
    return Position(batch.state.epoch, batch.shard, *batch.upto)
