"""The publisher: whatever the rankings' Redis loses, refuses or is told by others, it ends up showing what is committed."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from consumers.crash import Crash
from consumers.publisher import Publisher
from engine.places import Lookup
from engine.rules import Game
from projections.names import REBUILD_KEY, applied_key, ranking_keys
from projections.rankings import RankingWriter, RedisRankings
from projections.store import Store
from projections.tasks import end
from schemas.ruleset import parse
from tests.harness import Harness, Reader, ruleset, score
from tests.services import eventually

pytestmark = pytest.mark.services


@pytest.fixture
async def reader(harness: Harness) -> AsyncIterator[Reader]:
    await harness.publish(ruleset(), score("e1", "ada", 5), score("e2", "bob", 7))
    async with harness.consuming() as reader:
        await reader.drain()
        yield reader


async def ranking(harness: Harness, board: str = "total") -> int:
    found: int = await harness.value("SELECT ranking_id FROM rankings WHERE board = $1 ORDER BY ranking_id DESC", board)
    return found


async def fold(harness: Harness, reader: Reader, *events: dict[str, object]) -> None:
    """Folds events in a batch of their own, and does not wait for the rankings."""
    (*_, last) = await harness.publish(*events)
    while await reader.step():
        pass
    await harness.reached(last)


async def test_places_noted_while_redis_refuses_are_not_lost(harness: Harness, reader: Reader) -> None:
    """Redis keeps its data and refuses every write: what failed to be published must not be jumped over later."""
    await harness.rankings.config_set("maxmemory-policy", "noeviction")
    await harness.rankings.config_set("maxmemory", 1)
    try:
        await fold(harness, reader, score("e3", "ada", 1))
        await eventually(lambda: reader.publisher._failing)
        await fold(harness, reader, score("e4", "bob", 1))
        await eventually(lambda: not reader.publisher._pending)
        # The next attempt finds this alone, and a Redis that is where it was before the failures.
        await fold(harness, reader, score("e5", "eve", 1))
    finally:
        await harness.rankings.config_set("maxmemory", 0)
    await harness.shown()
    await harness.assert_exact("arcade")


async def test_what_another_writer_committed_is_not_jumped_over(harness: Harness, reader: Reader) -> None:
    """Batches of two writers alternate while Redis is out of reach of both; each has noted only its own."""
    async with harness.consuming() as other:
        await other.drain()
        await harness.rankings.config_set("maxmemory-policy", "noeviction")
        await harness.rankings.config_set("maxmemory", 1)
        try:
            for turn in range(6):
                await fold(harness, (reader, other)[turn % 2], score(f"t{turn}", f"p{turn}", turn))
        finally:
            await harness.rankings.config_set("maxmemory", 0)
        await harness.shown()
        await harness.assert_exact("arcade")


class Held(Store):
    """A store whose ranking reads can be held up after they have read, as when the process is stopped just then."""

    def __init__(self, store: Store) -> None:
        super().__init__(store.pool)
        self.has_read = asyncio.Event()
        self.may_go_on = asyncio.Event()

    async def ranking_lines(self, ranking_id: int) -> tuple[int, bool, list[tuple[str, bytes, bytes]]] | None:
        found = await super().ranking_lines(ranking_id)
        self.has_read.set()
        await self.may_go_on.wait()
        return found


async def test_a_rebuild_that_was_overtaken_changes_nothing(harness: Harness, reader: Reader) -> None:
    held = Held(harness.store)
    late = Publisher(0, held, RankingWriter(harness.rankings), Crash(None))
    rebuilding = asyncio.create_task(late.rebuild(await ranking(harness)))
    await held.has_read.wait()
    await fold(harness, reader, score("e3", "ada", 1))
    await harness.shown()
    held.may_go_on.set()
    await rebuilding
    await harness.assert_exact("arcade")


async def test_a_flush_while_everything_is_compared(harness: Harness) -> None:
    """What was found in its place a moment ago is gone when the comparison ends."""
    await harness.publish(ruleset(), score("e1", "ada", 5))
    async with harness.consuming() as reader:
        await reader.drain()
    await harness.rankings.delete(applied_key(0), *ranking_keys(await ranking(harness)))
    held = Held(harness.store)
    running = asyncio.create_task(Publisher(0, held, RankingWriter(harness.rankings), Crash(None)).run())
    await held.has_read.wait()
    await harness.rankings.flushall()
    held.may_go_on.set()
    await harness.shown()
    await end([running])
    await harness.assert_exact("arcade")


async def test_rankings_from_another_past_are_replaced(harness: Harness, reader: Reader) -> None:
    """A database restored from a backup is older than what Redis shows; Redis gives way."""
    place = ranking_keys(await ranking(harness))[1]
    await harness.rankings.hset(place, "", 1_000)
    reader.publisher.doubt()
    await harness.shown()
    await harness.assert_exact("arcade")


async def test_a_flushed_redis_is_filled_again_without_new_events(harness: Harness, reader: Reader) -> None:
    await harness.rankings.flushall()
    await harness.shown()
    await harness.assert_exact("arcade")


async def test_a_ranking_that_readers_missed_is_rebuilt(harness: Harness, reader: Reader) -> None:
    ranking_id = await ranking(harness)
    await harness.rankings.delete(*ranking_keys(ranking_id))
    await harness.rankings.sadd(REBUILD_KEY, ranking_id, 999_999)
    await harness.shown()
    await harness.assert_exact("arcade")


@pytest.mark.parametrize("part", [0, 1, 2])
async def test_a_partly_evicted_ranking_is_rebuilt_by_the_next_update(
    harness: Harness, reader: Reader, part: int
) -> None:
    ranking_id = await ranking(harness)
    assert await harness.rankings.delete(ranking_keys(ranking_id)[part]) == 1
    plan = Game(parse(await rules(harness))).boards["total"]
    assert await RedisRankings(harness.rankings).lookup(ranking_id, plan, [Lookup("player", "ada", 0)]) is None
    await fold(harness, reader, score("e3", "ada", 1))
    await harness.shown()
    await harness.assert_exact("arcade")


async def test_rankings_that_the_load_does_not_touch_come_back_under_load(harness: Harness, reader: Reader) -> None:
    """A flush while batches keep coming must not wait for a quiet moment."""
    await harness.publish(ruleset(game="chess", text=(await rules(harness)).replace('"arcade"', '"chess"')))
    await harness.publish(score("e1", "ada", 5, game="chess"))
    await reader.drain()
    ranking_id = await ranking(harness)
    await harness.rankings.flushall()
    number = 0
    while await harness.rankings.exists(ranking_keys(ranking_id)[1]) == 0:
        number += 1
        assert number < 2_000, "the ranking never came back"
        await fold(harness, reader, score(f"load-{number}", "ada", 1))
    await harness.shown()
    await harness.assert_exact()


async def rules(harness: Harness) -> str:
    text: str = await harness.value("SELECT text FROM rulesets")
    return text


async def test_an_update_of_many_calls_is_shown_whole(harness: Harness, reader: Reader) -> None:
    await fold(harness, reader, *(score(f"many-{n}", f"p{n}", n) for n in range(2_500)))
    await harness.shown()
    await fold(harness, reader, *(score(f"more-{n}", f"p{n}", 5_000 - 2 * n) for n in range(2_500)))
    await harness.shown()
    await harness.assert_exact("arcade")


async def test_an_emptied_redis_is_filled_again_although_nothing_was_committed_since_the_start(
    harness: Harness,
) -> None:
    await harness.publish(ruleset(), score("a", "ann", 3))
    async with harness.consuming() as reader:
        await reader.drain()
    async with harness.consuming() as reader:
        await harness.shown()
        await harness.rankings.flushdb()
        await harness.shown()
    await harness.assert_exact("arcade")
