"""The judgement of a settled world: live equals replay equals audit, in PostgreSQL and in Redis, and the archive is the log."""

from collections.abc import Iterable
from typing import Any

from aiohttp.test_utils import TestClient, TestServer

from api.app import make_app
from engine.movement import BEFORE
from engine.places import Lookup, Window
from engine.rules import Game
from projections.fallback import PostgresRankings
from projections.rankings import RedisRankings
from projections.replay import verify_all
from schemas.ruleset import parse
from tests.harness import Harness, silent
from tests.simulation.accepting import Account, RawEntry, accounts
from tests.simulation.auditor import Boards, Line, audit
from tests.simulation.discrepancy import Discrepancy, by_rank, compared
from tests.simulation.freezing import Held, held, pinned, since
from tests.simulation.wholes import judge_spread

LINES_MAX = 10_000
VERDICTS = {0: "accepted", 1: "duplicate", 2: "refused"}
RANKINGS = """
SELECT g.name, g.part, g.parts, t.text, r.ranking_id, r.board, r.period, r.segment
FROM games g JOIN generations n ON n.generation_id = g.live_generation
JOIN rulesets t ON t.game_id = g.game_id AND t.version = n.ruleset_version
JOIN rankings r ON r.generation_id = n.generation_id
"""


async def judge(harness: Harness, entries: dict[int, list[RawEntry]]) -> None:
    """Raises Discrepancy unless everything agrees about everything."""
    games: dict[str, list[Account]] = {}
    for shard, log in entries.items():
        found, verdicts = accounts(log, shard, len(entries))
        for name, account in found.items():
            games.setdefault(name, []).append(account)
        await _judge_archive(harness, shard, verdicts)
    each = {_key(name, account.shard, account.parts): account for name, parts in games.items() for account in parts}
    await _judge_replay(harness, games)
    frozen = {key: held(account) for key, account in each.items()}
    skipped = await _judge_boards(harness, {key: audit(account) for key, account in each.items()}, frozen)
    await _judge_public(harness, {name: pinned(parts[0]) for name, parts in games.items() if parts[0].parts == 1})
    await judge_spread(harness, games, entries)
    try:
        await harness.assert_rankings_agree(skipped)
    except AssertionError as error:
        raise Discrepancy(f"Redis does not hold what PostgreSQL holds: {str(error)[:500]}") from None


def _key(name: str, part: int, parts: int) -> str:
    """What a game, or a part of a spread one, is called here."""
    return name if parts == 1 else f"{name}/{part}"


async def _judge_replay(harness: Harness, games: Iterable[str]) -> None:
    """What is live is what a fold of the archive from nothing gives."""
    for name in games:
        found = await verify_all(harness.pool, name, silent)
        if found.differences or found.live_digest != found.replayed_digest:
            raise Discrepancy(f"{name}: live is not what a replay gives: {found.differences[:3]}")


async def _judge_archive(harness: Harness, shard: int, verdicts: dict[tuple[int, int], str]) -> None:
    """Every entry of the log is archived exactly once, with the verdict that it deserves; what was refused is to be seen."""
    rows = await harness.pool.fetch("SELECT ms, seq, verdict FROM log WHERE shard = $1 ORDER BY ms, seq", shard)
    found = [((row["ms"], row["seq"]), VERDICTS[row["verdict"]]) for row in rows]
    right = sorted(verdicts.items())
    if found != right:
        wrong = sorted(set(found) ^ set(right))[:5] or "entries more than once"
        raise Discrepancy(f"shard {shard}: the archive is not the log: {len(found)} and {len(right)} entries, {wrong}")
    dead = await harness.value("SELECT count(*) FROM dead_letters WHERE shard = $1", shard)
    refused = sum(verdict == "refused" for verdict in verdicts.values())
    if dead != refused:
        raise Discrepancy(f"shard {shard}: {refused} entries were refused, and {dead} are dead letters")


async def _judge_public(harness: Harness, still: dict[str, Boards]) -> None:
    """What the API shows of frozen and closed boards is what they were when that was said."""
    if not any(still.values()):
        return
    # A snapshot may name an erased player until it is made anew.
    for key in await harness.rankings.keys("*@*"):
        await harness.rankings.delete(key)
    app = make_app(harness.pool, harness.log, harness.rankings)
    async with TestClient(TestServer(app, access_log=None)) as client:
        for game, boards in still.items():
            for (board, period, segment), lines in boards.items():
                query = {"period": period, "limit": "1000", **({"segment": segment} if segment else {})}
                async with client.get(f"/v1/games/{game}/boards/{board}", params=query) as answer:
                    page = await answer.json()
                if answer.status != 200:
                    raise Discrepancy(f"{game} {board} {period} {segment} is frozen: {answer.status} {page}")
                shown = [Line(one["rank"], one["player"], one["metrics"]) for one in page["entries"]]
                words = compared({(board, period, segment): by_rank(shown)}, {(board, period, segment): by_rank(lines)})
                if words or not (page.get("frozen") or page.get("final")):
                    raise Discrepancy(f"{game}, frozen: {words[0] if words else page}")


async def _judge_boards(harness: Harness, wanted: dict[str, Boards], frozen: dict[str, Held]) -> set[int]:
    """What Redis and PostgreSQL show, as readers ask for it, is what the auditor computed.

    Redis need not know what stands still; returns the ids of these rankings.
    """
    skipped: set[int] = set()
    shown: dict[str, dict[str, Boards]] = {"Redis": {}, "PostgreSQL": {}}
    stores: dict[str, Any] = {
        "Redis": RedisRankings(harness.rankings),
        "PostgreSQL": PostgresRankings(harness.pool),
    }
    games: dict[str, Game] = {}
    for row in await harness.pool.fetch(RANKINGS):
        key = _key(row["name"], row["part"], row["parts"])
        stands = since(frozen.get(key, {}), row["board"], row["period"]) is not None
        if stands:
            skipped.add(row["ranking_id"])
        if row["segment"].startswith(BEFORE):
            continue
        game = games.setdefault(row["name"], Game(parse(row["text"])))
        plan = game.boards[row["board"]]
        for where, store in stores.items():
            if stands and where == "Redis":
                continue
            # What the public is shown of frozen boards is judged apart.
            beyond = {} if where == "Redis" else {"frozen": False}
            answer = await store.lookup(row["ranking_id"], plan, [Lookup("top", 0, LINES_MAX)], **beyond)
            window = answer.found[0] if answer is not None else None
            if not isinstance(window, Window):
                raise Discrepancy(f"{key} {row['board']} {row['period']}: {where} has no such ranking")
            lines = [Line(one.rank, one.player, plan.decode(one.prefix, one.extra)) for one in window.entries]
            if lines:
                shown[where].setdefault(key, {})[row["board"], row["period"], row["segment"]] = lines
    for where, found in shown.items():
        for name in wanted.keys() | found.keys():
            right = wanted.get(name, {})
            if where == "Redis":
                right = {key: lines for key, lines in right.items() if since(frozen[name], *key[:2]) is None}
            words = compared(found.get(name, {}), right)
            if words:
                still = {key[0]: entry for key, entry in frozen[name].items()} if name in frozen else {}
                raise Discrepancy(f"{where}, {name}: {len(words)} wrong rankings, such as {words[0]}; frozen: {still}")
    return skipped
