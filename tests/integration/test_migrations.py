"""Migrations: applied once, in order, by one at a time; what was applied may not change; the queries fit the schema."""

import asyncio
import shutil
from pathlib import Path

import asyncpg
import pytest

from projections import migrate
from projections.database import SQL, queries
from schemas.errors import RankfoldError

pytestmark = pytest.mark.services


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the migrations, to add to and to spoil."""
    copied = Path(shutil.copytree(migrate.MIGRATIONS, tmp_path / "migrations"))
    monkeypatch.setattr(migrate, "MIGRATIONS", copied)
    return copied


async def schema(url: str) -> list[tuple[str, ...]]:
    """Every column, index and constraint, in words."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "SELECT 'column', table_name::text, column_name::text, data_type::text, is_nullable::text,"
            " coalesce(collation_name, '')::text FROM information_schema.columns WHERE table_schema = 'public'"
            " UNION ALL SELECT 'index', tablename::text, indexname::text, indexdef, '', '' FROM pg_indexes"
            " WHERE schemaname = 'public'"
            " UNION ALL SELECT 'constraint', conrelid::regclass::text, conname::text, pg_get_constraintdef(oid), '', ''"
            " FROM pg_constraint WHERE connamespace = 'public'::regnamespace"
        )
        return sorted(tuple(row) for row in rows)
    finally:
        await connection.close()


async def applied(url: str) -> list[str]:
    connection = await asyncpg.connect(url)
    try:
        return [row["name"] for row in await connection.fetch("SELECT name FROM migrations ORDER BY name")]
    finally:
        await connection.close()


async def test_each_is_applied_once(database_url: str) -> None:
    names = [path.stem for path in migrate.files()]
    assert names == sorted(names) != []
    assert await migrate.migrate(database_url) == names
    before = await schema(database_url)
    assert await migrate.migrate(database_url) == []
    assert await schema(database_url) == before
    assert await applied(database_url) == names


async def test_what_is_pending(database_url: str, folder: Path) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        names = [path.stem for path in migrate.files()]
        assert await migrate.pending(connection) == names
        await migrate.migrate(database_url)
        assert await migrate.pending(connection) == []
        (folder / "9999_more.sql").write_text("CREATE TABLE more (n integer);")
        assert await migrate.pending(connection) == ["9999_more"]
    finally:
        await connection.close()
    assert await migrate.migrate(database_url) == ["9999_more"]


async def test_a_changed_migration_is_refused_and_nothing_is_applied(database_url: str, folder: Path) -> None:
    await migrate.migrate(database_url)
    first = migrate.files()[0]
    text = first.read_text()
    first.write_text(text + "\n-- changed\n")
    (folder / "9999_more.sql").write_text("CREATE TABLE more (n integer);")
    with pytest.raises(RankfoldError, match=first.stem):
        await migrate.migrate(database_url)
    assert "9999_more" not in await applied(database_url)
    first.write_text(text)
    assert await migrate.migrate(database_url) == ["9999_more"]


async def test_a_failing_migration_leaves_nothing_behind(database_url: str, folder: Path) -> None:
    (folder / "9999_wrong.sql").write_text("CREATE TABLE half (n integer); SELECT 1 / 0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate.migrate(database_url)
    assert not any(row[1] == "half" for row in await schema(database_url))
    (folder / "9999_wrong.sql").write_text("CREATE TABLE half (n integer);")
    assert await migrate.migrate(database_url) == ["9999_wrong"]


async def test_many_at_once_apply_each_once(database_url: str, folder: Path) -> None:
    """Also an index that is built concurrently, which waits for every older transaction."""
    (folder / "9999_index.sql").write_text(
        "-- concurrently\nCREATE INDEX CONCURRENTLY IF NOT EXISTS more_index ON publications (epoch);\n"
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS most_index ON publications (ms);\n"
    )
    found = await asyncio.gather(*(migrate.migrate(database_url) for _ in range(6)))
    assert sorted(name for names in found for name in names) == [path.stem for path in migrate.files()]
    assert {"more_index", "most_index"} <= {row[2] for row in await schema(database_url)}


async def test_an_index_that_was_not_finished_is_built_anew(database_url: str, folder: Path) -> None:
    """PostgreSQL keeps one that it could not build, or was kept from building, and neither uses it nor goes on with it."""
    await migrate.migrate(database_url)
    (folder / "9999_index.sql").write_text(
        "-- concurrently\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS more_index ON publications (epoch);\n"
    )
    connection = await asyncpg.connect(database_url)
    usable = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('more_index')"
    try:
        await connection.execute(
            "INSERT INTO publications (shard, version, epoch, ms, seq) VALUES (0, 1, 1, 1, 0), (0, 2, 1, 2, 0)"
        )
        with pytest.raises(asyncpg.UniqueViolationError):
            await migrate.migrate(database_url)
        assert await connection.fetchval(usable) is False
        await connection.execute("DELETE FROM publications WHERE version = 1")
        assert await migrate.migrate(database_url) == ["9999_index"]
        assert await connection.fetchval(usable) is True
    finally:
        await connection.close()


@pytest.mark.parametrize("name", sorted(path.stem for path in SQL.glob("*.sql")))
async def test_every_query_fits_the_schema(database_url: str, name: str) -> None:
    await migrate.migrate(database_url)
    connection = await asyncpg.connect(database_url)
    try:
        for key, query in queries(name).items():
            try:
                await connection.prepare(query)
            except asyncpg.PostgresError as error:
                raise AssertionError(f"{name}.{key}: {error}") from error
    finally:
        await connection.close()
