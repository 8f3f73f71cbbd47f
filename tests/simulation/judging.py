"""The judgement of a settled world: live equals replay equals audit, in PostgreSQL and in Redis, and the archive is the log.

So does every shadow. What the API shows of boards is what the auditor says: ranks, metrics, tiers, movement and badges, and of
frozen ones what they were.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp.test_utils import TestClient, TestServer

from api.app import make_app
from engine.places import Lookup, Window
from engine.rules import Game
from projections.fallback import PostgresRankings
from projections.rankings import RedisRankings
from schemas.language import Ruleset
from schemas.ruleset import parse
from tests.harness import Harness
from tests.simulation.accepting import Account, Place, RawEntry, accounts
from tests.simulation.auditor import Boards, Line, RankingName, audit
from tests.simulation.awarding import Award, Awarder, Awards
from tests.simulation.freezing import Entry, Held, held, pinned, since
from tests.simulation.moving import BEFORE
from tests.simulation.offline import awards_compared, compared

LINES_MAX = 10_000
PAGES_MAX = 20
"""Pages that are asked for at one judgement, of boards that do not stand still."""
VERDICTS = {0: "accepted", 1: "duplicate", 2: "refused"}
GENERATIONS = """
SELECT g.name, n.generation_id, n.ruleset_version, t.text, n.generation_id = g.live_generation AS live
FROM games g JOIN generations n USING (game_id) JOIN rulesets t ON t.game_id = g.game_id AND t.version = n.ruleset_version
WHERE n.generation_id = g.live_generation OR n.status = 'shadow'
"""
RANKINGS = "SELECT ranking_id, board, period, segment FROM rankings WHERE generation_id = $1"
BADGES = "SELECT board, period, player, badge, ms, seq FROM badges WHERE generation_id = $1"


class Discrepancy(AssertionError):
    """Something is not as it should be."""


@dataclass
class Known:
    """What whoever judges remembers of a world: since which entries which version of the rules is live in each game."""

    versions: dict[str, list[tuple[Entry, int]]] = field(default_factory=dict)
    awarders: dict[tuple[str, int], Awarder] = field(default_factory=dict)

    def rules_at(self, account: Account, name: str) -> Callable[[Entry], Ruleset]:
        """The rules that were live at an entry."""

        def at(entry: Entry) -> Ruleset:
            version = 1
            for upto, other in self.versions.get(name, ()):
                version = other if upto < entry else version
            return parse(account.texts[version])

        return at

    def awards(self, name: str, version: int, account: Account) -> Awards:
        """What has been awarded in a game under a version of its rules."""
        awarder = self.awarders.setdefault((name, version), Awarder(account))
        awarder.account.homes = account.homes
        return awarder.upto(account.said)


@dataclass
class Truth:
    """What a game should show."""

    account: Account
    live: Boards
    awards: Awards
    frozen: Held
    still: Boards


async def judge(harness: Harness, entries: list[RawEntry], shards: dict[int, int], known: Known) -> None:
    """Raises Discrepancy unless everything agrees about everything. `shards` says how many there were in each epoch."""
    games, verdicts = accounts(entries, shards)
    await _judge_archive(harness, verdicts)
    truths: dict[str, Truth] = {}
    skipped: set[int] = set()
    for row in await harness.pool.fetch(GENERATIONS):
        name, generation = row["name"], row["generation_id"]
        if name not in games:
            raise Discrepancy(f"nobody has made {name}")
        account = games[name].under(parse(row["text"]))
        await _judge_replay(harness, name, generation)
        boards, awards = audit(account), known.awards(name, row["ruleset_version"], account)
        frozen = held(account) if row["live"] else {}
        skipped |= await _judge_boards(harness, name, generation, boards, frozen, live=row["live"])
        await _judge_awards(harness, name, generation, awards)
        if row["live"]:
            truths[name] = Truth(account, boards, awards, frozen, pinned(account, known.rules_at(account, name)))
    if truths.keys() != games.keys():
        raise Discrepancy(f"there are {sorted(truths)} and not {sorted(games)}")
    await _judge_public(harness, truths, random.Random(len(entries)))
    try:
        await harness.assert_rankings_agree(skipped)
    except AssertionError as error:
        raise Discrepancy(f"Redis does not hold what PostgreSQL holds: {str(error)[:500]}") from None


async def _judge_replay(harness: Harness, name: str, generation: int) -> None:
    """What is there is what a fold of the archive from nothing gives."""
    found = await harness.verify(name, generation)
    if found.differences or found.live_digest != found.replayed_digest:
        raise Discrepancy(f"{name}, generation {generation}: this is not what a replay gives: {found.differences[:3]}")


async def _judge_archive(harness: Harness, verdicts: dict[Place, str]) -> None:
    """Every entry of the log is archived exactly once, with the verdict that it deserves; what was refused is to be seen."""
    rows = await harness.pool.fetch("SELECT shard, ms, seq, verdict FROM log ORDER BY shard, ms, seq")
    found = [((row["shard"], row["ms"], row["seq"]), VERDICTS[row["verdict"]]) for row in rows]
    right = sorted(verdicts.items())
    if found != right:
        wrong = sorted(set(found) ^ set(right))[:5] or "entries more than once"
        raise Discrepancy(f"the archive is not the log: {len(found)} and {len(right)} entries, {wrong}")
    dead = await harness.value("SELECT count(*) FROM dead_letters")
    refused = sum(verdict == "refused" for verdict in verdicts.values())
    if dead != refused:
        raise Discrepancy(f"{refused} entries were refused, and {dead} are dead letters")


async def _judge_awards(harness: Harness, name: str, generation: int, awards: Awards) -> None:
    rows = await harness.pool.fetch(BADGES, generation)
    words = awards_compared({Award(*row[:4]): tuple(row[4:]) for row in rows}, awards)
    if words:
        raise Discrepancy(f"{name}, generation {generation}: {words[0]}")


async def _judge_public(harness: Harness, truths: dict[str, Truth], chance: random.Random) -> None:
    """What the API shows: of boards that stand still what they were when that was said, of some others what they are."""
    # A snapshot may name an erased player until it is made anew.
    for key in await harness.rankings.keys("*@*"):
        await harness.rankings.delete(key)
    app = make_app(harness.pool, harness.log, harness.rankings)
    async with TestClient(TestServer(app, access_log=None)) as client:
        for game, truth in truths.items():
            for name, lines in truth.still.items():
                if not name[2].startswith(BEFORE):
                    earlier = truth.still.get((name[0], name[1], BEFORE + name[2]), [])
                    await _judge_page(client, game, truth, name, lines, earlier, still=True)
        moving = [
            (game, name)
            for game, truth in truths.items()
            for name in truth.live
            if not name[2].startswith(BEFORE) and since(truth.frozen, *name[:2]) is None
        ]
        for game, name in chance.sample(moving, min(len(moving), PAGES_MAX)):
            truth = truths[game]
            earlier = truth.live.get((name[0], name[1], BEFORE + name[2]), [])
            await _judge_page(client, game, truth, name, truth.live[name], earlier, still=False)
            await _judge_place(client, game, truth, name, chance.choice(truth.live[name]))


async def _judge_page(
    client: TestClient[Any, Any],
    game: str,
    truth: Truth,
    name: RankingName,
    lines: list[Line],
    earlier: list[Line],
    *,
    still: bool,
) -> None:
    board, period, segment = name
    query = {"period": period, "limit": "1000", **({"segment": segment} if segment else {})}
    async with client.get(f"/v1/games/{game}/boards/{board}", params=query) as answer:
        page = await answer.json()
    if answer.status != 200:
        raise Discrepancy(f"{game} {board} {period} {segment}: {answer.status} {page}")
    shown = [Line(one["rank"], one["player"], one["metrics"], one.get("tier")) for one in page["entries"]]
    words = compared({name: by_rank(shown)}, {name: by_rank(lines)})
    if words or bool(page.get("frozen") or page.get("final")) != still:
        raise Discrepancy(f"{game}, {'frozen' if still else 'live'} page: {words[0] if words else page}")
    if truth.account.rules.boards[board].movement == "none" or period.startswith("last:"):
        return
    before = {line.player: line.rank for line in earlier}
    for one in page["entries"]:
        moved = None if one["player"] not in before else before[one["player"]] - one["rank"]
        if one.get("movement", "none at all") != moved:
            raise Discrepancy(f"{game} {name}: {one} has moved {moved}, from {before.get(one['player'])}")


async def _judge_place(client: TestClient[Any, Any], game: str, truth: Truth, name: RankingName, line: Line) -> None:
    """What a player is told of himself, with his badges."""
    board, period, segment = name
    query = {"period": period, **({"segment": segment} if segment else {})}
    async with client.get(f"/v1/games/{game}/boards/{board}/players/{line.player}", params=query) as answer:
        place = await answer.json()
    if answer.status != 200 or (place["rank"], place["metrics"]) != (line.rank, line.metrics):
        raise Discrepancy(f"{game} {name}: {place} should be {line}")
    if truth.account.rules.boards[board].badges and not segment and not period.startswith("last:"):
        right = {award.badge for award in truth.awards if award[:3] == (board, period, line.player)}
        if {badge["badge"] for badge in place["badges"]} != right:
            raise Discrepancy(f"{game} {name}: {line.player} has {place['badges']} and not {sorted(right)}")


def by_rank(lines: list[Line]) -> list[Line]:
    """Lines by rank and player: who is level with another may have got another id since then."""
    return sorted(lines, key=lambda line: line[:2])


async def _judge_boards(
    harness: Harness, name: str, generation: int, wanted: Boards, frozen: Held, *, live: bool
) -> set[int]:
    """What Redis and PostgreSQL show, as readers ask for it, is what the auditor computed; of shadows, PostgreSQL.

    Redis need not know what stands still; returns the ids of these rankings.
    """
    skipped: set[int] = set()
    stores: dict[str, Any] = {"PostgreSQL": PostgresRankings(harness.pool)}
    if live:
        stores["Redis"] = RedisRankings(harness.rankings)
    shown: dict[str, Boards] = {where: {} for where in stores}
    text = await harness.value(
        "SELECT text FROM rulesets JOIN generations n USING (game_id) WHERE generation_id = $1 AND version = ruleset_version",
        generation,
    )
    plans = Game(parse(text)).boards
    for ranking_id, board, period, segment in await harness.pool.fetch(RANKINGS, generation):
        stands = since(frozen, board, period) is not None
        if stands:
            skipped.add(ranking_id)
        plan = plans[board]
        for where, store in stores.items():
            if stands and where == "Redis":
                continue
            # What the public is shown of frozen boards is judged apart.
            beyond = {} if where == "Redis" else {"frozen": False}
            answer = await store.lookup(ranking_id, plan, [Lookup("top", 0, LINES_MAX)], **beyond)
            window = answer.found[0] if answer is not None else None
            if not isinstance(window, Window):
                raise Discrepancy(f"{name} {board} {period}: {where} has no such ranking")
            lines = [
                Line(
                    one.rank,
                    one.player,
                    plan.decode(one.prefix, one.extra),
                    None if plan.tiers is None else plan.tiers.of(one, len(window.entries)),
                )
                for one in window.entries
            ]
            if lines:
                shown[where][board, period, segment] = lines
    for where, found in shown.items():
        right = wanted
        if where == "Redis":
            right = {key: lines for key, lines in right.items() if since(frozen, *key[:2]) is None}
        words = compared(found, right)
        if words:
            still = {key[0]: entry for key, entry in frozen.items()}
            raise Discrepancy(
                f"{where}, {name}, generation {generation}: {len(words)} wrong rankings, such as {words[0]}; "
                f"frozen: {still}"
            )
    return skipped
