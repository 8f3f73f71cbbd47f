"""Shadows: generations that are folded behind the live one of their game, in the same batches and transactions.

What an entry is worth at ingest is decided by the live one alone. A shadow whose fold breaks on an event is taken out, with the
reason, and never holds the live one up.
"""

from collections.abc import Awaitable, Callable

import structlog

from consumers.admission import Accepted
from consumers.slices import slices
from projections import generations
from projections.batch import Batch, LiveGame
from projections.store import Store
from projections.stretch import prepare, stage
from schemas.errors import ConcurrentWriter
from schemas.position import Position

log = structlog.get_logger()


async def follow(
    store: Store, live: LiveGame, accepted: Accepted, batch: Batch, settle: Callable[[LiveGame], Awaitable[None]]
) -> None:
    """Folds the accepted entries of a game into its shadows. `settle` brings the rows of one up to date."""
    for shadow in live.shadows:
        await guarded(store, shadow, batch, _fold(store, shadow, accepted, batch, settle))


async def guarded(store: Store, shadow: LiveGame, batch: Batch, folding: Awaitable[None]) -> None:
    """Folds a shadow; if that breaks, takes it out, and has the batch folded again without it."""
    try:
        await folding
    except generations.BROKEN as error:
        log.error("shadow taken out", game=shadow.name, generation=shadow.generation_id, exc_info=error)
        reason = f"{type(error).__name__}: {error}"
        await generations.take_out(store.pool, batch.shard, shadow.generation_id, reason)
        raise ConcurrentWriter(f"generation {shadow.generation_id} follows no longer: {reason}") from error


async def _fold(
    store: Store, shadow: LiveGame, accepted: Accepted, batch: Batch, settle: Callable[[LiveGame], Awaitable[None]]
) -> None:
    epoch = batch.state.epoch
    await prepare(store, shadow, [event for _, event in accepted], batch)
    async for stretch in slices(accepted):
        for entry, event in stretch:
            await stage(store, shadow, event, Position(epoch, batch.shard, entry.ms, entry.seq), batch)
    await settle(shadow)
    batch.take_rest(shadow)
