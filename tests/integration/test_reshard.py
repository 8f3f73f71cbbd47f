"""Changing the number of shards: nothing is lost or counted twice, and the past stays what it was."""

import asyncio
import os
import signal
import sys
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from consumers.crash import RESHARD_POINTS
from projections import building, dead_letters, generations, reshard
from projections.epochs import latest
from projections.names import closed_key, epoch_key, shard_of
from projections.retention import forget
from schemas.errors import LogBroken, RankfoldError
from tests.harness import ROOT, Harness, event, renamed, ruleset, score, silent
from tests.integration.resharding import NAMES, Games, answer, change, serving
from tests.services import eventually

pytestmark = pytest.mark.services


async def test_there_and_back_with_live_consumers(harness: Harness) -> None:
    games = Games(harness)
    with harness.living(batch_events_max=20), harness.living(batch_events_max=20):
        await eventually(lambda: latest(harness.pool))
        await games.start(1)
        await harness.caught_up()
        await games.publish(200)
        for epoch, (shards, streams) in enumerate(((3, 3), (2, 3), (4, 4), (4, 4)), 2):
            done = await change(harness, shards)
            assert (done.epoch, done.shards, done.began) == (min(epoch, 4), shards, epoch < 5)
            homes = dict(await harness.pool.fetch("SELECT name, shard FROM games"))
            assert homes == {name: shard_of(name, shards) for name in NAMES}
            await games.publish(200)
            await games.check(streams)
        assert await harness.dead_letters() == []
        # A game of the new epoch, and rules that come to it.
        name = next(name for name in map("later-{}".format, range(99)) if shard_of(name, 4) == 3)
        await harness.publish(ruleset(renamed(name), game=name), score("x", "ada", 5, game=name), shard=3)
        await harness.caught_up(3)
        assert await harness.points(game=name) == {"ada": 5}
    log = "".join(child.log for child in harness.children)
    assert "Traceback" not in log, log[log.index("Traceback") - 500 :]


async def test_publishers_and_readers_over_http_notice_nothing(harness: Harness) -> None:
    """They publish while the number changes, retry what was refused for the moment, and read what they wrote."""
    games = Games(harness)
    stop = asyncio.Event()
    positions: list[tuple[str, str]] = []

    async def publish(client: TestClient[Any, Any]) -> None:
        while not stop.is_set():
            for body in games.take(5):
                game = body["game"]
                while True:
                    async with client.post(f"/v1/games/{game}/events?wait=10000", json=[body]) as response:
                        if response.status == 202:
                            positions.append((game, (await response.json())["position"]))
                            break
                        assert response.status == 503, await response.text()

    with harness.living(), harness.living():
        async with serving(harness) as client, serving(harness) as other:
            await eventually(lambda: latest(harness.pool))
            await games.start(1)
            await harness.caught_up()
            publishers = [asyncio.create_task(publish(each)) for each in (client, client, other)]
            mine = next(name for name in NAMES if shard_of(name, 3) not in (0, shard_of(name, 2)))
            await games.say(client, mine, 1)
            for shards in (3, 2):
                count = len(positions)
                await eventually(lambda count=count: len(positions) > count + 30, 60)
                assert (await change(harness, shards)).began
                await games.say(other, mine, shards)
            count = len(positions)
            await eventually(lambda: len(positions) > count + 30, 60)
            stop.set()
            await asyncio.gather(*publishers)
            # Whoever publishes twice at once may be answered as a duplicate without an entry: count entries.
            games.duplicates = (await harness.verdicts()).get(1, 0)
            await games.check(3)
            assert await harness.dead_letters() == []
            assert {position.split(".")[0] for _, position in positions} == {"1", "2", "3"}
            for game, position in (positions[0], positions[len(positions) // 2], positions[-1]):
                page = await answer(other, "GET", f"/v1/games/{game}/boards/total?min_position={position}")
                shown = {entry["player"]: entry["metrics"]["points"] for entry in page["entries"]}
                assert shown == dict(games.totals[game])
            again = await answer(client, "POST", f"/v1/games/{mine}/events", [score("said-1", "ada", 1, game=mine)])
            assert (again["duplicates"], again["position"].split(".")[0]) == (1, "1")
            path = f"/v1/games/{mine}/boards/total/players/ada"
            history = (await answer(client, "GET", f"{path}/history"))["history"]
            assert [line["metrics"]["points"] for line in history] == [6, 4, 1]
            assert [line["position"].split(".")[0] for line in history] == ["3", "2", "1"]
            times = [line["from"] for line in history]
            assert times == sorted(times, reverse=True)
            assert [line["to"] for line in history[1:]] == times[:-1]
            # What was displayed then: positions of every epoch tell.
            for line, points in zip(history, (6, 4, 1), strict=True):
                for known_at in (line["position"], line["from"]):
                    then = await answer(other, "GET", f"{path}?known_at={known_at}")
                    assert then["metrics"]["points"] == points
            explained = await answer(client, "GET", f"{path}/explain")
            assert [mark["event"] for mark in explained["parts"]] == ["said-1", "said-3", "said-2"]


async def test_entries_for_a_game_that_has_moved_can_be_tried_again(harness: Harness) -> None:
    """Who writes to streams without looking where a game lives by now loses nothing."""
    games = Games(harness)
    with harness.living():
        await eventually(lambda: latest(harness.pool))
        await games.start(1)
        await harness.caught_up()
        await change(harness, 3)
        bodies = games.take(40)
        await harness.publish(*bodies)
        await harness.caught_up(0)
        letters = await harness.dead_letters()
        moved = [body for body in bodies if shard_of(body["game"], 3) != 0]
        assert len(letters) == len(moved) > 0
        home = shard_of(moved[0]["game"], 3)
        assert letters[0].reason == f"this game lives on shard {home}, not on shard 0"
        # So does who writes to a stream that is no shard's any more.
        await change(harness, 1)
        more = games.take(10)
        await harness.publish(*more, shard=2)
        await harness.caught_up(2)
        letters = await harness.dead_letters()
        assert len(letters) == len(moved) + len(more)
        positions = await dead_letters.retry(harness.pool, harness.log, [letter.id for letter in letters])
        assert {position[:2] for position in positions} == {(3, 0)}
        games.duplicates = 0
        await harness.caught_up(0)
        games.duplicates = (await harness.verdicts()).get(1, 0)
        await games.check(3)


async def test_it_waits_until_everything_is_archived_and_gives_up_without_a_trace(harness: Harness) -> None:
    games = Games(harness)
    with harness.living():
        await eventually(lambda: latest(harness.pool))
        await games.start(1)
        await harness.caught_up()
    await harness.publish(*games.take(5))
    with pytest.raises(RankfoldError, match="not archived: 0"):
        await change(harness, 3, timeout_s=0.2)
    assert await harness.log.get(closed_key(0)) is None
    assert (await harness.store.shard(0)).epoch == 1
    changing = asyncio.create_task(change(harness, 3))
    await eventually(lambda: harness.log.get(closed_key(0)))
    body = score("late", "ada", 1, game=NAMES[0])
    async with serving(harness) as client, client.post(f"/v1/games/{NAMES[0]}/events", json=[body]) as response:
        assert response.status == 503
        assert "number of shards" in (await response.json())["detail"]
    with harness.living():
        assert (await changing).epoch == 2
        await games.publish(50)
        await games.check(3)


async def test_broken_off_between_the_database_and_the_log(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    games = Games(harness)
    with harness.living() as child:
        await eventually(lambda: latest(harness.pool))
        await games.start(1)
        await harness.caught_up()
        await games.publish(50)
        with monkeypatch.context() as patched:
            patched.setattr(reshard, "_open", _killed)
            with pytest.raises(KeyboardInterrupt):
                await change(harness, 3)
        with pytest.raises(RankfoldError, match="3 shards was broken off"):
            await change(harness, 2)
        entry = (await harness.publish(*games.take(1)))[0]
        await eventually(lambda: "shard stopped" in child.log)
        assert "rankfold reshard" in child.log
        done = await change(harness, 3)
        assert (done.epoch, done.began) == (2, False)
        epoch = await latest(harness.pool)
        assert epoch is not None
        assert epoch.opened
        await harness.reached(entry, 0, 60)
        await dead_letters.retry(harness.pool, harness.log, [letter.id for letter in await harness.dead_letters()])
        await games.publish(50)
        await games.check(3)


async def _killed(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("point", RESHARD_POINTS)
async def test_killed_at(harness: Harness, point: str) -> None:
    """Whenever the command is killed, running it again finishes, and whoever published meanwhile has lost nothing."""
    games = Games(harness)
    with harness.living(), harness.living():
        await eventually(lambda: latest(harness.pool))
        await games.start(1)
        await harness.caught_up()
        await games.publish(30)
        killed = await _command(harness, "3", point if point != "reshard_telling" else f"{point}:2")
        assert killed == -signal.SIGKILL
        began = await latest(harness.pool)
        assert began is not None
        assert (began.number, began.opened) == ((1, True) if point in RESHARD_POINTS[:2] else (2, False))
        await games.publish(20)
        assert await _command(harness, "3") == 0
        await games.publish(30)
        await games.check(3)
        assert await harness.dead_letters() == []


async def _command(harness: Harness, shards: str, crash_at: str = "") -> int | None:
    """Runs the command; its exit status."""
    environment = {
        **os.environ,
        "REDIS_LOG_URL": harness.log_url,
        "DATABASE_URL": harness.database_url,
        "RANKFOLD_CRASH_AT": crash_at,
    }
    command = [sys.executable, "-m", "cli.main", "reshard", shards]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment)
    return await process.wait()


async def test_generations_carry_over(harness: Harness) -> None:
    """A build begun in one epoch goes live in the next; one that the change overtakes says so and goes on where it was."""
    games = Games(harness)
    mine = next(name for name in NAMES if shard_of(name, 3) != 0)
    with harness.living():
        await eventually(lambda: latest(harness.pool))
        await games.start(1)
        await harness.caught_up()
        await games.publish(50)
        await harness.caught_up()
        generation_id = await generations.begin(harness.pool, mine)
        built = await building.Build.open(harness.pool, generation_id, silent)
        await built.catch_up()
        await change(harness, 3)
        await games.publish(100)
        for shard in range(3):
            await harness.caught_up(shard)
        with pytest.raises(RankfoldError, match="moved to another shard"):
            await built.join(generations._go_live)
        await built.catch_up()
        await built.join(generations._go_live)
        assert await harness.value("SELECT live_generation FROM games WHERE name = $1", mine) == generation_id
        await games.publish(50)
        await games.check(3)


async def test_a_board_that_is_frozen_stays_so_and_can_be_thawed(harness: Harness) -> None:
    mine = next(name for name in NAMES if shard_of(name, 3) != 0)
    home = shard_of(mine, 3)

    async def sees(client: TestClient[Any, Any], points: int, *, frozen: bool) -> None:
        async def so() -> bool:
            page = await answer(client, "GET", f"/v1/games/{mine}/boards/total")
            return (page["entries"][0]["metrics"]["points"], "frozen" in page) == (points, frozen)

        await eventually(so, what=f"the board shows {points}")

    with harness.living():
        async with serving(harness) as client:
            await eventually(lambda: latest(harness.pool))
            await harness.publish(ruleset(renamed(mine), game=mine), score("e1", "ada", 1, game=mine))
            await harness.publish(event("freeze", "f1", game=mine), score("e2", "ada", 2, game=mine))
            await harness.caught_up()
            await sees(client, 1, frozen=True)
            await change(harness, 3)
            await harness.publish(score("e3", "ada", 4, game=mine), shard=home)
            await harness.caught_up(home)
            await sees(client, 1, frozen=True)
            await harness.publish(event("thaw", "t1", game=mine), shard=home)
            await harness.caught_up(home)
            await sees(client, 7, frozen=False)


async def test_what_was_forgotten_stays_so_and_no_more_is(harness: Harness) -> None:
    """Versions of two shards do not compare: what one has forgotten says nothing of a game that comes from the other."""
    mine, busy = (next(name for name in NAMES if shard_of(name, 2) == shard) for shard in (1, 0))
    home = shard_of(mine, 3)
    assert home != 1
    async with serving(harness) as client:

        async def then(known_at: str) -> Any:
            path = f"/v1/games/{mine}/boards/total/players/ada?known_at={known_at}"
            async with client.get(path) as response:
                return (await response.json())["metrics"]["points"] if response.status == 200 else response.status

        async def history() -> list[int]:
            lines = await answer(client, "GET", f"/v1/games/{mine}/boards/total/players/ada/history")
            return [line["metrics"]["points"] for line in lines["history"]]

        with harness.living(shards=2):
            await eventually(lambda: latest(harness.pool))
            await harness.publish(ruleset(renamed(busy), game=busy))
            for number in range(30):
                await harness.publish(score(f"b{number}", "bob", 1, game=busy))
                await harness.caught_up()
            await harness.publish(ruleset(renamed(mine), game=mine), shard=1)
            entries = []
            for points in (1, 2):
                entries += await harness.publish(score(f"e{points}", "ada", points, game=mine), shard=1)
                await harness.caught_up(1)
            await forget(harness.pool, 0, 0)
            await change(harness, 3)
            entries += await harness.publish(score("e4", "ada", 4, game=mine), shard=home)
            await harness.caught_up(home)
            positions = [
                f"{epoch}.{shard}.{ms}-{seq}"
                for (epoch, shard), (ms, seq) in zip([(1, 1), (1, 1), (2, home)], entries, strict=True)
            ]
            assert [await then(position) for position in positions] == [1, 3, 7]
            assert await history() == [7, 3, 1]
            # As old as the epoch: what was before it goes as a whole.
            await forget(harness.pool, home, 0)
            await forget(harness.pool, 1, 0)
            assert [await then(position) for position in positions] == [410, 410, 7]
            assert await history() == [7]


async def test_it_refuses_a_log_that_is_not_the_archived_one(harness: Harness) -> None:
    with pytest.raises(RankfoldError, match="has not begun"):
        await change(harness, 2)
    games = Games(harness)
    with harness.living():
        await eventually(lambda: latest(harness.pool))
        await games.start(1)
        await harness.caught_up()
    await harness.log.delete(epoch_key(0))
    with pytest.raises(LogBroken):
        await change(harness, 2)
    await harness.log.set(epoch_key(0), 1)
    assert (await change(harness, 1)).began is False
    assert (await change(harness, 2)).epoch == 2
