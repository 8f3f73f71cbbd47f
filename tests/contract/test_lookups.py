"""Look-ups of many readers at once: everybody gets his own answer, and Redis is asked a few times at a time."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from engine.places import Answer, Lookup
from projections.rankings import LINES_AT_ONCE, UNDER_WAY, Pending, RankingWriter, RedisRankings
from tests.contract.stores import Naive, Places, place, plan

pytestmark = pytest.mark.services
PAUSE_MS = 2_000
PLAYERS = [f"p{number}" for number in range(100)]


@pytest.fixture
async def redis(redis_rankings_url: str) -> AsyncIterator[Redis]:
    """A client of an empty Redis."""
    async with Redis.from_url(redis_rankings_url) as client:
        yield client


async def filled(redis: Redis, rankings: int) -> dict[int, Naive]:
    """So many rankings, as they are and as they should be read."""
    chance, board, found = random.Random(3), plan("competition"), {}
    for ranking_id in range(1, rankings + 1):
        places: Places = {player: place(chance.randrange(30)) for player in PLAYERS}
        update = Pending(0, dense=False)
        update.version, update.places = 1, dict(places)
        assert await RankingWriter(redis).update({ranking_id: update}) == []
        found[ranking_id] = Naive(board, places, 1)
    return found


async def test_everybody_gets_his_own_answer(redis: Redis) -> None:
    naive, board, chance = await filled(redis, 4), plan("competition"), random.Random(4)
    reader = RedisRankings(redis)

    async def ask(turns: int) -> None:
        for _ in range(turns):
            ranking_id = chance.choice(list(naive))
            around = chance.choice([0, 0, 3, 40])
            lookups = [Lookup("player", player, around) for player in chance.sample(PLAYERS, chance.randint(1, 60))]
            lookups.append(Lookup("top", 0, chance.randint(1, 100)))
            assert await reader.lookup(ranking_id, board, lookups) == naive[ranking_id].lookup(lookups)

    await asyncio.gather(*(ask(5) for _ in range(100)))
    # One connection for each call under way, and the fixture's own.
    assert len(await redis.client_list()) <= UNDER_WAY + 1


async def test_what_comes_together_goes_together(redis: Redis) -> None:
    await filled(redis, 1)
    reader = RedisRankings(redis)
    lookups = [[Lookup("player", player, 0)] for player in PLAYERS]
    answers = await asyncio.gather(*(reader.lookup(1, plan("competition"), each) for each in lookups))
    assert all(isinstance(answer, Answer) for answer in answers)
    assert reader.lookups == len(PLAYERS)
    assert reader.calls == -(-len(PLAYERS) // LINES_AT_ONCE)


async def test_who_waits_for_a_redis_that_hangs_is_told_with_the_first(redis: Redis, redis_rankings_url: str) -> None:
    naive, board = await filled(redis, 1), plan("competition")
    async with Redis.from_url(redis_rankings_url, socket_timeout=0.5, retry=Retry(NoBackoff(), 0)) as hasty:
        reader = RedisRankings(hasty)
        many = [Lookup("player", player, 0) for player in PLAYERS]
        assert await reader.lookup(1, board, many) == naive[1].lookup(many)
        await redis.client_pause(PAUSE_MS)
        before = reader.calls
        asked = (reader.lookup(1, board, many) for _ in range(50))
        for error in await asyncio.gather(*asked, return_exceptions=True):
            assert isinstance(error, RedisError)
        assert reader.calls <= before + UNDER_WAY
        await redis.ping()
        assert await reader.lookup(1, board, many) == naive[1].lookup(many)
