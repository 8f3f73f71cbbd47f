"""The supervisor restarts what dies, and gives up on what cannot be kept running."""

import asyncio
from typing import Any

import pytest

from cli import stack, supervisor
from cli.supervisor import Child, supervise
from schemas.errors import NotFound, Unavailable


class Scripted(Child):
    """A child that ends with the given statuses, one after another, and then runs on."""

    def __init__(self, *statuses: int) -> None:
        super().__init__("scripted", {})
        self.statuses = list(statuses)
        self.started = asyncio.Event()

    async def start(self) -> None:
        if not self.statuses:
            self.started.set()

    async def wait(self) -> int:
        if not self.statuses:
            await asyncio.Event().wait()
        return self.statuses.pop(0)


@pytest.fixture(autouse=True)
def no_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "RESTART_DELAY_S", 0)


async def test_a_child_that_dies_is_started_again(capsys: pytest.CaptureFixture[str]) -> None:
    child = Scripted(-9, 70)
    watching = asyncio.create_task(supervise([child, Scripted()]))
    await asyncio.wait_for(child.started.wait(), 10)
    watching.cancel()
    assert child.restarts == 2
    assert "`rankfold scripted` ended with status -9; starting it again" in capsys.readouterr().err


@pytest.mark.parametrize("statuses", [(2,), (3,) * supervisor.QUICK_DEATHS_MAX], ids=["bad input", "again and again"])
async def test_a_child_that_cannot_run_ends_all(statuses: tuple[int, ...]) -> None:
    with pytest.raises(Unavailable, match=f"ends with status {statuses[0]} each time"):
        await asyncio.wait_for(supervise([Scripted(), Scripted(*statuses)]), 10)


async def supervised(block: Any, *children: Child) -> None:
    async with stack._supervised(children):
        await block


async def test_what_the_supervision_raises_takes_the_place_of_the_block() -> None:
    with pytest.raises(Unavailable, match="ends with status 2"):
        await asyncio.wait_for(supervised(asyncio.Event().wait(), Scripted(2)), 10)


async def test_the_block_s_own_end_and_errors_are_kept() -> None:
    async def fail() -> None:
        raise NotFound("board", "x")

    with pytest.raises(NotFound):
        await supervised(fail(), Scripted())
    await supervised(asyncio.sleep(0), Scripted())
    running = asyncio.create_task(supervised(asyncio.Event().wait(), Scripted()))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
