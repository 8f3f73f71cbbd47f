"""Fixtures that every test may use. One set of real servers serves the whole run, each test gets an empty part."""

import itertools
from collections.abc import Iterator

import pytest
import redis

from cli.embedded import Embedded, Services
from tests.services import database, sql

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """The URLs of the run's servers. Tests that kill or restart servers start an `Embedded` of their own."""
    settings = {"shared_buffers": "64MB", "max_wal_size": "1GB"}
    with Embedded(tmp_path_factory.mktemp("services"), postgres_settings=settings, keep=False) as embedded:
        yield embedded.services


@pytest.fixture
def database_url(services: Services) -> Iterator[str]:
    """A new, empty database for this test alone."""
    name = f"test_{next(_numbers)}"
    sql(services.database_url, f"CREATE DATABASE {name}")
    yield database(services.database_url, name)
    sql(services.database_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def redis_log_url(services: Services) -> Iterator[str]:
    """The log's Redis, empty."""
    yield services.log_url
    _flush(services.log_url)


@pytest.fixture
def redis_rankings_url(services: Services) -> Iterator[str]:
    """The rankings' Redis, empty."""
    yield services.rankings_url
    _flush(services.rankings_url)


def _flush(url: str) -> None:
    # After the test and not before the next one, so that data made by the test's own fixtures is never lost.
    with redis.Redis.from_url(url) as client:
        client.flushall()
        client.script_flush()
