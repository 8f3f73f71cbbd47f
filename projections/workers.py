"""Processes that verify shares of a large game, beside the present one, which takes the first share itself.

`python -m projections.workers` is one of them. It waits for an `Order`, one line of JSON, and answers in lines of JSON. It ends
when its stdin does, so it does not outlive who gave the order.
"""

import asyncio
import os
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import msgspec
import uvloop

from projections.archive import Progress
from projections.database import AWAY, Connection, queries
from projections.memory import hold_long_lived_state
from projections.share import Share, can_share
from projections.verifying import Found, Task, compare, together
from schemas.errors import RankfoldError, Unavailable
from schemas.ruleset import parse

Q = queries("replay")
ROOT = Path(__file__).parents[1]
EVENTS_MIN = 100_000
"""With fewer, a process takes longer to start than it saves."""

LINE_BYTES_MAX = 16 * 1024 * 1024


class Order(msgspec.Struct, frozen=True):
    """A share of a task, in a snapshot of a database."""

    database_url: str
    snapshot: str
    task: Task
    share: Share


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """How many events were folded, or in the end what was found, or why nothing was."""

    events: int = 0
    found: Found | None = None
    error: str = ""


class Workers:
    """At most `count` processes, the present one included; the others connect to the database by themselves."""

    def __init__(self, database_url: str, count: int, *, events_min: int = EVENTS_MIN) -> None:
        self.database_url = database_url
        self.count = count
        self.events_min = events_min
        self._starts: list[asyncio.Task[Process]] = []

    async def may_share(self, connection: Connection, name: str, row: asyncpg.Record) -> bool:
        """Whether a game, as the query `generation` tells it, seems large enough, and has rules that let it be shared out."""
        if self.count < 2 or row["parts"] > 1 or not can_share(parse(row["text"])):
            return False
        return bool(await connection.fetchval(Q["more_than"], name, self.events_min - 1))

    async def take(self, connection: Connection, task: Task, apart: int) -> bool:
        """Whether a task of such a game is large enough and shareable; `apart` of its events are found by no subject."""
        if task.events < self.events_min:
            return False
        return bool(await connection.fetchval(Q["plainly"], task.game_id, apart))

    @asynccontextmanager
    async def standing_by(self) -> AsyncIterator[None]:
        """Has the other processes start; they end with this, whatever they are at. What comes of that is told by `compare`."""
        self._starts = [asyncio.create_task(_start()) for _ in range(1, self.count)]
        try:
            yield
        finally:
            for process in await asyncio.gather(*self._starts, return_exceptions=True):
                if isinstance(process, Process) and process.returncode is None:
                    process.kill()
                    await process.wait()

    async def compare(self, connection: Connection, task: Task, progress: Progress) -> Found:
        """What all shares of a task found; for those `standing_by`. Raises Unavailable when one ends without an answer."""
        snapshot: str = await connection.fetchval("SELECT pg_export_snapshot()")
        folded = [0] * self.count

        def tell(number: int, events: int) -> None:
            folded[number] = events
            progress(min(sum(folded), task.events), task.events)

        async def share(number: int) -> Found:
            share = Share(number, self.count)
            if number == 0:
                return await compare(connection, task, lambda events, _: tell(0, events), share)
            order = Order(self.database_url, snapshot, task, share)
            return await _ask(await self._starts[number - 1], order, lambda events: tell(number, events))

        try:
            async with asyncio.TaskGroup() as group:
                # The others first: they have their orders before this one folds.
                tasks = [group.create_task(share(number)) for number in reversed(range(self.count))]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return together([task.result() for task in reversed(tasks)])


async def _start() -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "projections.workers"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LINE_BYTES_MAX,
        start_new_session=True,  # Ctrl-C is for the present process, which ends this one
    )


async def _ask(process: Process, order: Order, folded: Callable[[int], None]) -> Found:
    which = f"share {order.share.number + 1} of {order.share.of}"
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(msgspec.json.encode(order) + b"\n")
    async for line in process.stdout:
        answer = msgspec.json.decode(line, type=Answer)
        if answer.error:
            raise Unavailable(f"{which} was not verified: {answer.error}")
        if answer.found is not None:
            return answer.found
        folded(answer.events)
    status = await process.wait()
    raise Unavailable(f"the process that verified {which} ended ({status})")


async def _carry_out(order: Order) -> Found:
    connection = await asyncpg.connect(order.database_url, statement_cache_size=0, timeout=10)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await connection.execute(f"SET TRANSACTION SNAPSHOT '{order.snapshot}'")
            return await compare(connection, order.task, lambda events, _: _say(Answer(events)), order.share)
    finally:
        await connection.close()


async def _main(order: Order) -> None:
    # There is nothing more to read: whoever gave the order is gone then.
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), os._exit, 1)
    try:
        _say(Answer(found=await _carry_out(order)))
    except (RankfoldError, asyncpg.PostgresError, *AWAY) as error:
        _say(Answer(error=f"{type(error).__name__}: {error}"))


def _say(answer: Answer) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    hold_long_lived_state()
    if line := sys.stdin.buffer.readline():
        uvloop.run(_main(msgspec.json.decode(line, type=Order)))
