"""Finds players of a ranking by the beginning of their ids or names. Bounded: both are index ranges, read up to a limit."""

from collections.abc import Sequence
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


class Where(NamedTuple):
    """A ranking that is looked in, as of a version (None: as it is now), and the generation that the names are of."""

    ranking_id: int
    generation_id: int
    version: int | None = None


async def find(pool: asyncpg.Pool, places: Sequence[Where], text: str, most: int) -> Found:
    """Players of these rankings whose id or, whatever the case, name begins with the text: at most so many of each."""
    by_id: list[tuple[str, str]] = []
    by_name: list[tuple[str, str]] = []
    for ranking_id, generation_id, version in places:
        asked = Q if version is None else PAST
        of_version = () if version is None else (version,)
        found = await pool.fetch(asked["found_by_id"], ranking_id, text, most + 1, *of_version)
        by_id += ((row["player"], row["player"]) for row in found)
        found = await pool.fetch(
            asked["found_by_name"], ranking_id, generation_id, text, most + 1, NAMES_MAX, *of_version
        )
        by_name += ((row["name"], row["player"]) for row in found)
    if len(places) > 1:
        # As the database orders them: bytewise.
        by_id.sort(key=_bytewise)
        by_name.sort(key=_bytewise)
    players = dict.fromkeys(player for lines in (by_id[:most], by_name[:most]) for _, player in lines)
    return Found(list(players), len(by_id) <= most and len(by_name) <= most)


def _bytewise(line: tuple[str, str]) -> bytes:
    return line[0].encode()
