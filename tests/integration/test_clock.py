"""Boards whose places change as time passes: live equals replay, in any batches and after restarts, at constant cost."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import msgspec
import pytest

from consumers.ticking import Ticker
from projections.database import queries
from projections.names import epoch_key, stream_key
from projections.store import Store
from tests.harness import Harness, event, renamed, ruleset, score
from tests.services import eventually

pytestmark = pytest.mark.services
CLOCK, WRITER = queries("clock"), queries("writer")
POLLS = (WRITER["shard"], queries("reader")["live_versions"])
"""What tests ask until they see what they wait for."""

READING = (CLOCK["due_rows"], *(WRITER[name] for name in ("rankings", "rows", "rows_of_players")))
ZONE = ZoneInfo("Europe/Berlin")
RULES = """
game = "arcade"
time_zone = "Europe/Berlin"
[metrics.points]
[boards.days]
rank_by = ["streak desc", "longest desc"]
periods = ["all", "weekly"]
metrics.streak = { op = "streak", per = "day", hold = { kind = "rest" } }
metrics.longest = { op = "longest_streak", per = "day", hold = { kind = "rest" } }
[boards.total]
rank_by = ["points desc"]
metrics.points = { op = "sum", of = "points" }
"""
ENTRIES = [
    (28, [("ann", {}), ("bob", {})]),
    (29, [("ann", {}), ("cas", {})]),
    (30, [("ann", {"kind": "rest"}), ("bob", {})]),
    (31, [("ann", {}), ("cas", {})]),
    (32, [("eve", {})]),
    (34, [("dan", {})]),
    (36, [("bob", {})]),
]
"""(day of March 2024 on which clocks go forward at the 31st, who played)."""


def noon(day: int) -> int:
    """Noon of a local day, counted from the start of March 2024, epoch milliseconds."""
    month, day = (3, day) if day <= 31 else (4, day - 31)
    return int(datetime(2024, month, day, 12, tzinfo=ZONE).timestamp()) * 1000


async def append(harness: Harness, ms: int, *bodies: Any) -> None:
    """Appends as if it were `ms`: with entry ids of that time."""
    last: Any = await harness.log.xrevrange(stream_key(0), count=1)
    seq = int(last[0][0].split(b"-")[1]) + 1 if last else 1
    for number, body in enumerate(bodies, seq):
        await harness.log.xadd(stream_key(0), {"event": msgspec.json.encode(body)}, id=f"{ms}-{number}")


async def play(harness: Harness, day: int, players: list[tuple[str, dict[str, str]]]) -> None:
    """Everybody of these scores at noon of a day."""
    scores = [score(f"{player}-{day}", player, 1, attributes=attributes) for player, attributes in players]
    await append(harness, noon(day), *scores)


async def streaks(harness: Harness) -> dict[str, int]:
    return {player: metrics["streak"] for player, metrics in (await harness.board("days")).items()}


@pytest.fixture
async def log(harness: Harness) -> Harness:
    await append(harness, noon(27), ruleset(RULES))
    return harness


async def test_streaks_end_as_days_pass_and_live_equals_replay_at_every_position(log: Harness) -> None:
    shown = []
    async with log.consuming(batch=1) as reader:
        await reader.drain()
        for day, players in ENTRIES:
            for one in players:
                await play(log, day, [one])
                await reader.drain()
                await log.assert_exact("arcade")
            shown.append(await streaks(log))
    assert shown == [
        {"ann": 1, "bob": 1},
        {"ann": 2, "bob": 1, "cas": 1},
        {"ann": 2, "bob": 1, "cas": 1},
        {"ann": 3, "bob": 1, "cas": 1},
        {"ann": 3, "cas": 1, "eve": 1, "bob": 0},
        {"dan": 1, "ann": 0, "bob": 0, "cas": 0, "eve": 0},
        {"bob": 1, "ann": 0, "cas": 0, "dan": 0, "eve": 0},
    ]


@pytest.mark.parametrize(("batch", "cache_rows"), [(1, 1), (3, 100_000), (1_000, 100_000)])
async def test_batches_caches_and_restarts_change_nothing(log: Harness, batch: int, cache_rows: int) -> None:
    for day, players in ENTRIES[:4]:
        await play(log, day, players)
    async with log.consuming(batch=batch, cache_rows=cache_rows) as reader:
        await reader.drain()
    await log.assert_exact("arcade")
    for day, players in ENTRIES[4:]:
        async with log.consuming(batch=batch, cache_rows=cache_rows) as reader:
            await play(log, day, players)
            await reader.drain()
        await log.assert_exact("arcade")
    assert await streaks(log) == {"bob": 1, "ann": 0, "cas": 0, "dan": 0, "eve": 0}
    weeks = {period: await log.board("days", period) for period in ("weekly:2024-03-25", "weekly:2024-04-01")}
    # A week that is over shows how it ended.
    assert {player: metrics["streak"] for player, metrics in weeks["weekly:2024-03-25"].items()} == {
        "ann": 3,
        "bob": 1,
        "cas": 1,
    }
    assert list(weeks["weekly:2024-04-01"]) == ["bob", "dan", "eve"]


async def test_a_tick_is_a_clock_that_survives_a_restart(log: Harness) -> None:
    await play(log, 28, [("ann", {}), ("bob", {})])
    async with log.consuming() as reader:
        await reader.drain()
    await append(log, noon(28) + 1, event("tick", "t1", at=noon(31)))
    async with log.consuming() as reader:
        await reader.drain()
        assert await streaks(log) == {"ann": 0, "bob": 0}
        await log.assert_exact("arcade")
    # Recorded before what the tick says, so it is still the day of the tick.
    await play(log, 29, [("ann", {})])
    async with log.consuming() as reader:
        await reader.drain()
        assert await streaks(log) == {"ann": 0, "bob": 0}
        await log.assert_exact("arcade")


async def test_a_change_of_rules_is_an_event_that_passes_time(log: Harness) -> None:
    await play(log, 28, [("ann", {})])
    await append(log, noon(31), ruleset(RULES + "# again", 2))
    async with log.consuming(batch=1) as reader:
        await reader.drain()
    assert await streaks(log) == {"ann": 0}
    await log.assert_exact("arcade")


async def test_a_new_generation_goes_on_with_the_clock(log: Harness) -> None:
    for day, players in ENTRIES[:3]:
        await play(log, day, players)
    async with log.consuming() as reader:
        await reader.drain()
        await log.swap()
        await log.assert_exact("arcade")
        for day, players in ENTRIES[3:]:
            await play(log, day, players)
            await reader.drain()
            await log.assert_exact("arcade")
    assert await streaks(log) == {"bob": 1, "ann": 0, "cas": 0, "dan": 0, "eve": 0}


async def test_the_end_of_a_streak_is_in_the_history(log: Harness) -> None:
    await play(log, 28, [("ann", {})])
    async with log.consuming() as reader:
        await reader.drain()
        await append(log, noon(31), event("tick", "t1", at=noon(31)))
        await reader.drain()
    query = "SELECT count(*) FROM standings_history h JOIN rankings r USING (ranking_id) WHERE board = $1 AND period = 'all'"
    assert await log.value(query, "days") == 1
    assert await log.value(query, "total") == 0
    assert await log.value("SELECT count(*) FROM dues") == 0


@pytest.fixture
async def statements(harness: Harness) -> AsyncIterator[list[str]]:
    """What consumers send to PostgreSQL from now on, but for BEGIN, COMMIT and what a pool resets between two uses."""
    sent: list[str] = []

    def note(record: Any) -> None:
        if not record.query.startswith(("BEGIN", "COMMIT", "SELECT pg_advisory_unlock_all")):
            sent.append(record.query)

    class Connection(asyncpg.Connection):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            self.add_query_logger(note)

    polls = harness.store
    async with asyncpg.create_pool(
        harness.database_url, min_size=1, max_size=1, connection_class=Connection, server_settings={"jit": "off"}
    ) as pool:
        harness.store = Store(pool)
        yield sent
    harness.store = polls


async def test_the_statements_of_a_day_change_do_not_grow_with_the_players(log: Harness, statements: list[str]) -> None:
    used: list[list[str]] = []
    for day, players in ((28, 5), (32, 50), (36, 500)):
        await play(log, day, [(f"p{number}", {}) for number in range(players)])
        async with log.consuming() as reader:
            await reader.drain()
        # A consumer that has just started has nobody's row in memory.
        async with log.consuming() as reader:
            statements.clear()
            await append(log, noon(day + 2), event("tick", f"t{day}", at=noon(day + 2)))
            await reader.drain()
            folding = sorted(query for query in statements if query not in POLLS)
        assert set((await streaks(log)).values()) == {0}
        assert await log.value("SELECT count(*) FROM dues") == 0
        used.append(folding)
    # The first day also asks for the types of columns.
    assert used[1] == used[2]
    reading = [query for query in used[1] if query in READING]
    assert reading == [CLOCK["due_rows"]]
    await log.assert_exact("arcade")


async def test_the_lease_holder_ticks_when_somebody_is_due_and_nothing_else_came(log: Harness) -> None:
    await append(log, noon(27), ruleset(renamed("idle"), game="idle"))
    await play(log, 28, [("ann", {}), ("bob", {})])
    async with log.consuming() as reader:
        ticker = Ticker(0, log.store, log.log, lambda: reader.consumer.state)
        assert await ticker.tick() == []
        await reader.drain()
        assert await streaks(log) == {"ann": 1, "bob": 1}
        assert await ticker.tick() == ["arcade"]
        # It is on its way.
        assert await ticker.tick() == []
        await reader.drain()
        assert await streaks(log) == {"ann": 0, "bob": 0}
        assert await ticker.tick() == []
        await log.assert_exact("arcade")


async def test_nothing_is_appended_to_a_log_that_is_another_one(log: Harness) -> None:
    await play(log, 28, [("ann", {})])
    async with log.consuming() as reader:
        await reader.drain()
        ticker = Ticker(0, log.store, log.log, lambda: reader.consumer.state)
        await log.log.delete(epoch_key(0))
        assert await ticker.tick() == []
        assert await log.log.xlen(stream_key(0)) == 2


async def test_a_consumer_process_ticks_by_itself(log: Harness) -> None:
    await play(log, 28, [("ann", {}), ("bob", {})])
    async with log.consuming() as reader:
        await reader.drain()
    with log.living():

        async def over() -> bool:
            return await streaks(log) == {"ann": 0, "bob": 0}

        await eventually(over, what="the streaks end")
        await log.caught_up()
    assert await log.log.xlen(stream_key(0)) == 4
    await log.assert_exact("arcade")
