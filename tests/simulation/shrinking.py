"""Makes a log that shows a difference as short as it gets, for people to read."""

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def shrunk(items: Sequence[T], fails: Callable[[list[T]], bool]) -> list[T]:
    """A short part of `items`, the first one included, that still fails."""
    held = list(items)
    size = max(1, len(held) // 2)
    while True:
        at, shorter = 1, False
        while at < len(held):
            candidate = held[:at] + held[at + size :]
            if fails(candidate):
                held, shorter = candidate, True
            else:
                at += size
        if size == 1 and not shorter:
            return held
        size = max(1, size // 2)
