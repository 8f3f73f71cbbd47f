"""Exit codes, and how an error becomes one: a message on stderr and never a traceback for what was foreseen."""

import errno
import functools
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn, ParamSpec, TypeVar

import asyncpg
import typer
from redis.exceptions import RedisError

from cli.terminal import safe_lines, say
from projections.database import AWAY
from schemas.errors import ConcurrentWriter, InvalidInput, LogBroken, RankfoldError, Unavailable

OK = 0
DIFFERS = 1
USAGE = 2
SERVICE_AWAY = 3
UNFORESEEN = 70
INTERRUPTED = 130
PROBLEMS_SHOWN_MAX = 20

P = ParamSpec("P")
R = TypeVar("R")


class CheckFailedError(RankfoldError):
    """A check found what it looks for (a difference, a bad setting); everything was said already."""


# In this order: the first that fits says how the message begins, and the exit code.
_KINDS: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str, int], ...] = (
    ((Unavailable, LogBroken, ConcurrentWriter), "", SERVICE_AWAY),
    (RankfoldError, "", USAGE),
    (RedisError, "Redis: ", SERVICE_AWAY),
    (asyncpg.UndefinedTableError, "the database lacks tables, run `rankfold migrate`: ", SERVICE_AWAY),
    ((asyncpg.PostgresError, *AWAY), "PostgreSQL: ", SERVICE_AWAY),
)


def fail(message: str, code: int) -> NoReturn:
    """Says what is wrong and ends the command."""
    say(f"error: {message}", "red")
    raise typer.Exit(code)


def explaining(command: Callable[P, R]) -> Callable[P, R]:
    """A command whose errors become messages and exit codes."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with explained():
            return command(*args, **kwargs)

    return run


@contextmanager
def explained() -> Iterator[None]:
    """Turns errors into messages and exit codes; what nobody foresaw keeps its traceback and ends with 70."""
    try:
        yield
    except (typer.Exit, typer.Abort, BrokenPipeError):
        raise
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except CheckFailedError:
        raise typer.Exit(DIFFERS) from None
    except InvalidInput as error:
        _say_problems(error)
        raise typer.Exit(USAGE) from None
    except OSError as error:
        if error.filename:
            fail(f"{safe_lines(str(error.filename))}: {error.strerror}", USAGE)
        if error.errno == errno.EADDRINUSE:
            fail(f"a port is taken: {error_text(error)}", USAGE)
        fail(f"a service does not answer: {error_text(error)}", SERVICE_AWAY)
    except Exception as error:
        _fail_by_kind(error)


def _fail_by_kind(error: Exception) -> NoReturn:
    for kind, beginning, code in _KINDS:
        if isinstance(error, kind):
            fail(beginning + error_text(error), code)
    traceback.print_exc(file=sys.stderr)
    fail("this should not have happened; the lines above tell the developers where", UNFORESEEN)


def error_text(error: BaseException) -> str:
    """What an error says, or at least its kind."""
    return safe_lines(str(error)) or type(error).__name__


def _say_problems(error: InvalidInput) -> None:
    for problem in error.problems[:PROBLEMS_SHOWN_MAX]:
        say(f"error: {safe_lines(str(problem))}", "red")
    rest = len(error.problems) - PROBLEMS_SHOWN_MAX
    if rest > 0:
        say(f"... and {rest:,} more", "red")
