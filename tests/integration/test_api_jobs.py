"""Jobs: told by every process, kept for a while, and known to have failed when their process is gone."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from api.jobs import Job, Jobs, Progress
from consumers.forgetting import keep_forgetting
from projections import jobs
from projections.tasks import end
from schemas.errors import RankfoldError
from tests.integration.api_stack import Stack, running
from tests.services import eventually

pytestmark = pytest.mark.services


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    async with running(database_url, redis_log_url, redis_rankings_url) as stack:
        yield stack


async def ended(stack: Stack, job: str) -> Any:
    """The job once it does not run any more, as this API, which did not start it, tells of it."""

    async def state() -> Any:
        answer = await stack.get(f"/v1/jobs/{job}")
        return answer.json if answer.json["state"] != "running" else None

    return await eventually(state)


async def test_a_job_goes_on_and_is_done(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.jobs.BEAT_S", 0.01)
    other, go_on = Jobs(stack.pool), asyncio.Event()

    async def work(progress: Progress) -> dict[str, int]:
        progress(3, 7)
        await go_on.wait()
        progress(7, 7)
        return {"answer": 42}

    job = await other.start("arcade", "preview", work)

    async def beaten() -> bool:
        told = (await stack.get(f"/v1/jobs/{job.job}")).json
        return (told["state"], told["done"], told["total"], told["result"]) == ("running", 3, 7, None)

    await eventually(beaten)
    go_on.set()
    told = await ended(stack, job.job)
    assert told == {
        "job": job.job,
        "game": "arcade",
        "kind": "preview",
        "state": "done",
        "done": 7,
        "total": 7,
        "result": {"answer": 42},
        "error": None,
    }
    await other.stop()


async def test_a_job_fails_with_words_for_clients(stack: Stack) -> None:
    other = Jobs(stack.pool)

    async def refused(_: Progress) -> None:
        raise RankfoldError("there is no such thing")

    async def broken(_: Progress) -> None:
        raise ZeroDivisionError("SELECT secret")

    first = await ended(stack, (await other.start("arcade", "preview", refused)).job)
    second = await ended(stack, (await other.start("arcade", "preview", broken)).job)
    assert (first["state"], first["error"]) == ("failed", "there is no such thing")
    assert second["state"] == "failed"
    assert "SELECT" not in second["error"]
    await other.stop()


async def test_a_process_holds_so_many_jobs_of_a_kind(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.jobs.HELD_MAX", 3)
    other, go_on = Jobs(stack.pool), asyncio.Event()

    async def waiting(_: Progress) -> None:
        await go_on.wait()

    answers = await asyncio.gather(
        *(other.start("arcade", "preview", waiting) for _ in range(5)), return_exceptions=True
    )
    assert [type(answer).__name__ for answer in answers] == ["Job"] * 3 + ["Unavailable"] * 2
    assert await stack.pool.fetchval("SELECT count(*) FROM jobs") == 3
    await other.start("arcade", "swap", waiting)
    go_on.set()
    for answer in answers[:3]:
        assert isinstance(answer, Job)
        assert (await ended(stack, answer.job))["state"] == "done"
    assert (await other.start("arcade", "preview", waiting)).state == "running"
    await other.stop()


async def test_a_job_whose_process_is_gone_has_failed(stack: Stack) -> None:
    job = await jobs.create(stack.pool, "arcade", "preview")
    await stack.pool.execute("UPDATE jobs SET heartbeat = now() - interval '1 minute'")
    told = (await stack.get(f"/v1/jobs/{job}")).json
    assert (told["state"], told["error"]) == ("failed", "the process that did it is gone; ask again")


async def test_a_job_that_is_broken_off_has_failed(stack: Stack) -> None:
    other = Jobs(stack.pool)

    async def endless(_: Progress) -> None:
        await asyncio.Event().wait()

    job = await other.start("arcade", "preview", endless)
    await asyncio.sleep(0)
    await other.stop()
    assert (await ended(stack, job.job))["error"].endswith("was stopped; ask again")


async def test_jobs_are_kept_for_an_hour(stack: Stack) -> None:
    old = await jobs.create(stack.pool, "arcade", "preview")
    await jobs.finish(stack.pool, old, b"1")
    await stack.pool.execute("UPDATE jobs SET heartbeat = now() - interval '61 minutes'")
    await jobs.create(stack.pool, "arcade", "preview")
    assert (await stack.get(f"/v1/jobs/{old}")).status == 404


async def test_a_consumer_forgets_jobs_that_nobody_follows_with_another(stack: Stack) -> None:
    old, fresh = [await jobs.create(stack.pool, "arcade", "preview") for _ in range(2)]
    for job in (old, fresh):
        await jobs.finish(stack.pool, job, b"1")
    await stack.pool.execute("UPDATE jobs SET heartbeat = now() - interval '61 minutes' WHERE job_id = $1", old)
    forgetting = asyncio.create_task(keep_forgetting(stack.pool, stack.rankings, 0, None))

    async def gone() -> bool:
        return [row["job_id"] for row in await stack.pool.fetch("SELECT job_id FROM jobs")] == [fresh]

    await eventually(gone)
    await end([forgetting])


@pytest.mark.parametrize("job", ["x", "a" * 24, "%00", "..%2F..", "';%20DROP%20TABLE%20jobs"])
async def test_what_is_no_job_is_not_found(stack: Stack, job: str) -> None:
    assert (await stack.get(f"/v1/jobs/{job}")).status == 404
