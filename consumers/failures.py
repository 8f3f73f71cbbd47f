"""What to do when something fails: one pure table, so that it can be read, tested and argued about."""

from typing import NamedTuple

import asyncpg
from redis.exceptions import RedisError

from projections.database import AWAY
from schemas.errors import ConcurrentWriter, LogBroken

BASE_S = 0.05
CAP_S = 5.0
STOPPED_S = 5.0
"""How often a stopped shard looks whether an operator has mended what stopped it."""

PARK_AFTER = 2


class Retry(NamedTuple):
    """Forget what is cached and read again from the committed position, after `delay_s` seconds."""

    delay_s: float


class Park(NamedTuple):
    """Fold the batch event by event, and put the one that fails among the dead letters."""


class Stop(NamedTuple):
    """Fold nothing more until an operator has mended it; look again after `delay_s` seconds."""

    delay_s: float


Decision = Retry | Park | Stop


def decide(error: BaseException, attempt: int, jitter: float) -> Decision:
    """The decision for the `attempt`-th failure in a row (1 for the first).

    `jitter` in [0, 1) spreads the delays of many processes; the caller draws it.
    """
    if isinstance(error, LogBroken):
        return Stop(STOPPED_S)
    if isinstance(error, asyncpg.UniqueViolationError) and attempt <= PARK_AFTER:
        # An id that the archive knows was not looked up; the shard consumer does so from now on.
        return Retry(0.0)
    if isinstance(error, (ConcurrentWriter, RedisError, *AWAY)):
        return Retry(back_off(attempt, jitter))
    # Not a matter of services: the same input will fail again, so find the event that does it.
    return Park() if attempt <= PARK_AFTER else Retry(back_off(attempt, jitter))


def back_off(attempt: int, jitter: float) -> float:
    """Exponential, from half to all of BASE_S * 2**(attempt - 1), never above CAP_S."""
    return min(CAP_S, BASE_S * 2.0 ** min(attempt - 1, 10)) * (0.5 + jitter / 2)
