"""Errors as clients see them: RFC 9457 problem details with stable types, and never a stack trace or SQL.

`respond` turns any exception into one. What is wrong with the input is listed in `problems`, each with the field, the
rule it breaks and, in a batch, the index of the item.
"""

import logging
from typing import NamedTuple

import asyncpg
import msgspec
from aiohttp import web
from redis.exceptions import RedisError

from api.identity import REQUEST_ID
from api.response import NO_STORE, PROBLEM, Ready
from projections.append import IdConflict
from projections.database import AWAY
from schemas.errors import (
    ConcurrentWriter,
    Conflict,
    InvalidEvent,
    InvalidInput,
    InvalidRuleset,
    LogBroken,
    NotFound,
    Problem,
    RankfoldError,
    TooLate,
    Unavailable,
)

RETRY_AFTER_S = 1
DETAIL_CHARS_MAX = 1_000
log = logging.getLogger("rankfold.api")


class Item(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong; `index` counts the items of a batch from 0."""

    field: str
    rule: str
    index: int | None = None


class Details(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of a problem. `request_id` is that of the answer's `X-Request-Id`: log lines about it have it too."""

    type: str
    title: str
    status: int
    detail: str = ""
    problems: list[Item] = []
    request_id: str = ""


class Kind(NamedTuple):
    """A problem type: the last part of its `type`, its status and its title."""

    name: str
    status: int
    title: str

    @property
    def type(self) -> str:
        """The `type` of such problems: it never changes its meaning."""
        return f"/problems/{self.name}"


INVALID_EVENT = Kind("invalid-event", 400, "An event breaks a rule")
INVALID_RULESET = Kind("invalid-ruleset", 400, "The ruleset breaks a rule")
INVALID_REQUEST = Kind("invalid-request", 400, "The request breaks a rule")
UNAUTHORIZED = Kind("unauthorized", 401, "A key is needed")
FORBIDDEN = Kind("forbidden", 403, "The key does not allow this")
NOT_FOUND = Kind("not-found", 404, "There is no such thing")
METHOD_NOT_ALLOWED = Kind("method-not-allowed", 405, "The method is not allowed here")
TOO_SLOW = Kind("too-slow", 408, "The body did not arrive in time")
CONFLICT = Kind("conflict", 409, "It contradicts what is there")
GONE = Kind("gone", 410, "That is kept no longer")
TOO_LARGE = Kind("too-large", 413, "The body is too large")
UNSUPPORTED_MEDIA_TYPE = Kind("unsupported-media-type", 415, "The body's media type is not supported")
UPGRADE_REQUIRED = Kind("upgrade-required", 426, "This path speaks WebSocket")
TOO_MANY = Kind("too-many", 429, "Too many requests")
INTERNAL = Kind("internal", 500, "Something went wrong in here")
NOT_YET = Kind("not-yet", 503, "The position is not visible yet")
UNAVAILABLE = Kind("unavailable", 503, "A service is away")
LOG_BROKEN = Kind("log-broken", 503, "The log has to be looked after")
KINDS: tuple[Kind, ...] = tuple(kind for kind in globals().values() if isinstance(kind, Kind))

_KINDS: tuple[tuple[type[RankfoldError], Kind], ...] = (
    (InvalidEvent, INVALID_EVENT),
    (InvalidRuleset, INVALID_RULESET),
    (InvalidInput, INVALID_REQUEST),
    (NotFound, NOT_FOUND),
    (TooLate, NOT_FOUND),
    (Conflict, CONFLICT),
    (ConcurrentWriter, UNAVAILABLE),
    (LogBroken, LOG_BROKEN),
    (Unavailable, UNAVAILABLE),
)


class RefusedError(Exception):
    """A problem raised as it is to be shown; `headers` are complete lines."""

    def __init__(self, kind: Kind, detail: str = "", items: list[Item] | None = None, headers: bytes = b"") -> None:
        super().__init__(detail or kind.title)
        self.kind = kind
        self.detail = detail
        self.items = items or []
        self.headers = headers


def invalid(field: str, rule: str) -> RefusedError:
    """A request with one bad parameter."""
    return RefusedError(INVALID_REQUEST, f"{field}: {rule}", [Item(field, rule)])


def items_of(problems: tuple[Problem, ...] | list[Problem], index: int | None = None, at: str = "") -> list[Item]:
    """Problems as items of a batch; `at` is the field that holds what they are about."""
    return [Item(".".join(part for part in (at, problem.field) if part), problem.rule, index) for problem in problems]


def respond(error: Exception) -> Ready:
    """The answer to an exception. What nobody expected is logged here, and told to nobody else."""
    if isinstance(error, RefusedError):
        return _problem(error.kind, error.detail, error.items, error.headers)
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return _problem(TOO_LARGE, "the body is larger than the limit")
    if isinstance(error, IdConflict):
        items = [Item("id", "this id was used before with another body", index) for index in error.indexes]
        return _problem(CONFLICT, str(error), items)
    if isinstance(error, InvalidInput):
        return _problem(_kind_of(error), str(error), items_of(error.problems))
    if isinstance(error, RankfoldError):
        kind = _kind_of(error)
        if kind.status >= 500:
            log.warning("%s", error, exc_info=error.__cause__)
        return _problem(kind, str(error))
    if isinstance(error, (RedisError, *AWAY, asyncpg.QueryCanceledError)):
        log.warning("a service is away: %s", type(error).__name__, exc_info=error)
        return _problem(UNAVAILABLE, "a database does not answer; the same call may succeed later")
    log.error("unexpected error", exc_info=error)
    return _problem(INTERNAL)


def _kind_of(error: RankfoldError) -> Kind:
    return next((kind for type_, kind in _KINDS if isinstance(error, type_)), INTERNAL)


def _problem(kind: Kind, detail: str = "", items: list[Item] | None = None, headers: bytes = b"") -> Ready:
    if kind.status == 503:
        headers += b"Retry-After: %d\r\n" % RETRY_AFTER_S
    details = Details(kind.type, kind.title, kind.status, detail[:DETAIL_CHARS_MAX], items or [], REQUEST_ID.get())
    return Ready(kind.status, PROBLEM + NO_STORE + headers, msgspec.json.encode(details))
