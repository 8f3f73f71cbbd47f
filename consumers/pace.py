"""How soon a shard is read again: a transaction costs the same whatever it holds, so a steady stream is taken in larger steps.

Whatever comes alone is read at once. This module only counts; who asks it waits.
"""

import time
from collections.abc import Callable

STEP_S = 0.02
"""So far apart are two reads of a steady stream, at least."""

STEADY = 20
"""Events within a step that make it worth while."""


class Pace:
    """Told of each batch when it begins, it says when the next one may."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock() - STEP_S
        self._next = 0.0

    def begin(self, events: int) -> None:
        """A batch of so many events has been read: all that came since the last one, or the first of even more."""
        now = self._clock()
        since, self._last = now - self._last, now
        self._next = now + STEP_S if events * STEP_S >= STEADY * since else now

    def rest_s(self) -> float:
        """How long to wait until the next batch is read."""
        return max(0.0, self._next - self._clock())
