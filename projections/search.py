"""Finds players of a ranking by the beginning of their ids or names. Bounded: both are index ranges, read up to a limit."""

from typing import NamedTuple

import asyncpg

from projections.database import queries

Q = queries("rankings")
PAST = queries("snapshots")
NAMES_MAX = 10_000
"""So many names that begin right are looked for in the ranking; whoever comes behind them is not found."""


class Found(NamedTuple):
    """Players, each once. `complete`: there are no others."""

    players: list[str]
    complete: bool


async def find(
    pool: asyncpg.Pool, ranking_id: int, generation_id: int, text: str, most: int, version: int | None = None
) -> Found:
    """Ranked players whose id begins with the text, or whose name does whatever the case: at most so many of each.

    With a version those who were ranked then. The names are those of a generation.
    """
    asked = Q if version is None else PAST
    of_version = () if version is None else (version,)
    by_id = await pool.fetch(asked["found_by_id"], ranking_id, text, most + 1, *of_version)
    by_name = await pool.fetch(
        asked["found_by_name"], ranking_id, generation_id, text, most + 1, NAMES_MAX, *of_version
    )
    players = dict.fromkeys(row["player"] for rows in (by_id[:most], by_name[:most]) for row in rows)
    return Found(list(players), len(by_id) <= most and len(by_name) <= most)
