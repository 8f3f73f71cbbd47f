"""Tasks end when they are told to, although drivers may swallow a cancellation."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from api.live import Hub, Pace
from projections.catalog import Catalog
from projections.tasks import end

PATIENCE_S = 60


async def deaf(*_: Any) -> None:
    """Goes on after the first cancellation, as one does whose driver swallowed it."""
    for _ in range(2):
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()


async def test_a_task_that_goes_on_after_a_cancellation_is_cancelled_again() -> None:
    async def failing() -> None:
        raise ValueError("its own trouble")

    tasks = [asyncio.create_task(deaf()), asyncio.create_task(failing())]
    await asyncio.sleep(0)
    await asyncio.wait_for(end(tasks), PATIENCE_S)
    assert all(task.done() for task in tasks)


async def nothing(*_: Any) -> None:
    """Done at once."""


async def test_what_watches_in_the_background_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody: Any = None
    monkeypatch.setattr(Hub, "_run", deaf)
    monkeypatch.setattr(Catalog, "_poll", deaf)
    monkeypatch.setattr(Catalog, "refresh", nothing)
    hub, catalog = Hub(nobody, nobody, nobody, Pace()), Catalog(nobody)
    hub.start()
    await catalog.start()
    await asyncio.sleep(0)
    for watching in (hub, catalog):
        await asyncio.wait_for(watching.stop(), PATIENCE_S)
