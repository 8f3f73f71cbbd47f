"""What to do when something fails: one pure table, so that it can be read, tested and argued about."""

from typing import NamedTuple

import asyncpg
from redis import exceptions as redis

from projections.database import AWAY
from schemas.errors import ConcurrentWriter, LogBroken

BASE_S = 0.05
CAP_S = 5.0
STOPPED_S = 5.0
"""How often a stopped shard looks whether an operator has mended what stopped it."""

PARK_AFTER = 2


class Retry(NamedTuple):
    """Forget what is cached and read again from the committed position, after `delay_s` seconds.

    `advice` says what an operator can do where waiting alone may not help.
    """

    delay_s: float
    advice: str = ""


class Park(NamedTuple):
    """Fold the batch event by event, and put the one that fails among the dead letters."""


class Stop(NamedTuple):
    """Fold nothing more until an operator has mended it; look again after `delay_s` seconds."""

    delay_s: float
    reason: str
    advice: str


Decision = Retry | Park | Stop
Kinds = tuple[type[BaseException], ...]


class Rule(NamedTuple):
    """A row of the table. `says` narrows it to errors whose text begins so, which is how Redis tells them apart."""

    kinds: Kinds
    does: type[Retry] | type[Park] | type[Stop]
    advice: str = ""
    says: str = ""


MISUSE = (
    "another operation is in progress",
    "released back to the pool",
    "the number of columns",
    "the server expects",
)
"""What asyncpg's InterfaceError says when it was called wrongly, and not while a connection is lost."""

TABLE: tuple[Rule, ...] = (
    Rule(
        (asyncpg.ReadOnlySQLTransactionError,),
        Retry,
        "DATABASE_URL must name the primary; a standby is being written to.",
    ),
    # Another writer, or an answer that was lost: the committed position tells what holds.
    Rule((ConcurrentWriter,), Retry),
    Rule((asyncpg.TransactionRollbackError, asyncpg.InvalidTransactionStateError), Retry),
    Rule((asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError), Retry),
    # The database is not what this program was made for, or does not let it in: nothing heals by itself.
    Rule((asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError), Stop, "Run `rankfold migrate`."),
    Rule((asyncpg.UndefinedFunctionError, asyncpg.UndefinedObjectError), Stop, "Run `rankfold migrate`."),
    Rule((asyncpg.InvalidCatalogNameError,), Stop, "Create the database that DATABASE_URL names."),
    Rule((asyncpg.InvalidAuthorizationSpecificationError,), Stop, "Look at user and password in DATABASE_URL."),
    Rule(
        (asyncpg.InsufficientPrivilegeError,), Stop, "Grant the user of DATABASE_URL all on the schema and its tables."
    ),
    Rule((asyncpg.FeatureNotSupportedError,), Stop, "Run `rankfold doctor`: PostgreSQL may be too old."),
    # It can heal by itself, or with an operator's help, without a restart of the consumer.
    Rule((asyncpg.DiskFullError,), Retry, "PostgreSQL's disk is full: make room."),
    Rule(
        (asyncpg.OutOfMemoryError,), Retry, "PostgreSQL is out of memory: give it more, or lower the size of batches."
    ),
    Rule((asyncpg.TooManyConnectionsError,), Retry, "PostgreSQL takes no more connections: raise max_connections."),
    Rule((asyncpg.InsufficientResourcesError, asyncpg.OperatorInterventionError), Retry),
    Rule((asyncpg.PostgresSystemError, asyncpg.InternalServerError), Retry, "Look at PostgreSQL's own log."),
    # asyncpg was called wrongly: what it was called with will be the same the next time.
    Rule((asyncpg.DataError, asyncpg.PostgresSyntaxError), Park),
    Rule((asyncpg.IntegrityConstraintViolationError,), Park),
    # Redis lets nobody in, or holds something else under our names.
    Rule((redis.AuthenticationError, redis.NoPermissionError), Stop, "Look at user and password of the Redis URLs."),
    Rule((redis.ResponseError,), Stop, "Look at user and password of the Redis URLs.", "NOAUTH"),
    Rule((redis.ResponseError,), Stop, "Look at user and password of the Redis URLs.", "WRONGPASS"),
    Rule((redis.ResponseError,), Stop, "Grant the user of the Redis URLs all commands on rankfold:*.", "NOPERM"),
    Rule((redis.ResponseError,), Stop, "Another program uses this Redis; give Rankfold one of its own.", "WRONGTYPE"),
    Rule((redis.ResponseError,), Stop, "Use Redis 6.2 or newer.", "unknown command"),
    Rule((redis.ReadOnlyError,), Retry, "The Redis URLs must name the primary; a replica is being written to."),
    Rule((redis.OutOfMemoryError,), Retry, "Redis is full: raise maxmemory."),
    Rule((redis.ResponseError,), Retry, "Redis is full: raise maxmemory.", "OOM"),
    Rule((redis.ResponseError,), Retry, "Redis cannot write its append file: look at its disk.", "MISCONF"),
    Rule((redis.MaxConnectionsError,), Retry, "Redis takes no more connections: raise maxclients."),
    Rule((redis.RedisError,), Retry),
    # Away, or going: the same call may succeed later.
    Rule((*AWAY, asyncpg.InternalClientError), Retry),
)
"""The first row that fits an error holds. What fits none is not a matter of services: the same input will fail again."""


def rule_of(error: BaseException) -> Rule | None:
    """The row of the table that holds for an error."""
    text = str(error)
    if isinstance(error, asyncpg.InterfaceError) and any(words in text for words in MISUSE):
        return Rule((asyncpg.InterfaceError,), Park)
    return next((rule for rule in TABLE if isinstance(error, rule.kinds) and text.startswith(rule.says)), None)


def decide(error: BaseException, attempt: int, jitter: float) -> Decision:
    """The decision for the `attempt`-th failure in a row (1 for the first).

    `jitter` in [0, 1) spreads the delays of many processes; the caller draws it.
    """
    if isinstance(error, LogBroken):
        return Stop(STOPPED_S, error.reason, error.advice)
    if isinstance(error, asyncpg.UniqueViolationError) and attempt <= PARK_AFTER:
        # An id that the archive knows was not looked up; the shard consumer does so from now on.
        return Retry(0.0)
    rule = rule_of(error)
    if rule is not None and rule.does is Stop:
        return Stop(STOPPED_S, f"{type(error).__name__}: {error}", rule.advice)
    if rule is not None and rule.does is Retry:
        return Retry(back_off(attempt, jitter), rule.advice)
    # Find the event that does it. When there is none, something is wrong here: go on trying, ever more seldom.
    return Park() if attempt <= PARK_AFTER else Retry(back_off(attempt, jitter), "Please report this error.")


def back_off(attempt: int, jitter: float) -> float:
    """Exponential, from half to all of BASE_S * 2**(attempt - 1), never above CAP_S."""
    return min(CAP_S, BASE_S * 2.0 ** min(attempt - 1, 10)) * (0.5 + jitter / 2)
