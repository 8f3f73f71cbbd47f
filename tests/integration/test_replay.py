"""Replay: it agrees with the live projections or says where they differ, and swaps generations while everything goes on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisAway

from engine.places import Lookup
from projections.catalog import Catalog
from projections.fallback import PostgresRankings
from projections.rankings import RedisRankings
from projections.verifying import DIFFERENCES_MAX
from schemas.errors import NotFound
from tests.harness import RULES, Harness, Reader, event, ruleset, score
from tests.services import eventually
from tests.workload import Workload

pytestmark = pytest.mark.services
DOUBLED = RULES.replace("points = [25, 18, 15]", "points = [50, 36, 30]").replace(
    'keep = { mode = "best", by = "points" }', 'keep = { mode = "latest" }'
)


@pytest.fixture
def workload() -> Workload:
    return Workload(seed=21)


@pytest.fixture
async def reader(harness: Harness, workload: Workload) -> AsyncIterator[Reader]:
    await harness.publish(ruleset(), *workload.take(500))
    async with harness.consuming(batch=100) as reader:
        await reader.drain()
        yield reader


async def test_live_equals_replay_at_every_batch(harness: Harness, reader: Reader, workload: Workload) -> None:
    digests = {(await harness.verify()).live_digest}
    for _ in range(8):
        await harness.publish(*workload.take(30))
        await reader.drain()
        found = await harness.verify()
        assert found.differences == []
        assert found.live_digest == found.replayed_digest
        digests.add(found.live_digest)
    assert len(digests) == 9
    assert found.events == workload.accepted + 1
    assert found.position[2:] == (reader.consumer.state.ms, reader.consumer.state.seq)
    await workload.check(harness)


TAMPERED = {
    "place": "UPDATE standings SET prefix = prefix || '\\x00' WHERE ranking_id = $1 AND player = $2",
    "no place": "UPDATE standings SET prefix = NULL WHERE ranking_id = $1 AND player = $2",
    "extra": "UPDATE standings SET extra = extra || '\\x00' WHERE ranking_id = $1 AND player = $2",
    "state": "UPDATE standings SET state = convert_to(convert_from(state, 'UTF8') || ' ', 'UTF8')"
    " WHERE ranking_id = $1 AND player = $2",
    "hidden": "UPDATE standings SET hidden = prefix WHERE ranking_id = $1 AND player = $2",
    "shifted": "UPDATE standings SET prefix = substr(prefix, 1, length(prefix) - 1),"
    " extra = substr(prefix, length(prefix)) || extra"
    " WHERE ranking_id = $1 AND player = $2",
    "missing": "DELETE FROM standings WHERE ranking_id = $1 AND player = $2",
    "renamed": "UPDATE standings SET player = 'nobody' WHERE ranking_id = $1 AND player = $2",
    "extra row": "INSERT INTO standings SELECT ranking_id, 'nobody', prefix, extra, state, since FROM standings"
    " WHERE ranking_id = $1 AND player = $2",
    "other period": "UPDATE rankings SET period = 'season:none' WHERE ranking_id = $1 AND $2 <> ''",
}


@pytest.mark.parametrize("damage", list(TAMPERED))
async def test_a_tampered_row_is_found(harness: Harness, reader: Reader, damage: str) -> None:
    before = await harness.verify()
    ranking_id, player = await harness.pool.fetchrow(
        "SELECT ranking_id, player FROM standings JOIN rankings USING (ranking_id)"
        " WHERE board = 'total' AND prefix IS NOT NULL ORDER BY player LIMIT 1"
    )
    await harness.pool.execute(TAMPERED[damage], ranking_id, player)
    found = await harness.verify()
    assert found.live_digest != found.replayed_digest == before.replayed_digest
    players = {difference.player for difference in found.differences}
    if damage == "other period":
        assert len(found.differences) == DIFFERENCES_MAX
        assert {difference.board for difference in found.differences} == {"total"}
    else:
        expected = {"renamed": {player, "nobody"}, "extra row": {"nobody"}}.get(damage, {player})
        assert players == expected
        assert {(difference.board, difference.period) for difference in found.differences} == {("total", "all")}
    missing = {difference.player for difference in found.differences if difference.live == "-"}
    surplus = {difference.player for difference in found.differences if difference.replayed == "-"}
    if damage != "other period":
        assert missing == ({player} if damage in ("missing", "renamed") else set())
        assert surplus == ({"nobody"} if damage in ("renamed", "extra row") else set())


async def test_a_fact_that_left_the_archive_is_found(harness: Harness, reader: Reader) -> None:
    await harness.pool.execute('DELETE FROM log WHERE body LIKE \'%"type":"adjustment"%\'')
    found = await harness.verify()
    assert found.differences != []
    assert found.live_digest != found.replayed_digest


async def test_a_game_that_does_not_exist(harness: Harness, reader: Reader) -> None:
    for call in (harness.verify("chess"), harness.swap("chess"), harness.swap(version=7)):
        with pytest.raises(NotFound):
            await call
    assert await harness.value("SELECT count(*) FROM generations") == 1


async def test_a_swap_under_the_same_rules_changes_nothing_that_is_shown(
    harness: Harness, reader: Reader, workload: Workload
) -> None:
    before = (await harness.verify()).live_digest
    swapped = await harness.swap()
    assert swapped.events == workload.accepted + 1
    await harness.shown()
    found = await harness.verify()
    assert (found.live_digest, found.differences) == (before, [])
    assert await harness.value("SELECT live_generation FROM games") == swapped.generation_id
    await harness.publish(*workload.take(200))
    await reader.drain()
    await workload.check(harness)
    await harness.assert_exact("arcade")


async def test_new_rules_hold_from_the_swap_on_for_everything(harness: Harness, reader: Reader) -> None:
    await harness.publish(ruleset(DOUBLED, 2))
    await reader.drain()
    before = await harness.points("cup")
    await harness.assert_exact("arcade")
    assert await harness.value("SELECT max(ruleset_version) FROM generations") == 1
    await harness.swap()
    assert await harness.points("cup") == {player: 2 * points for player, points in before.items()}
    await harness.publish(score("latest-1", "p0", 1), event("player", "p0-plays", player="p0", status="active"))
    await reader.drain()
    assert (await harness.board("best"))["p0"]["points"] == 1
    await harness.assert_exact("arcade")
    await harness.swap(version=1)
    await harness.shown()
    assert await harness.points("cup") == before
    await harness.assert_exact("arcade")


class Hooked(Redis):  # type: ignore[misc]
    """A client that does something before its n-th command, such as failing."""

    hooks: dict[int, Callable[[], Awaitable[None]]]
    commands = 0

    async def execute_command(self, *arguments: Any, **options: Any) -> Any:
        self.commands += 1
        hook = self.hooks.get(self.commands)
        if hook is not None:
            await hook()
        return await super().execute_command(*arguments, **options)


def hooked(harness: Harness, **hooks: Callable[[], Awaitable[None]]) -> Hooked:
    client = Hooked.from_url(harness.rankings_url)
    client.hooks = {int(name[1:]): hook for name, hook in hooks.items()}
    return client


async def away() -> None:
    raise RedisAway("the rankings are away")


async def test_events_folded_during_a_swap_are_not_lost(harness: Harness, reader: Reader, workload: Workload) -> None:
    """They are committed after the archive was read and written, so that the swap has to fold a tail of its own."""

    async def meanwhile() -> None:
        await harness.publish(*workload.take(150), score("new-player", "newcomer", 7))
        await reader.drain()

    redis = hooked(harness, n1=meanwhile)
    swapped = await harness.swap(redis=redis)
    await redis.aclose()
    assert swapped.events == workload.accepted + 2
    workload.totals["newcomer"], workload.runs["newcomer"] = 7, 1
    workload.accepted += 1
    await harness.shown()
    await workload.check(harness)
    await harness.assert_exact("arcade")
    await harness.publish(*workload.take(100))
    await reader.drain()
    await workload.check(harness)
    await harness.assert_exact("arcade")


async def test_a_swap_that_fails_leaves_everything_as_it_was(
    harness: Harness, reader: Reader, workload: Workload
) -> None:
    before = (await harness.verify()).live_digest
    live = await harness.value("SELECT live_generation FROM games")

    async def rows_of(generation: int) -> int:
        query = "SELECT count(*) FROM standings JOIN rankings USING (ranking_id) WHERE generation_id = $1"
        return int(await harness.value(query, generation))

    rows = await rows_of(live)
    redis = hooked(harness, n5=away)
    with pytest.raises(RedisAway):
        await harness.swap(redis=redis)
    await redis.aclose()
    assert await harness.value("SELECT live_generation FROM games") == live
    assert await rows_of(live) == rows
    statuses = await harness.pool.fetch("SELECT status FROM generations ORDER BY generation_id")
    assert [row["status"] for row in statuses] == ["live", "building"]
    await harness.publish(*workload.take(50))
    await reader.drain()
    assert (await harness.verify()).live_digest != before
    await workload.check(harness)
    await harness.assert_exact("arcade")
    # The next swap goes on with what was built.
    assert (await harness.swap()).generation_id == live + 1
    await harness.assert_exact("arcade")


async def test_a_swap_whose_last_step_fails_is_live_all_the_same(
    harness: Harness, reader: Reader, workload: Workload
) -> None:
    """The switch is turned and Redis goes away before it has the tail: nothing of the new generation may be dropped."""

    async def meanwhile() -> None:
        await harness.publish(*workload.take(150))
        await reader.drain()

    class Late(Hooked):
        async def execute_command(self, *arguments: Any, **options: Any) -> Any:
            if await harness.value("SELECT live_generation FROM games") != live:
                await away()
            return await super().execute_command(*arguments, **options)

    live = await harness.value("SELECT live_generation FROM games")
    redis = Late.from_url(harness.rankings_url)
    redis.hooks = {1: meanwhile}
    swapped = await harness.swap(redis=redis)
    await redis.aclose()
    assert await harness.value("SELECT live_generation FROM games") == swapped.generation_id != live
    assert (
        await harness.value("SELECT status FROM generations WHERE generation_id = $1", swapped.generation_id) == "live"
    )
    # The consumer notices, without a new event, that the catalog has changed.
    await harness.shown()
    await workload.check(harness)
    await harness.assert_exact("arcade")


async def test_reads_go_on_during_swaps_under_load(harness: Harness, reader: Reader, workload: Workload) -> None:
    """Readers see the old generation or the new one, whole: no failure, no gap, no mixture."""
    await harness.publish(ruleset(DOUBLED, 2))
    await harness.publish(
        *(event("result", f"m{n}", fixture=f"m{n}", placements=[{"player": "mixed", "position": 1}]) for n in range(4)),
        *(event("result", f"o{n}", fixture=f"o{n}", placements=[{"player": "other", "position": 1}]) for n in range(4)),
    )
    await reader.drain()
    catalog = Catalog(harness.pool)
    await catalog.start()
    seen: list[tuple[str, tuple[int, int]]] = []
    done = asyncio.Event()

    async def read(kind: str, rankings: RedisRankings | PostgresRankings) -> None:
        while not done.is_set():
            info = await catalog.game("arcade")
            ranking_id = await catalog.ranking(info, "cup", "all")
            assert ranking_id is not None
            plan = info.game.boards["cup"]
            answer = await rankings.lookup(ranking_id, plan, [Lookup("player", name, 0) for name in ("mixed", "other")])
            assert answer is not None, kind
            points = [plan.decode(place.prefix, place.extra)["points"] for place in answer.found if place is not None]
            seen.append((kind, (int(points[0] or 0), int(points[1] or 0))))
            await asyncio.sleep(0)

    async def load() -> None:
        while not done.is_set():
            await harness.publish(*workload.take(20))
            await reader.step()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(read("redis", RedisRankings(harness.rankings)))
        tasks.create_task(read("postgres", PostgresRankings(harness.pool)))
        tasks.create_task(load())
        for version in (2, 1, 2):
            await harness.swap(version=version)
            expected = (100 * version, 100 * version)
            await eventually(lambda expected=expected: {seen[-1][1], seen[-2][1]} == {expected})
        done.set()
    assert {points for _, points in seen} == {(100, 100), (200, 200)}
    assert {kind for kind, _ in seen} == {"redis", "postgres"}
    await catalog.stop()
    await reader.drain()
    await harness.assert_exact("arcade")
    await harness.swap(version=1)
    await harness.shown()
    await harness.assert_exact("arcade")


async def test_swaps_while_a_real_consumer_folds(harness: Harness, workload: Workload) -> None:
    await harness.publish(ruleset(), *workload.take(300))
    with harness.living(batch_events_max=30):
        await harness.caught_up()
        await harness.publish(*workload.take(1_500))
        first = await harness.swap()
        second = await harness.swap()
        assert second.generation_id > first.generation_id
        await harness.publish(*workload.take(300))
        await harness.caught_up()
    await workload.check(harness)
    await harness.assert_exact("arcade")
