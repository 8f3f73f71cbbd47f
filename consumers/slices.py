"""Long work in slices, so that the commit under way and the publication get their turn on the same event loop.

Folding is pure computation: without this, PostgreSQL would wait for the next batch to be folded before it is even sent the
rows of this one, although it has a processor of its own.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
SLICE = 500
"""Items between two turns of the loop: around a millisecond of work."""


async def slices(items: Iterable[T], size: int = SLICE) -> AsyncIterator[Iterator[T]]:
    """The items in stretches; between two of them everything else on the loop gets its turn."""
    source = iter(items)
    for first in source:
        yield _chain(first, islice(source, size - 1))
        await asyncio.sleep(0)


def _chain(first: T, rest: Iterator[T]) -> Iterator[T]:
    yield first
    yield from rest
