"""The account at the end: every acknowledged event is in the log exactly once and in the boards exactly once."""

from collections import Counter

import asyncpg
from redis.asyncio import Redis

from api.client import Client
from projections import replay
from projections.database import queries
from projections.names import applied_key, stream_key
from schemas.codec import decode_archived
from schemas.events import Score
from schemas.position import Position, parse_entry
from tests.chaos.clients import GAME, Ledger
from tests.harness import silent
from tests.services import eventually

APPLIED_S = 180.0
ACCEPTED = "SELECT body FROM log JOIN games USING (game_id) WHERE name = $1 AND verdict = 0"
BOARDS_MAX = 5
READER = queries("reader")


async def until_applied(log_url: str, rankings_url: str) -> None:
    """Waits until readers see the last entry of the log."""
    log: Redis = Redis.from_url(log_url)
    rankings: Redis = Redis.from_url(rankings_url)
    last = parse_entry((await log.xrevrange(stream_key(0), count=1))[0][0])

    async def there() -> bool:
        raw = await rankings.get(applied_key(0))
        return raw is not None and Position.parse(raw.decode().split()[1])[2:] >= last

    try:
        await eventually(there, APPLIED_S, "what was published is applied")
    finally:
        await log.aclose()
        await rankings.aclose()


async def account(pool: asyncpg.Pool, api_url: str, ledger: Ledger) -> dict[str, int | list[str]]:
    """Losses, doubles, and differences of boards and replay."""
    archived: Counter[str] = Counter()
    sums: Counter[str] = Counter()
    runs: Counter[str] = Counter()
    for (body,) in await pool.fetch(ACCEPTED, GAME):
        event = decode_archived(body)
        if isinstance(event, Score):
            archived[event.id] += 1
            sums[event.player] += int(event.values["points"])
            runs[event.player] += 1
    known = ledger.acknowledged.keys() | ledger.doubtful.keys()
    async with Client(api_url) as client:
        board = {line.player: line.metrics async for line in client.entries(GAME, "total")}
    right = {player: {"points": points, "runs": runs[player]} for player, points in sums.items()}
    wrong = sorted(player for player in board.keys() | right.keys() if board.get(player) != right.get(player))
    found = await replay.verify(pool, GAME, silent)
    return {
        "losses": len(ledger.acknowledged.keys() - archived.keys()),
        "doubles": sum(count > 1 for count in archived.values()),
        "strangers": len(archived.keys() - known),
        "wrong_places": len(wrong),
        "replay_differences": len(found.differences),
        "archived": archived.total(),
        "examples": [
            f"{player}: shown {board.get(player)}, archived {right.get(player)}" for player in wrong[:BOARDS_MAX]
        ],
    }
