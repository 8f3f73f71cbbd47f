"""Fixtures that the integration tests share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.harness import Harness, running


@pytest.fixture
async def harness(
    database_url: str, redis_log_url: str, redis_rankings_url: str, tmp_path: Path
) -> AsyncIterator[Harness]:
    """A migrated database and an empty log, ready for consumers. Tests that kill servers make one of their own."""
    async with running(database_url, redis_log_url, redis_rankings_url, tmp_path) as harness:
        yield harness
