"""A player's statistics out of PostgreSQL: his rows on one board, and his picks that wait for a result."""

from typing import Any, NamedTuple

import asyncpg
import msgspec

from engine.contests import Contest
from engine.statistics import Waiting
from projections.contests import stored_pick
from projections.database import queries

Q = queries("statistics")
_decode_contest = msgspec.json.Decoder(Contest).decode


class Held(NamedTuple):
    """His row in one copy of a board. `prefix` is that of his key whether he is shown or hidden; None while not ranked."""

    ranking_id: int
    period: str
    prefix: bytes | None
    extra: bytes
    state: bytes | None


async def held_rows(
    pool: asyncpg.Pool, generation_id: int, board: str, segment: str, period: str, player: str, *, unranked: bool
) -> dict[str, Held]:
    """His rows of a period and of all rounds, by period; with `unranked` the states of those that are not ranked."""
    rows = await pool.fetch(Q["rows"], generation_id, board, segment, period, player, unranked)
    return {row["period"]: _held(row) for row in rows}


def _held(row: Any) -> Held:
    prefix = row["hidden"] if row["prefix"] is None else row["prefix"]
    return Held(row["ranking_id"], row["period"], prefix, row["extra"], row["state"])


async def state_of(
    pool: asyncpg.Pool, generation_id: int, board: str, segment: str, period: str, player: str
) -> bytes | None:
    """The state of his marks in one copy of a board that has states."""
    state: bytes | None = await pool.fetchval(Q["state"], generation_id, board, segment, period, player)
    return state


async def waiting_picks(pool: asyncpg.Pool, generation_id: int, player: str) -> list[Waiting]:
    """His accepted picks on fixtures that have no result, by fixture."""
    found: dict[str, Waiting] = {}
    for *pick, state, first_ms in await pool.fetch(Q["waiting"], generation_id, player):
        line = stored_pick(pick)
        waiting = found.get(line.fixture)
        if waiting is None:
            waiting = found[line.fixture] = Waiting(_decode_contest(state), first_ms, {})
        waiting.picks.setdefault(line.market, []).append(line.pick)
    return list(found.values())
