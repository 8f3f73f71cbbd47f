"""How rankings in Redis are kept right: versions, gaps, updates that were cut short, rebuilds, evicted keys."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from engine.boards import BoardPlan
from engine.places import Answer, Lookup, Window
from projections.names import ranking_keys
from projections.rankings import MEMBERS_PER_CALL, Pending, RankingWriter, RedisRankings, calls_of
from schemas.position import Position
from tests.contract.stores import Naive, Places, place, plan

RANKING = 7
KEYS = ranking_keys(RANKING)
STYLES = ["competition", "dense"]
pytestmark = pytest.mark.services


@pytest.fixture
async def redis(redis_rankings_url: str) -> AsyncIterator[Redis]:
    """A client of an empty Redis."""
    async with Redis.from_url(redis_rankings_url) as client:
        yield client


def pending(start: int, version: int, places: Places, *, dense: bool = False) -> dict[int, Pending]:
    """An update of the ranking."""
    made = Pending(start, dense=dense)
    made.version, made.places = version, dict(places)
    return {RANKING: made}


async def shown(redis: Redis, board: BoardPlan) -> Answer | None:
    """The whole ranking, as a reader sees it."""
    return await RedisRankings(redis).lookup(RANKING, board, [Lookup("top", 0, 5_000)])


async def shows(redis: Redis, board: BoardPlan, places: Places, version: int) -> None:
    """Fails unless a reader sees exactly these places, and nothing is left over in any key."""
    naive = Naive(board, places, version)
    assert await shown(redis, board) == naive.lookup([Lookup("top", 0, 5_000)])
    assert await RankingWriter(redis).versions([RANKING]) == [version]
    assert await redis.zcard(KEYS[0]) == len(naive.lines)
    distinct = {prefix for prefix, _, _ in naive.lines} if board.style == "dense" else set()
    assert set(await redis.zrange(KEYS[2], 0, -1)) == distinct


@pytest.mark.parametrize("style", STYLES)
async def test_updates_move_add_and_remove(redis: Redis, style: str) -> None:
    board, writer, chance = plan(style), RankingWriter(redis), random.Random(5)
    everybody: Places = {}
    for version in range(1, 30):
        moved: Places = {f"p{chance.randint(0, 20)}": place(chance.choice([None, 1, 2, 3])) for _ in range(4)}
        assert await writer.update(pending(version - 1, version, moved, dense=style == "dense")) == []
        everybody |= moved
        await shows(redis, board, everybody, version)


async def test_a_stale_update_is_ignored(redis: Redis) -> None:
    board, writer = plan("competition"), RankingWriter(redis)
    await writer.update(pending(0, 1, {"a": place(1)}))
    await writer.update(pending(1, 5, {"a": place(5)}))
    for stale in (pending(0, 1, {"a": place(9)}), pending(1, 5, {"a": place(9)}), pending(2, 4, {"b": place(9)})):
        assert await writer.update(stale) == []
        await shows(redis, board, {"a": place(5)}, 5)


@pytest.mark.parametrize(("start", "version"), [(6, 7), (4, 6), (0, 6)])
async def test_a_gap_is_told_and_changes_nothing(redis: Redis, start: int, version: int) -> None:
    board, writer = plan("competition"), RankingWriter(redis)
    await writer.update(pending(0, 5, {"a": place(1)}))
    assert await writer.update(pending(start, version, {"a": place(9)})) == [RANKING]
    await shows(redis, board, {"a": place(1)}, 5)


async def test_an_update_of_a_ranking_that_is_not_there_is_a_gap(redis: Redis) -> None:
    assert await RankingWriter(redis).update(pending(3, 4, {"a": place(9)})) == [RANKING]
    assert await redis.keys() == []


async def test_a_gap_in_one_ranking_does_not_hold_up_the_others(redis: Redis) -> None:
    writer = RankingWriter(redis)
    updates = {number: pending(0 if number % 3 else 9, 10, {"a": place(1)})[RANKING] for number in range(1, 80)}
    assert await writer.update(updates) == [number for number in updates if number % 3 == 0]
    assert await writer.versions(list(updates)) == [10 if number % 3 else None for number in updates]


@pytest.mark.parametrize("style", STYLES)
async def test_hiding_and_showing_again(redis: Redis, style: str) -> None:
    board, writer, chance = plan(style), RankingWriter(redis), random.Random(9)
    everybody: Places = {f"p{number}": place(number % 4) for number in range(12)}
    hidden: Places = {}
    for version in range(1, 31):
        moved = pending(version - 1, version, everybody, dense=style == "dense")
        before, hidden = (
            hidden,
            {name: everybody[name] for name in chance.sample(sorted(everybody), chance.randint(0, 5))},
        )
        moved[RANKING].places |= dict.fromkeys(hidden, (None, b""))
        moved[RANKING].hidden = {**dict.fromkeys(before, (None, b"")), **hidden}
        assert await writer.update(moved) == []
        await shows(redis, board, {name: line for name, line in everybody.items() if name not in hidden}, version)
        assert await redis.hlen(KEYS[3]) == len(hidden)


async def test_hidden_places_that_were_evicted_are_a_gap(redis: Redis) -> None:
    board, writer = plan("competition"), RankingWriter(redis)
    update = pending(0, 1, {"a": place(1)})
    update[RANKING].hidden = {"b": place(2)}
    assert await writer.update(update) == []
    await shows(redis, board, {"a": place(1)}, 1)
    await redis.delete(KEYS[3])
    assert await shown(redis, board) is None
    assert await writer.versions([RANKING]) == [None]
    assert await writer.update(pending(1, 2, {"a": place(3)})) == [RANKING]
    lines = [("a", place(3)[0] or b"", b"")]
    await writer.rebuild(RANKING, 2, lines, [("b", place(2)[0] or b"", b"")], dense=False)
    await shows(redis, board, {"a": place(3)}, 2)
    # Hidden places without the ranking that they belong to are no ranking either.
    await redis.delete(KEYS[0], KEYS[1])
    assert await writer.update(pending(0, 1, {"c": place(1)})) == [RANKING]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("done", [1, 2])
async def test_an_update_that_was_cut_short_can_be_repeated(redis: Redis, style: str, done: int) -> None:
    board, dense, writer = plan(style), style == "dense", RankingWriter(redis)
    before: Places = {f"p{number}": place(number % 7) for number in range(2_500)}
    await writer.update(pending(0, 1, before, dense=dense))
    after: Places = {name: place(None if number % 5 == 0 else number % 9) for number, name in enumerate(before)}
    update = pending(1, 2, after, dense=dense)
    calls = list(calls_of(update[RANKING]))
    assert len(calls) == 3
    for arguments in calls[:done]:
        assert await writer._update(keys=KEYS, args=arguments) == b"ok"
    # Readers see the version that it started from; whoever checks sees that it is not whole.
    assert (await shown(redis, board) or Answer(0, 0, [])).version == 1
    assert await writer.versions([RANKING]) == [None]
    # Neither another update nor one from elsewhere may take it up.
    assert await writer.update(pending(1, 3, {"x": place(1)}, dense=dense)) == [RANKING]
    assert await writer.update(pending(2, 3, {"x": place(1)}, dense=dense)) == [RANKING]
    assert await writer.update(update) == []
    await shows(redis, board, after, 2)
    assert await writer.update(update) == []
    await shows(redis, board, after, 2)


@pytest.mark.parametrize("style", STYLES)
async def test_a_rebuild_replaces_everything(redis: Redis, style: str) -> None:
    board, writer = plan(style, extra=True), RankingWriter(redis)
    await writer.update(pending(0, 1, {"a": place(1, 0), "gone": place(3, 0)}, dense=style == "dense"))
    places: Places = {f"p{number}": place(number % 7, number) for number in range(MEMBERS_PER_CALL * 2 + 1)}
    lines = [(player, prefix, extra) for player, (prefix, extra) in places.items() if prefix is not None]
    await writer.rebuild(RANKING, 9, lines, dense=style == "dense")
    await shows(redis, board, places, 9)
    keys: list[Any] = await redis.keys()
    assert sorted(keys) == sorted(key.encode() for key in KEYS[: 3 if style == "dense" else 2])
    assert {await redis.ttl(key) for key in keys} == {-1}
    assert await writer.update(pending(9, 10, {"p0": place(None)}, dense=style == "dense")) == []
    await shows(redis, board, {**places, "p0": place(None)}, 10)


async def test_a_rebuild_to_an_empty_ranking(redis: Redis) -> None:
    board, writer = plan("dense"), RankingWriter(redis)
    await writer.update(pending(0, 1, {"a": place(1)}, dense=True))
    await writer.rebuild(RANKING, 2, [], dense=True)
    await shows(redis, board, {}, 2)


async def test_a_rebuild_gives_way_to_a_newer_ranking_unless_it_is_forced(redis: Redis) -> None:
    board, writer = plan("competition"), RankingWriter(redis)
    await writer.update(pending(0, 5, {"a": place(1)}))
    older = [("a", b"\x80", b"")]
    await writer.rebuild(RANKING, 4, older, dense=False, force=False)
    await shows(redis, board, {"a": place(1)}, 5)
    await writer.rebuild(RANKING, 4, older, dense=False, force=True)
    await shows(redis, board, {"a": (b"\x80", b"")}, 4)


@pytest.mark.parametrize("key", [0, 1, 2], ids=["members", "places", "distinct"])
async def test_the_eviction_of_one_key_is_noticed(redis: Redis, key: int) -> None:
    board, writer = plan("dense"), RankingWriter(redis)
    places: Places = {"a": place(5), "b": place(5), "c": place(1)}
    await writer.update(pending(0, 1, places, dense=True))
    await redis.delete(KEYS[key])
    assert await shown(redis, board) is None
    assert await writer.update(pending(1, 2, {"c": place(2)}, dense=True)) == [RANKING]
    assert await shown(redis, board) is None
    lines = [(player, prefix, extra) for player, (prefix, extra) in places.items() if prefix is not None]
    await writer.rebuild(RANKING, 2, lines, dense=True)
    await shows(redis, board, places, 2)


@pytest.mark.parametrize("key", [0, 1], ids=["members", "places"])
async def test_versions_tell_what_is_missing_or_partly_evicted(redis: Redis, key: int) -> None:
    writer = RankingWriter(redis)
    await writer.update(pending(0, 3, {"a": place(5)}))
    assert await writer.versions([RANKING, 8]) == [3, None]
    await redis.delete(KEYS[key])
    assert await writer.versions([RANKING]) == [None]


async def test_scripts_are_loaded_again_when_redis_has_forgotten_them(redis: Redis) -> None:
    board, writer, reader = plan("competition"), RankingWriter(redis), RedisRankings(redis)
    await writer.update(pending(0, 1, {"a": place(1)}))
    assert await reader.lookup(RANKING, board, [Lookup("top", 0, 1)]) is not None
    await redis.script_flush()
    assert await writer.update(pending(1, 2, {"a": place(2)})) == []
    await redis.script_flush()
    answer = await reader.lookup(RANKING, board, [Lookup("top", 0, 1)])
    assert answer is not None
    assert answer.version == 2


async def test_look_ups_of_one_turn_of_the_event_loop_go_out_together(redis: Redis) -> None:
    board, writer, reader = plan("competition"), RankingWriter(redis), RedisRankings(redis)
    places: Places = {f"p{number}": place(number) for number in range(20)}
    for number in (RANKING, 8):
        await writer.update({number: pending(0, 1, places)[RANKING]})
    naive = Naive(board, places, 1)
    asked = [[Lookup("player", f"p{number}", number % 3), Lookup("at", number, 2)] for number in range(20)]
    answers: list[Any] = await asyncio.gather(
        *(reader.lookup(RANKING if at % 2 else 8, board, lookups) for at, lookups in enumerate(asked)),
        reader.lookup(9, board, [Lookup("top", 0, 1)]),
    )
    assert answers[-1] is None
    assert answers[:-1] == [naive.lookup(lookups) for lookups in asked]
    assert (reader.calls, reader.lookups) == (3, 41)


async def test_one_caller_who_gives_up_does_not_hurt_the_others(redis: Redis) -> None:
    board, writer, reader = plan("competition"), RankingWriter(redis), RedisRankings(redis)
    await writer.update(pending(0, 1, {"a": place(1)}))
    first, second = (asyncio.ensure_future(reader.lookup(RANKING, board, [Lookup("top", 0, 1)])) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    answer = await second
    assert answer is not None
    assert isinstance(answer.found[0], Window)


async def test_how_far_the_rankings_of_a_shard_are(redis: Redis) -> None:
    writer, reader, position = RankingWriter(redis), RedisRankings(redis), Position(1, 0, 1_763_840_000_000, 3)
    assert (await writer.shown(0), await reader.applied(0)) == (None, None)
    assert await writer.applied(0, 5, position) is False
    assert await writer.applied(0, 6, position) is True
    assert (await writer.shown(0), await reader.applied(0)) == (6, (6, position, 0))
    assert await writer.applied(0, 7, position, 3) is True
    assert await reader.applied(0) == (7, position, 3)
    assert await reader.applied(1) is None


async def test_readers_ask_for_what_they_miss(redis: Redis) -> None:
    writer, reader = RankingWriter(redis), RedisRankings(redis)
    for ranking in (3, 9, 3):
        await reader.ask_rebuild(ranking)
    assert sorted(await writer.asked()) == [3, 9]
    assert await writer.asked() == []
