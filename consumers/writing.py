"""The commits of a shard: one under way, and behind it perhaps one whose batch still grows.

They follow one another, each in a transaction of its own. What fails fails those behind it as well.
"""

import asyncio
from collections.abc import Awaitable, Callable

from consumers.crash import Crash
from projections.batch import Batch
from projections.feed import Feed
from projections.store import Store


class Writing:
    """`launch` a batch that is whole, or `pour` from one that grows and `finish` it; `settle` waits for the last one.

    `committed` is called with each batch that is; `failed` with a commit that is not while nobody waits for it.
    """

    def __init__(
        self,
        store: Store,
        crash: Crash,
        committed: Callable[[Batch], Awaitable[None]],
        failed: Callable[["asyncio.Task[None]"], None],
    ) -> None:
        self.last: asyncio.Task[None] | None = None
        self._store = store
        self._crash = crash
        self._committed = committed
        self._failed = failed

    def launch(self, batch: Batch) -> None:
        """Commits a batch, behind the one that is under way."""
        self.last = asyncio.create_task(self._write(batch, self.last))
        self.last.add_done_callback(self._on_end)

    async def pour(self, batch: Batch) -> None:
        """Writes what a batch holds so far into its transaction. Raises what that has come to grief of."""
        if batch.feed is None:
            batch.feed = Feed()
            self.launch(batch)
        await batch.feed.put(batch.drain())
        self._crash("growing")
        if self.last is not None and self.last.done():
            await self.settle()

    async def finish(self, batch: Batch) -> None:
        """A batch is whole: has the rest of it written, and waits until no other batch is under way but this."""
        if batch.feed is None:
            await self.settle()
            self.launch(batch)
        else:
            batch.feed.finish()

    async def settle(self) -> None:
        """Waits for the commit that is under way; raises what it raised."""
        last, self.last = self.last, None
        if last is not None:
            await last

    async def rest(self) -> None:
        """Waits until nothing is under way, whatever becomes of it."""
        last, self.last = self.last, None
        if last is not None:
            await asyncio.gather(last, return_exceptions=True)

    async def _write(self, batch: Batch, before: "asyncio.Task[None] | None") -> None:
        try:
            if before is not None:
                await before
            self._crash("before_commit")
            await self._store.commit(batch, lambda: self._crash("in_transaction"))
        finally:
            if batch.feed is not None:
                batch.feed.end()
        self._crash("after_commit")
        await self._committed(batch)

    def _on_end(self, task: "asyncio.Task[None]") -> None:
        """A commit that fails while no batch is waiting must not wait for the next one to be noticed."""
        if not task.cancelled() and task.exception() is not None and self.last is task:
            self._failed(task)
