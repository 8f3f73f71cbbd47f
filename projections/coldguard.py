"""Refuses what needs events that are in the cold archive only, so that nothing is folded or explained from a part of them."""

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg

from projections.database import queries
from schemas.errors import InColdArchive

Q = queries("cold")
Fetch = Callable[..., Awaitable[list[asyncpg.Record]]]


async def refuse(fetch: Fetch, query: str, *arguments: Any) -> None:
    """Raises InColdArchive when one of the queries `away` finds something that is not in the database."""
    names = [row["name"] for row in await fetch(Q[query], *arguments)]
    if names:
        raise InColdArchive(names)
