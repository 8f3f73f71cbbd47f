"""The judgement of a settled world: live equals replay equals audit, in PostgreSQL and in Redis, and the archive is the log."""

from typing import Any

from engine.movement import BEFORE
from engine.places import Lookup, Window
from engine.rules import Game
from projections.fallback import PostgresRankings
from projections.rankings import RedisRankings
from schemas.ruleset import parse
from tests.harness import Harness
from tests.simulation.accepting import RawEntry, accounts
from tests.simulation.auditor import Boards, Line, audit
from tests.simulation.offline import compared

LINES_MAX = 10_000
VERDICTS = {0: "accepted", 1: "duplicate", 2: "refused"}
RANKINGS = """
SELECT g.name, t.text, r.ranking_id, r.board, r.period, r.segment
FROM games g JOIN generations n ON n.generation_id = g.live_generation
JOIN rulesets t ON t.game_id = g.game_id AND t.version = n.ruleset_version
JOIN rankings r ON r.generation_id = n.generation_id
"""


class Discrepancy(AssertionError):
    """Something is not as it should be."""


async def judge(harness: Harness, entries: dict[int, list[RawEntry]]) -> None:
    """Raises Discrepancy unless everything agrees about everything."""
    wanted: dict[str, Boards] = {}
    for shard, log in entries.items():
        games, verdicts = accounts(log, shard)
        wanted |= {name: audit(account) for name, account in games.items()}
        await _judge_archive(harness, shard, verdicts)
    await _judge_boards(harness, wanted)
    for name in wanted:
        found = await harness.verify(name)
        if found.differences or found.live_digest != found.replayed_digest:
            raise Discrepancy(f"{name}: live is not what a replay gives: {found.differences[:3]}")
    try:
        await harness.assert_rankings_agree()
    except AssertionError as error:
        raise Discrepancy(f"Redis does not hold what PostgreSQL holds: {str(error)[:500]}") from None


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


async def _judge_boards(harness: Harness, wanted: dict[str, Boards]) -> None:
    """What Redis and PostgreSQL show, as readers ask for it, is what the auditor computed."""
    shown: dict[str, dict[str, Boards]] = {"Redis": {}, "PostgreSQL": {}}
    stores: dict[str, Any] = {
        "Redis": RedisRankings(harness.rankings),
        "PostgreSQL": PostgresRankings(harness.pool),
    }
    games: dict[str, Game] = {}
    for row in await harness.pool.fetch(RANKINGS):
        if row["segment"].startswith(BEFORE):
            continue
        game = games.setdefault(row["name"], Game(parse(row["text"])))
        plan = game.boards[row["board"]]
        for where, store in stores.items():
            answer = await store.lookup(row["ranking_id"], plan, [Lookup("top", 0, LINES_MAX)])
            window = answer.found[0] if answer is not None else None
            if not isinstance(window, Window):
                raise Discrepancy(f"{row['name']} {row['board']} {row['period']}: {where} has no such ranking")
            lines = [Line(one.rank, one.player, plan.decode(one.prefix, one.extra)) for one in window.entries]
            if lines:
                shown[where].setdefault(row["name"], {})[row["board"], row["period"], row["segment"]] = lines
    for where, found in shown.items():
        for name in wanted.keys() | found.keys():
            words = compared(found.get(name, {}), wanted.get(name, {}))
            if words:
                raise Discrepancy(f"{where}, {name}: {len(words)} rankings are wrong, such as {words[0]}")
