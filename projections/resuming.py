"""Loads all that is stored of a generation into its fold, so that the fold goes on from where the generation stopped."""

import msgspec

from engine.contests import Contest
from engine.shapes import Row
from engine.tables import Table
from projections import contests
from projections.batch import LiveGame
from projections.database import Connection, queries
from schemas.events import Attributes

Q = queries("generations")
CHUNK = 5_000
_decode_contest = msgspec.json.Decoder(Contest).decode
_decode_attributes = msgspec.json.Decoder(Attributes).decode


async def load(connection: Connection, live: LiveGame) -> dict[Table, int]:
    """Everything but what `Store.resumed` has loaded. Needs a transaction; nothing may have been folded yet.

    Returns the rankings, each with the version of the publication that changed it last.
    """
    fold, versions = live.fold, {}
    for row in await connection.fetch(Q["rankings"], live.generation_id):
        table = fold.table(row["board"], row["period"], row["segment"])
        table.ranking_id = row["ranking_id"]
        versions[table] = row["version"]
    await _load_rows(connection, live)
    for table in fold.tables.values():
        table.whole = True
    for (state,) in await connection.fetch(Q["fixtures"], live.generation_id):
        contest = _decode_contest(state)
        fold.contests[contest.fixture] = contest
    await _load_picks(connection, live)
    if fold.game.traits:
        for player, attributes in await connection.fetch(Q["attributes"], live.generation_id):
            fold.copies.traits.learn(player, _decode_attributes(attributes))
    return versions


async def _load_rows(connection: Connection, live: LiveGame) -> None:
    async for row in connection.cursor(Q["rows"], live.generation_id, prefetch=CHUNK):
        table = live.fold.table(row["board"], row["period"], row["segment"])
        held = Row(table.shape.load(row["state"]), row["prefix"], row["extra"], row["since"])
        held.hidden, held.due, held.stored = row["hidden"], row["due"], True
        table.rows[row["player"]] = held
        if held.due is not None:
            table.due = min(table.due, held.due)


async def _load_picks(connection: Connection, live: LiveGame) -> None:
    fold = live.fold
    book = fold.settlement.book
    if book.markets.by_round:
        for contest in fold.contests.values():
            if contest.round is not None and contest.starts_ms is not None:
                book.rounds.setdefault(contest.round, {})[contest.fixture] = contest.starts_ms
    if book.markets.sources:
        async for row in connection.cursor(Q["picks"], live.generation_id, prefetch=CHUNK):
            book.hold(contests.stored_pick(row))
