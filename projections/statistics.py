"""A player's statistics out of PostgreSQL, or of a fold up to an instant: his rows on one board, and his picks that wait for
a result."""

from typing import Any, NamedTuple

import asyncpg
import msgspec

from engine.contests import Contest
from engine.fold import Fold
from engine.statistics import Waiting
from projections.contests import stored_pick
from projections.database import queries
from schemas.events import Round

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


def rows_then(fold: Fold, board: str, segment: str, period: str, player: str, *, unranked: bool) -> dict[str, Held]:
    """`held_rows` of a fold."""
    found = {}
    for number, ((name, each, part), table) in enumerate(fold.tables.items()):
        row = table.rows.get(player) if (name, part) == (board, segment) else None
        if row is not None and (each == period or each.startswith("round:")):
            prefix = row.hidden if row.prefix is None else row.prefix
            state = table.shape.dump(row.state) if unranked and prefix is None else None
            found[each] = Held(number, each, prefix, row.extra, state)
    return found


def state_then(fold: Fold, board: str, segment: str, period: str, player: str) -> bytes | None:
    """`state_of` of a fold."""
    table = fold.tables.get((board, period, segment))
    row = None if table is None else table.rows.get(player)
    return None if table is None or row is None else table.shape.dump(row.state)


def waiting_then(fold: Fold, player: str) -> list[Waiting]:
    """`waiting_picks` of a fold, in which those of later contests wait, too."""
    settlement, found = fold.settlement, []
    starts: dict[Round, int] = {}
    for contest in fold.contests.values():
        if contest.round is not None and contest.starts_ms is not None:
            starts[contest.round] = min(contest.starts_ms, starts.get(contest.round, contest.starts_ms))
    for name, contest in fold.contests.items():
        if contest.result is None or contest.occurred_ms > settlement.until_ms:
            his = {market: settlement.book.of(name, market).get(player) for market in fold.game.markets.sources}
            picks = {market: entries for market, entries in his.items() if entries}
            if picks:
                first_ms = None if contest.round is None else starts.get(contest.round)
                found.append(Waiting(contest, first_ms, picks))
    return found


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
