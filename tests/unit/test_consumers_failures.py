"""The table of failures, row by row: what is tried again, what is parked, what stops a shard with advice."""

import asyncpg
import pytest
from redis import exceptions as redis

from consumers.failures import CAP_S, PARK_AFTER, TABLE, Park, Retry, Stop, back_off, decide, rule_of
from schemas.errors import ConcurrentWriter, LogBroken

RETRIED = [
    ConcurrentWriter("moved"),
    asyncpg.SerializationError("could not serialize access"),
    asyncpg.DeadlockDetectedError("deadlock detected"),
    asyncpg.LockNotAvailableError("lock timeout"),
    asyncpg.QueryCanceledError("statement timeout"),
    asyncpg.IdleInTransactionSessionTimeoutError("idle"),
    asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
    asyncpg.CannotConnectNowError("the database system is starting up"),
    asyncpg.AdminShutdownError("terminating connection"),
    asyncpg.CrashShutdownError("terminating connection"),
    asyncpg.InterfaceError("connection is closed"),
    asyncpg.InterfaceError("pool is closing"),
    asyncpg.InternalClientError("got result for unknown protocol state 3"),
    TimeoutError(),
    ConnectionRefusedError(111, "refused"),
    redis.ConnectionError("Connection closed by server."),
    redis.TimeoutError("Timeout reading from socket"),
    redis.BusyLoadingError("Redis is loading the dataset in memory"),
    redis.ResponseError("CLUSTERDOWN The cluster is down"),
    redis.ResponseError("MASTERDOWN Link with MASTER is down"),
    redis.NoScriptError("No matching script"),
]
RETRIED_WITH_ADVICE = {
    "standby": asyncpg.ReadOnlySQLTransactionError("cannot execute UPDATE in a read-only transaction"),
    "disk": asyncpg.DiskFullError("could not extend file"),
    "memory": asyncpg.OutOfMemoryError("out of memory"),
    "max_connections": asyncpg.TooManyConnectionsError("sorry, too many clients already"),
    "PostgreSQL's own log": asyncpg.InternalServerError("unexpected chunk number"),
    "replica": redis.ReadOnlyError("You can't write against a read only replica."),
    "maxmemory": redis.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."),
    "append file": redis.ResponseError("MISCONF Errors writing to the AOF file: No space left on device"),
    "maxclients": redis.MaxConnectionsError("Too many connections"),
}
STOPPED = {
    "rankfold migrate": asyncpg.UndefinedTableError('relation "shards" does not exist'),
    "`rankfold migrate`": asyncpg.UndefinedColumnError('column "hidden" does not exist'),
    "Create the database": asyncpg.InvalidCatalogNameError('database "nowhere" does not exist'),
    "user and password in DATABASE_URL": asyncpg.InvalidPasswordError("password authentication failed"),
    "Grant the user of DATABASE_URL": asyncpg.InsufficientPrivilegeError("permission denied for table shards"),
    "user and password of the Redis URLs": redis.AuthenticationError("invalid username-password pair"),
    "password of the Redis URLs": redis.ResponseError("NOAUTH Authentication required."),
    "all commands on rankfold": redis.ResponseError("NOPERM this user has no permissions"),
    "Another program": redis.ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"),
    "Redis 6.2": redis.ResponseError("unknown command 'XAUTOCLAIM'"),
}
PARKED = [
    asyncpg.DataError("invalid input for query argument $1: value out of int64 range"),
    asyncpg.NotNullViolationError("null value in column"),
    asyncpg.InterfaceError("cannot perform operation: another operation is in progress"),
    asyncpg.InterfaceError("the server expects 3 arguments for this query, 2 were passed"),
    ZeroDivisionError("division by zero"),
    KeyError("points"),
]


@pytest.mark.parametrize("error", RETRIED, ids=repr)
def test_what_comes_and_goes_is_tried_again(error: Exception) -> None:
    decision = decide(error, 1, 0.5)
    assert isinstance(decision, Retry)
    assert decision.advice == ""


@pytest.mark.parametrize("advice", RETRIED_WITH_ADVICE)
def test_what_an_operator_can_hasten_is_tried_again_and_told(advice: str) -> None:
    decision = decide(RETRIED_WITH_ADVICE[advice], 3, 0.5)
    assert isinstance(decision, Retry)
    assert advice in decision.advice


@pytest.mark.parametrize("advice", STOPPED)
def test_what_does_not_heal_by_itself_stops_the_shard(advice: str) -> None:
    decision = decide(STOPPED[advice], 1, 0.5)
    assert isinstance(decision, Stop)
    assert advice in decision.advice
    assert type(STOPPED[advice]).__name__ in decision.reason


def test_a_broken_log_stops_the_shard_with_its_own_words() -> None:
    decision = decide(LogBroken("It was rewound.", "Restore it."), 7, 0.0)
    assert isinstance(decision, Stop)
    assert (decision.reason, decision.advice) == ("It was rewound.", "Restore it.")


@pytest.mark.parametrize("error", PARKED, ids=repr)
def test_what_an_event_causes_is_parked(error: Exception) -> None:
    assert all(decide(error, attempt, 0.5) == Park() for attempt in range(1, PARK_AFTER + 1))
    # The culprit was not found: do not spin.
    assert isinstance(decide(error, PARK_AFTER + 1, 0.5), Retry)


def test_an_id_that_the_archive_knows_is_looked_up_at_once_and_parked_only_if_that_does_not_help() -> None:
    error = asyncpg.UniqueViolationError("duplicate key value")
    assert decide(error, 1, 0.9) == Retry(0.0)
    assert isinstance(decide(error, PARK_AFTER + 1, 0.9), Retry)


def test_every_row_of_the_table_is_reached() -> None:
    """A row that an earlier one hides would be a promise that is not kept."""
    errors = [*RETRIED, *RETRIED_WITH_ADVICE.values(), *STOPPED.values(), *PARKED]
    reached = {rule_of(error) for error in errors}
    for number, rule in enumerate(TABLE):
        made = [_made(kind, rule.says) for kind in rule.kinds]
        assert rule in reached or any(rule_of(error) == rule for error in made), (
            f"row {number} is never reached: {rule}"
        )


def _made(kind: type[BaseException], says: str) -> BaseException:
    return kind(says)


def test_delays_grow_to_a_limit_and_are_spread() -> None:
    delays = [back_off(attempt, 1.0) for attempt in range(1, 40)]
    assert delays == sorted(delays)
    assert delays[-1] == CAP_S
    assert back_off(5, 0.0) == back_off(5, 1.0) / 2
