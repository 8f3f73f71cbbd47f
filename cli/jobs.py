"""Waits for the jobs that the API answers with where a question takes long."""

import asyncio
from typing import Any

from cli.client import Api
from cli.terminal import meter
from schemas.errors import RankfoldError

POLL_S = 0.2


async def finished(api: Api, answer: Any, title: str) -> Any:
    """An answer, or the result of the job that it is."""
    if not isinstance(answer, dict) or "job" not in answer:
        return answer
    with meter(title) as progress:
        while answer["state"] == "running":
            progress(answer["done"], answer["total"])
            await asyncio.sleep(POLL_S)
            answer = await api.get("jobs", answer["job"])
    if answer["state"] == "failed":
        raise RankfoldError(answer["error"])
    return answer["result"]
