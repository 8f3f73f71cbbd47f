"""A game that is spread over all shards by player: each shard folds its own players, as one fold would have folded them."""

import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cli.checks_postgres import postgres_checks
from engine.fold import Fold, fold
from engine.spread import goes_with, part_of
from projections import epochs, erasure, generations
from projections.replay import verify_all
from projections.reshard import reshard
from schemas.codec import decode
from schemas.errors import Conflict, RankfoldError
from schemas.events import Event
from schemas.position import Position
from schemas.ruleset import parse
from tests.harness import Harness, event, ruleset, running, score, silent

pytestmark = pytest.mark.services

SHARDS = 3
RULES = """
game = "arcade"
spread = true

[metrics.points]

[sources.score]
origin = "score"

[sources.officials]
origin = "adjustment"

[sources.race]
origin = "placements"
points = [25, 18, 15]

[sources.tips]
origin = "picks"
grades = [{ when = "choice", outcome = "winner", points = 3 }]

[boards.total]
rank_by = ["points desc"]
periods = ["all", "round"]

[boards.total.metrics.points]
op = "sum"
of = "points"

[boards.best]
sources = ["score"]
keep = { mode = "best", by = "points" }
rank_by = ["points desc", "reached"]

[boards.best.metrics.points]
op = "max"
of = "points"
"""
PLAYERS = [f"player-{number}" for number in range(12)]


ORDER: list[str] = []
"""The ids of what was published: entries of several shards can have been recorded in the same millisecond."""


@pytest.fixture
async def harness(
    database_url: str, redis_log_url: str, redis_rankings_url: str, tmp_path: Path
) -> AsyncIterator[Harness]:
    ORDER.clear()
    async with running(database_url, redis_log_url, redis_rankings_url, tmp_path, shards=SHARDS) as harness:
        yield harness


async def publish(harness: Harness, *bodies: dict[str, Any]) -> None:
    """Puts each event where it belongs: what is about a player on his shard, all else on every one."""
    for body in bodies:
        ORDER.append(body["id"])
        player = goes_with(decode(msgspec.json.encode(body)))
        for shard in range(SHARDS) if player is None else (part_of(player, SHARDS),):
            await harness.publish(body, shard=shard)


async def drain(harness: Harness) -> None:
    """Folds everything that is in the streams."""
    for shard in range(SHARDS):
        async with harness.consuming(shard=shard, total=SHARDS) as reader:
            await reader.drain()


async def whole(harness: Harness, board: str = "total", period: str = "all") -> list[tuple[bytes, str]]:
    """The lines of a ranking of all parts together, in order."""
    rows = await harness.pool.fetch(
        "SELECT s.prefix, s.player FROM games g JOIN rankings r ON r.generation_id = g.live_generation"
        " JOIN standings s USING (ranking_id)"
        " WHERE r.board = $1 AND r.period = $2 AND r.segment = '' AND s.prefix IS NOT NULL ORDER BY s.prefix, s.player",
        board,
        period,
    )
    return [(row["prefix"], row["player"]) for row in rows]


async def as_one(harness: Harness, text: str = RULES) -> Fold:
    """What one fold makes of everything that was accepted, each event of everyone once, in the order of publication."""
    rows = await harness.pool.fetch(
        "SELECT epoch, shard, ms, seq, body FROM log WHERE verdict = 0 AND game_id > 0 ORDER BY epoch, ms, seq, shard"
    )
    said: dict[str, tuple[Position, Event]] = {}
    for row in rows:
        each = decode(row["body"])
        said.setdefault(each.id, (Position(row["epoch"], row["shard"], row["ms"], row["seq"]), each))
    return fold(parse(text), [said[name] for name in dict.fromkeys(ORDER) if name in said])


def lines(state: Fold, board: str = "total", period: str = "all") -> list[tuple[bytes, str]]:
    table = state.table(board, period)
    return sorted((row.prefix, player) for player, row in table.rows.items() if row.prefix is not None)


def season() -> Iterator[dict[str, Any]]:
    """Rounds of races and tips, and scores beside them."""
    for round_ in range(1, 5):
        race = f"race-{round_}"
        yield event("fixture", f"f{round_}", fixture=race, round=round_, starts_at="2100-01-01T12:00:00Z")
        for number, player in enumerate(PLAYERS):
            yield event("pick", f"p{round_}-{number}", player=player, fixture=race, choice=PLAYERS[number % 3])
            yield score(f"s{round_}-{number}", player, (number * 7 + round_ * 3) % 10, round=round_)
        order = PLAYERS[round_:] + PLAYERS[:round_]
        placements = [{"player": player, "position": at} for at, player in enumerate(order[:4], 1)]
        outcome = {"winner": [order[0]]}
        yield event(
            "result", f"r{round_}", fixture=race, revision=1, status="final", placements=placements, outcomes=outcome
        )
    yield event("adjustment", "a1", player=PLAYERS[4], values={"points": -5}, reason="late")
    yield event("player", "b1", player=PLAYERS[5], status="banned")
    yield event("void", "v1", event="s2-6", reason="cheated")
    yield event("void", "v2", event="r3", reason="wrong track")


async def test_parts_together_are_what_one_fold_gives(harness: Harness) -> None:
    await publish(harness, ruleset(RULES), *season())
    await drain(harness)
    assert await harness.dead_letters() == []
    rows = await harness.pool.fetch("SELECT name, shard, part, parts FROM games ORDER BY part")
    assert [tuple(row) for row in rows] == [("arcade", part, part, SHARDS) for part in range(SHARDS)]
    state = await as_one(harness)
    for period in ("all", "round:1", "round:3"):
        assert await whole(harness, period=period) == lines(state, period=period)
    assert await whole(harness, "best") == lines(state, "best")
    assert len(await whole(harness)) == len(PLAYERS) - 1
    held = await harness.pool.fetch(
        "SELECT DISTINCT g.part, s.player FROM games g JOIN rankings r ON r.generation_id = g.live_generation"
        " JOIN standings s USING (ranking_id)"
    )
    assert {(row["part"], row["player"]) for row in held} == {(part_of(player, SHARDS), player) for player in PLAYERS}
    for part in range(SHARDS):
        found = await harness.verify(part=part)
        assert found.differences == []
        assert found.live_digest == found.replayed_digest


async def test_a_player_of_another_shard_is_refused(harness: Harness) -> None:
    await publish(harness, ruleset(RULES))
    home = part_of("ann", SHARDS)
    wrong = (home + 1) % SHARDS
    await harness.publish(score("s1", "ann", 5), shard=wrong)
    await harness.publish(score("s1", "ann", 7), shard=home)
    await drain(harness)
    [dead] = await harness.dead_letters()
    assert dead.field == "player"
    assert dead.reason == f"this player's part of a spread game lives on shard {home}, not on shard {wrong}"
    assert [player for _, player in await whole(harness)] == ["ann"]


async def test_rules_change_on_every_part_and_go_live_at_once(harness: Harness) -> None:
    await publish(harness, ruleset(RULES), *season())
    await drain(harness)
    before = await whole(harness)
    doubled = RULES.replace("points = 3", "points = 6")
    await publish(harness, ruleset(doubled, 2))
    await drain(harness)
    built = await harness.build(version=2, label="doubled")
    assert [position.shard for position in built.position] == list(range(SHARDS))
    assert await whole(harness) == before
    await publish(harness, score("late", PLAYERS[1], 9))
    await drain(harness)
    [live, shadow] = await generations.listed(harness.pool, "arcade")
    assert (live.status, live.live, shadow.status, shadow.name) == ("live", True, "shadow", "doubled")
    await generations.swap(harness.pool, harness.rankings, "arcade", shadow.generation_id, silent)
    await drain(harness)
    assert await whole(harness) == lines(await as_one(harness, doubled))
    await harness.assert_exact()
    found = await verify_all(harness.pool, "arcade", silent)
    assert found.differences == []
    assert found.live_digest == found.replayed_digest
    assert str(found.position).count(",") == SHARDS - 1
    damage = (
        "UPDATE standings s SET prefix = '\\x00' FROM rankings r JOIN games g ON g.live_generation = r.generation_id"
        " WHERE r.ranking_id = s.ranking_id AND s.player = $1"
    )
    await harness.pool.execute(damage, PLAYERS[7])
    broken = await verify_all(harness.pool, "arcade", silent)
    assert {difference.player for difference in broken.differences} == {PLAYERS[7]}
    assert broken.live_digest != broken.replayed_digest == found.replayed_digest
    with pytest.raises(Conflict, match="is live"):
        await generations.drop(harness.pool, harness.rankings, "arcade", shadow.generation_id)
    back = await generations.swap_back(harness.pool, harness.rankings, "arcade", silent)
    assert back.generation_id == live.generation_id
    await drain(harness)
    assert await whole(harness) == lines(await as_one(harness))
    await generations.drop(harness.pool, harness.rankings, "arcade", shadow.generation_id)
    assert len(await generations.listed(harness.pool, "arcade")) == 1
    assert await harness.value("SELECT count(*) FROM generations WHERE status = 'dropped'") == SHARDS
    await harness.assert_exact()


async def test_a_swap_that_cannot_take_all_parts_takes_none(harness: Harness) -> None:
    await publish(harness, ruleset(RULES), *season())
    await drain(harness)
    built = await harness.build(label="next")
    await harness.pool.execute(
        "UPDATE generations SET status = 'failed' WHERE generation_id = $1", built.generation_id + 1
    )
    live = await harness.pool.fetch("SELECT live_generation FROM games ORDER BY part")
    with pytest.raises(Conflict, match="failed"):
        await generations.swap(harness.pool, harness.rankings, "arcade", built.generation_id, silent)
    with pytest.raises(Conflict, match="no shadow any more"):
        await generations.build(harness.pool, harness.rankings, built.generation_id, silent, to="live")
    assert await harness.pool.fetch("SELECT live_generation FROM games ORDER BY part") == live


async def test_an_erased_player_keeps_his_place_and_loses_his_name_on_every_shard(harness: Harness) -> None:
    await publish(harness, ruleset(RULES), *season())
    await drain(harness)
    gone = PLAYERS[3]
    before = await whole(harness)
    await publish(harness, event("player", "gone", player=gone, status="erased"))
    await drain(harness)
    after = await whole(harness)
    named = {player for _, player in after}
    assert gone not in named
    [stand_in] = named - {player for _, player in before}
    assert stand_in.startswith("erased-1.")
    assert part_of(stand_in, SHARDS) == part_of(gone, SHARDS)
    assert sorted(prefix for prefix, _ in after) == sorted(prefix for prefix, _ in before)
    done = await erasure.erase(harness.pool, harness.log, harness.rankings, "arcade", silent)
    assert done.players == 1
    left = await harness.value("SELECT count(*) FROM log WHERE position($1::bytea IN body) > 0", gone.encode())
    assert left == 0
    await drain(harness)
    assert await whole(harness) == after
    await harness.assert_exact()


async def test_more_shards_leave_the_parts_where_they_are(harness: Harness) -> None:
    await publish(harness, ruleset(RULES), *season())
    await drain(harness)
    await epochs.begin(harness.pool, SHARDS)
    before = await whole(harness)
    with pytest.raises(RankfoldError, match="arcade is spread over 3 shards"):
        await reshard(harness.pool, harness.log, SHARDS - 1, silent)
    await reshard(harness.pool, harness.log, SHARDS + 2, silent)
    assert await harness.pool.fetchval("SELECT array_agg(shard ORDER BY part) FROM games") == list(range(SHARDS))
    await publish(harness, score("later", PLAYERS[0], 4))
    await drain(harness)
    assert await whole(harness) != before
    await harness.assert_exact()


async def test_rules_that_reached_some_shards_only_are_told_and_not_built(harness: Harness) -> None:
    async def found() -> list[tuple[str, str, str]]:
        checks = await postgres_checks(harness.database_url, None)
        return [(check.name, check.state, check.found) for check in checks if check.subject == "Games"]

    assert await found() == []
    await harness.publish(ruleset(RULES), shard=0)
    await drain(harness)
    assert await found() == [("arcade", "warn", "no rules on shard 1, 2")]
    with pytest.raises(Conflict, match="version 1 of the rules has not come to shard 1, 2 yet"):
        await harness.build()
    await publish(harness, ruleset(RULES))
    await drain(harness)
    assert await found() == [("arcade", "ok", "3 parts")]
    again = ruleset(RULES.replace("25, 18", "30, 18"), 2)
    await harness.publish(again, shard=0)
    await harness.publish(again, shard=2)
    await drain(harness)
    assert await found() == [("arcade", "warn", "version 2 of the rules is not on shard 1")]
    with pytest.raises(Conflict, match="has not come to shard 1 yet"):
        await harness.build()
    await publish(harness, again)
    await drain(harness)
    assert await found() == [("arcade", "ok", "3 parts")]
    await harness.swap()
    await drain(harness)
    await harness.assert_exact()


@pytest.mark.parametrize("point", ["after_read", "in_transaction", "after_commit", "before_rankings"])
async def test_consumers_of_the_parts_are_killed(harness: Harness, point: str) -> None:
    """One after the other takes all shards, dies in the midst of some part's season, and nothing is lost or counted twice."""
    settings = {"shards": SHARDS, "batch_events_max": 5}
    events = list(season())
    third = len(events) // 3
    await publish(harness, ruleset(RULES), *events[:third])
    for turn, share in ((1, events[third : 2 * third]), (2 if point.endswith("rankings") else 4, events[2 * third :])):
        child = harness.child(f"{point}:{turn}", **settings)
        assert await child.ended() == -signal.SIGKILL, child.log
        await harness.pool.execute("UPDATE leases SET until = now() - interval '1 second'")
        # What is repeated counts once, also where it is of everyone.
        await publish(harness, *share, *share[-10:])
    with harness.living(**settings):
        for shard in range(SHARDS):
            await harness.caught_up(shard)
    state = await as_one(harness)
    for board, period in (("total", "all"), ("total", "round:2"), ("best", "all")):
        assert await whole(harness, board, period) == lines(state, board, period)
    await harness.assert_exact()
