"""The cold archive: old months go to files and come back as they were, and nobody folds or explains a part of the past."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from cli import archive as commands
from cli.settings import Settings
from projections import cold, coldfile, erasure, generations
from projections.names import stream_key
from schemas.errors import Conflict, InColdArchive, InvalidInput, NotFound, RankfoldError
from tests.harness import Harness, Reader, event, ruleset, score, silent

pytestmark = pytest.mark.services
FEBRUARY = int(datetime(2025, 2, 1, tzinfo=UTC).timestamp()) * 1000
NAME = "log_2025_01"
PACKED = msgspec.msgpack.encode(score("packed", "cid", 2))
BROKEN = [b"{}", b"\xff\xfe nothing", b'{\n"type": "score"}', b"  {} "]


async def publish_old(harness: Harness, first_ms: int, *bodies: Any) -> None:
    """Appends with recorded times from long ago, one second after the other."""
    for number, body in enumerate(bodies):
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        await harness.log.xadd(stream_key(0), {"event": data}, id=f"{first_ms + number * 1000}-0")


@pytest.fixture
async def reader(harness: Harness) -> AsyncIterator[Reader]:
    """January has scores of all kinds, February one of ada's and one of eve's, the present one of bob's."""
    old = [score("j1", "ada", 5), score("j2", "bob", 3), PACKED, *BROKEN, score("j1", "ada", 5), score("j3", "ada", 1)]
    await publish_old(harness, FEBRUARY - 3_600_000, ruleset(), *old)
    await publish_old(harness, FEBRUARY + 3_600_000, score("f1", "ada", 10), score("f2", "eve", 4))
    await harness.publish(score("n1", "bob", 20))
    async with harness.consuming() as reader:
        await reader.drain()
        yield reader


def unpacked(folder: Path) -> bytes:
    return gzip.decompress((folder / f"{NAME}.jsonl.gz").read_bytes())


async def rows(harness: Harness) -> list[asyncpg.Record]:
    return await harness.pool.fetch("SELECT * FROM log ORDER BY game_id, epoch, shard, ms, seq")


async def export(harness: Harness, folder: Path, *, drop: bool = True) -> coldfile.Manifest:
    (manifest,) = await cold.export(harness.pool, harness.log, folder, FEBRUARY)
    if drop:
        await cold.drop(harness.pool, folder, manifest.name)
    return manifest


async def test_a_month_goes_and_comes_back_as_it_was(harness: Harness, reader: Reader, tmp_path: Path) -> None:
    before = await rows(harness)
    manifest = await export(harness, tmp_path)
    assert (manifest.name, manifest.games) == (NAME, {"arcade": 6, "": len(BROKEN)})
    lines = [msgspec.json.decode(line) for line in unpacked(tmp_path).splitlines()]
    assert lines[len(BROKEN) + 1]["event"] == score("j1", "ada", 5)
    assert len(await rows(harness)) == len(before) - len(lines)
    assert (await cold.stretches(harness.pool))[0].dropped_at is not None
    # Ids stay: a duplicate of what is cold is one.
    await harness.publish(score("j2", "bob", 3), score("j3", "ada", 2))
    await reader.drain()
    assert (await harness.dead_letters())[-1].reason.startswith("the id 'j3' was used")
    assert await harness.points() == {"ada": 16, "bob": 23, "cid": 2, "eve": 4}
    assert coldfile.verified(tmp_path, NAME) == manifest == cold.listed(tmp_path)[0]
    await cold.restore(harness.pool, tmp_path, NAME)
    after = await rows(harness)
    assert [row for row in after if row in before] == before
    await harness.assert_exact("arcade")
    # The same entries give the same file.
    file = (tmp_path / f"{NAME}.jsonl.gz").read_bytes()
    assert await export(harness, tmp_path, drop=False) == manifest
    assert (tmp_path / f"{NAME}.jsonl.gz").read_bytes() == file


async def test_a_replay_without_the_files_is_refused_and_with_them_exact(
    harness: Harness, reader: Reader, tmp_path: Path
) -> None:
    await export(harness, tmp_path)
    with pytest.raises(InColdArchive, match=NAME):
        await harness.verify()
    with pytest.raises(InColdArchive, match=NAME):
        await harness.swap()
    async with cold.brought_back(harness.pool, tmp_path, "arcade"):
        await harness.assert_exact("arcade")
        await harness.swap()
    (stretch,) = await cold.stretches(harness.pool)
    assert stretch.dropped_at is not None
    assert await harness.points() == {"ada": 16, "bob": 23, "cid": 2, "eve": 4}


async def test_a_generation_that_lacks_the_files_is_no_failed_one(harness: Harness, tmp_path: Path) -> None:
    """It goes on when they are back: one that is built, and one that was live before and catches up."""
    await publish_old(harness, FEBRUARY - 3_600_000, ruleset(), score("j1", "ada", 5))
    async with harness.consuming() as reader:
        await reader.drain()
        await harness.swap()
        await publish_old(harness, FEBRUARY + 3_600_000, score("f1", "ada", 10))
        await reader.drain()
        for manifest in await cold.export(harness.pool, harness.log, tmp_path, FEBRUARY + 40 * 86_400_000):
            await cold.drop(harness.pool, tmp_path, manifest.name)
        with pytest.raises(InColdArchive, match="log_2025_02"):
            await generations.swap_back(harness.pool, harness.rankings, "arcade", silent)
        with pytest.raises(InColdArchive, match="log_2025_01"):
            await harness.build(label="beside")
        async with cold.brought_back(harness.pool, tmp_path, "arcade"):
            await generations.swap_back(harness.pool, harness.rankings, "arcade", silent)
            await harness.build(label="beside")
            await reader.drain()
            assert [one.status for one in await generations.listed(harness.pool, "arcade")] == [
                "live",
                "retired",
                "shadow",
            ]
            await harness.assert_exact("arcade")


async def test_a_correction_that_reaches_into_the_files_waits_among_the_dead_letters(
    harness: Harness, reader: Reader, tmp_path: Path
) -> None:
    await export(harness, tmp_path)
    await harness.publish(
        event("void", "v1", event="j2", reason="late"),
        event("void", "v2", event="f1", reason="his row may need older events"),
        event("void", "v3", event="f2", reason="all of it is here"),
        score("n2", "bob", 1),
    )
    await reader.drain()
    # Nothing is left of a batch that broke, so nobody comes later and commits it.
    assert (reader.consumer._open, reader.consumer.retries, reader.consumer.parked) == (None, 0, 2)
    letters = await harness.dead_letters()
    refused = [letter for letter in letters if "archive restore log_2025_01" in letter.reason]
    assert [msgspec.json.decode(letter.body)["id"] for letter in refused] == ["v1", "v2"]
    assert await harness.points() == {"ada": 16, "bob": 24, "cid": 2}
    await cold.restore(harness.pool, tmp_path, NAME)
    await harness.publish(*(letter.body for letter in refused))
    await reader.drain()
    assert await harness.points() == {"ada": 6, "bob": 21, "cid": 2}
    await harness.assert_exact("arcade")


async def test_an_erasure_rewrites_the_files(harness: Harness, reader: Reader, tmp_path: Path) -> None:
    await export(harness, tmp_path)
    await harness.publish(event("player", "p1", player="ada", status="erased"))
    await reader.drain()
    with pytest.raises(InColdArchive):
        await erasure.erase(harness.pool, harness.log, harness.rankings, "arcade", silent)
    assert await erasure.games_pending(harness.pool) == ["arcade"]
    await erasure.erase(harness.pool, harness.log, harness.rankings, "arcade", silent, cold_dir=tmp_path)
    assert await erasure.games_pending(harness.pool) == []
    assert b"ada" not in unpacked(tmp_path).replace(b"arcade", b"")
    (stretch,) = await cold.stretches(harness.pool)
    assert stretch.dropped_at is not None
    async with cold.brought_back(harness.pool, tmp_path, "arcade"):
        await harness.assert_exact("arcade")


async def test_an_erasure_rewrites_what_was_refused_before_the_game_was_there(harness: Harness, tmp_path: Path) -> None:
    await publish_old(harness, FEBRUARY - 3_600_000, score("j1", "ada", 5))
    await publish_old(harness, FEBRUARY + 3_600_000, ruleset(), score("f1", "ada", 10))
    async with harness.consuming() as reader:
        await reader.drain()
        assert (await export(harness, tmp_path)).games == {"": 1}
        await harness.publish(event("player", "p1", player="ada", status="erased"))
        await reader.drain()
        await erase(harness, tmp_path)
    assert not names_ada(tmp_path)


async def erase(harness: Harness, folder: Path) -> erasure.Erased:
    return await erasure.erase(harness.pool, harness.log, harness.rankings, "arcade", silent, cold_dir=folder)


def names_ada(folder: Path) -> bool:
    return b"ada" in unpacked(folder).replace(b"arcade", b"")


async def test_an_erasure_is_not_done_where_the_files_are_not(harness: Harness, reader: Reader, tmp_path: Path) -> None:
    await export(harness, tmp_path, drop=False)
    await harness.publish(event("player", "p1", player="ada", status="erased"))
    await reader.drain()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with pytest.raises(InvalidInput, match=NAME):
        await erase(harness, elsewhere)
    assert await erasure.games_pending(harness.pool) == ["arcade"]
    await erase(harness, tmp_path)
    assert not names_ada(tmp_path)


async def test_a_month_that_others_drop_is_not_written_over(harness: Harness, reader: Reader, tmp_path: Path) -> None:
    """A replay has it back, an erasure begins, and the replay ends first."""
    manifest = await export(harness, tmp_path)
    async with AsyncExitStack() as replaying:
        await replaying.enter_async_context(cold.brought_back(harness.pool, tmp_path, "arcade"))
        async with cold.brought_back(harness.pool, tmp_path, "arcade", rewrite=True):
            await replaying.aclose()
    assert cold.listed(tmp_path) == [coldfile.verified(tmp_path, NAME)] == [manifest]
    await cold.restore(harness.pool, tmp_path, NAME)
    await harness.assert_exact("arcade")


async def test_an_erasure_is_not_through_with_a_month_that_others_drop(
    harness: Harness, reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await export(harness, tmp_path)
    await harness.publish(event("player", "p1", player="ada", status="erased"))
    await reader.drain()
    read = erasure._Archive.read
    async with AsyncExitStack() as replaying:
        await replaying.enter_async_context(cold.brought_back(harness.pool, tmp_path, "arcade"))

        async def read_later(archive: Any, connection: Any) -> None:
            await replaying.aclose()
            await read(archive, connection)

        with monkeypatch.context() as patch:
            patch.setattr(erasure._Archive, "read", read_later)
            with pytest.raises(InColdArchive, match=NAME):
                await erase(harness, tmp_path)
    assert names_ada(tmp_path)
    assert (await erase(harness, tmp_path)).players == 1
    assert not names_ada(tmp_path)


async def test_an_erasure_rewrites_a_month_that_was_written_meanwhile(
    harness: Harness, reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await harness.publish(event("player", "p1", player="ada", status="erased"))
    await reader.drain()
    read = erasure._Archive.read

    async def read_and_export(archive: Any, connection: Any) -> None:
        await read(archive, connection)
        await export(harness, tmp_path, drop=False)

    monkeypatch.setattr(erasure._Archive, "read", read_and_export)
    await erase(harness, tmp_path)
    assert not names_ada(tmp_path)
    assert coldfile.verified(tmp_path, NAME).sha256 == (await cold.stretches(harness.pool))[0].sha256.hex()


async def test_two_who_bring_a_month_back_do_not_meet(harness: Harness, reader: Reader, tmp_path: Path) -> None:
    await export(harness, tmp_path)
    before = await rows(harness)

    async def replay() -> None:
        async with cold.brought_back(harness.pool, tmp_path, "arcade"):
            pass

    await asyncio.gather(replay(), replay(), replay())
    assert await rows(harness) == before
    async with harness.pool.acquire() as connection, connection.transaction():
        await cold.hold(connection)
        with pytest.raises(Conflict, match="somebody else"):
            await cold.restore(harness.pool, tmp_path, NAME)


async def test_what_is_not_sound_is_not_dropped_or_brought_back(
    harness: Harness, reader: Reader, tmp_path: Path
) -> None:
    await export(harness, tmp_path, drop=False)
    await harness.pool.execute("UPDATE log SET body = '{}' WHERE ms = $1", FEBRUARY - 3_600_000 + 1000)
    with pytest.raises(Conflict, match="something else"):
        await cold.drop(harness.pool, tmp_path, NAME)
    await export(harness, tmp_path)
    file = tmp_path / f"{NAME}.jsonl.gz"
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    with pytest.raises(InvalidInput, match=NAME):
        await cold.restore(harness.pool, tmp_path, NAME)
    file.write_bytes(whole)
    with pytest.raises(NotFound):
        await cold.restore(harness.pool, tmp_path, "log_2024_01")
    await cold.restore(harness.pool, tmp_path, NAME)


async def test_a_month_that_may_still_get_entries_is_not_written(harness: Harness, tmp_path: Path) -> None:
    await publish_old(harness, FEBRUARY - 3_600_000, ruleset(), score("j1", "ada", 5))
    async with harness.consuming() as reader:
        await reader.drain()
    await publish_old(harness, FEBRUARY - 1_800_000, score("j2", "ada", 5))
    with pytest.raises(RankfoldError, match="not archived to its end"):
        await export(harness, tmp_path)


async def test_a_dropped_month_that_got_entries_again_is_not_written_over(harness: Harness, tmp_path: Path) -> None:
    await publish_old(harness, FEBRUARY - 3_600_000, ruleset(), score("j1", "ada", 5))
    async with harness.consuming() as reader:
        await reader.drain()
        await export(harness, tmp_path)
        await publish_old(harness, FEBRUARY - 1_800_000, score("j2", "ada", 7))
        await reader.drain()
    with pytest.raises(Conflict, match="restore it first"):
        await export(harness, tmp_path)
    await cold.restore(harness.pool, tmp_path, NAME)
    await harness.assert_exact("arcade")
    await export(harness, tmp_path)
    assert await harness.points() == {"ada": 12}


async def test_the_commands(
    harness: Harness,
    reader: Reader,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = Settings(
        database_url=harness.database_url,
        redis_log_url=harness.log_url,
        redis_rankings_url=harness.rankings_url,
        cold_dir=tmp_path,
    )
    monkeypatch.setattr("cli.local.load", lambda: found)
    monkeypatch.setattr("uvloop.run", run_beside)
    commands.export_command(datetime(2025, 3, 1), drop=True)
    commands.list_command()
    commands.verify_command()
    commands.restore_command([NAME])
    shown = capsys.readouterr().err
    for words in (
        "10 lines written to",
        "dropped from the database",
        "2 games, sound",
        "10 lines back in the database",
    ):
        assert words in shown


def run_beside(work: Any) -> Any:
    """Runs a command's coroutine although the test has a loop of its own."""
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
