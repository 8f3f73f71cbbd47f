"""Named points at which a test may kill the process, to see that nothing is lost or done twice."""

import os
import signal
from collections.abc import Callable

POINTS = (
    "after_read",
    "after_fold",
    "before_commit",
    "growing",
    "in_transaction",
    "after_commit",
    "before_rankings",
    "after_rankings",
)

BUILD_POINTS = ("build_step", "build_in_transaction", "build_saved", "build_joining", "build_joined")
"""Those of who builds a generation."""

RESHARD_POINTS = ("reshard_closed", "reshard_in_transaction", "reshard_committed", "reshard_telling")
"""Those of who changes the number of shards."""


def kill() -> None:
    """Ends this process as if the machine had lost power."""
    os.kill(os.getpid(), signal.SIGKILL)


class Crash:
    """`spec` is a point, or "point:n" for the n-th time that it is passed; None never crashes.

    `die` is what happens there; a simulation of many crashes in one process has something milder than `kill`.
    """

    def __init__(
        self, spec: str | None = None, points: tuple[str, ...] = POINTS, die: Callable[[], None] = kill
    ) -> None:
        self._die = die
        self._point, _, count = (spec or "").partition(":")
        if self._point and self._point not in points:
            raise ValueError(f"a crash point is one of {', '.join(points)}")
        self._left = int(count or 1)

    def __call__(self, point: str) -> None:
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                self._die()
