"""Long work in slices, so that the commit under way and the publication get their turn on the same event loop.

Folding is pure computation: without this, PostgreSQL would wait for the next batch to be folded before it is even sent the
rows of this one, although it has a processor of its own.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TypeVar

T = TypeVar("T")
SLICE = 500
"""Items between two turns of the loop: around a millisecond of work."""


async def slices(items: Sequence[T], size: int = SLICE) -> AsyncIterator[Sequence[T]]:
    """The items in stretches; between two of them everything else on the loop gets its turn."""
    for at in range(0, len(items), size):
        yield items[at : at + size]
        await asyncio.sleep(0)
