"""Shadows: they follow the live traffic under their own rules, and equal a replay, whatever happens on the way."""

import signal
from typing import Any

import pytest

from engine.fold import Fold
from projections import generations
from schemas.errors import Conflict
from schemas.ruleset import parse
from tests.harness import RULES, Harness, event, renamed, ruleset, score
from tests.integration.generating import GAMES, anything_left, begun, differences, held, status
from tests.workload import Workload

pytestmark = pytest.mark.services
DOUBLED = RULES.replace("points = [25, 18, 15]", "points = [50, 36, 30]").replace(
    'keep = { mode = "best", by = "points" }', 'keep = { mode = "latest" }'
)


async def assert_shadow(harness: Harness, generation: int, game: str = "arcade") -> None:
    """A shadow is where its shard is, equals a replay under its rules, and is shown in Redis."""
    assert await status(harness, generation) == "shadow"
    found = await harness.verify(game, generation)
    assert found.differences == []
    await harness.assert_rankings_agree_of(generation)


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize(("seed", "batch", "cache_rows"), [(1, 40, 100_000), (2, 1, 100_000), (3, 13, 20)])
async def test_a_shadow_under_the_same_rules_holds_what_is_live(
    harness: Harness, game: str, seed: int, batch: int, cache_rows: int
) -> None:
    rules, bodies = GAMES[game](seed)
    half = len(bodies) // 2
    await begun(harness, rules, bodies[:half])
    built = await harness.build(label="the same")
    async with harness.consuming(batch=batch, cache_rows=cache_rows) as reader:
        # What has come already comes again.
        await harness.publish(*bodies[half:], *bodies[half - 20 : half])
        await reader.drain()
        # The live fold carries along what the shadow's knows of times, too.
        assert differences(await held(harness, built.generation_id), await held(harness, 1)) == []
        await assert_shadow(harness, built.generation_id)
        await harness.assert_exact("arcade")


async def test_a_shadow_under_other_rules_follows_a_killed_consumer(harness: Harness) -> None:
    workload = Workload(seed=5)
    await harness.publish(ruleset(), *workload.take(200), ruleset(DOUBLED, 2))
    workload.accepted += 1
    async with harness.consuming() as reader:
        await reader.drain()
    built = await harness.build(label="doubled")
    for point in ("after_fold:3", "in_transaction:4", "after_commit:3", "before_rankings:1"):
        child = harness.child(point, batch_events_max=25)
        await harness.publish(*workload.take(150))
        assert await child.ended() == -signal.SIGKILL, child.log
        await harness.pool.execute("UPDATE leases SET until = now() - interval '1 second'")
    with harness.living(batch_events_max=25):
        await harness.publish(*workload.take(100))
        await harness.caught_up()
    await workload.check(harness)
    await harness.assert_exact("arcade")
    await assert_shadow(harness, built.generation_id)
    assert await harness.value("SELECT max(ruleset_version) FROM generations WHERE status = 'live'") == 1


async def test_a_shadow_joins_a_consumer_at_work(harness: Harness) -> None:
    """Events are folded all the time; two games, of which one has two shadows."""
    workload, other = Workload(seed=6), Workload(seed=7, game="other")
    await harness.publish(ruleset(), ruleset(renamed("other"), game="other"))
    await harness.publish(*workload.take(100), *other.take(100), ruleset(DOUBLED, 2))
    workload.accepted += 1
    with harness.living(batch_events_max=20):
        await harness.caught_up()
        await harness.publish(*workload.take(1_000), *other.take(500))
        first = await harness.build(label="one")
        await harness.publish(*workload.take(200), *other.take(100))
        second = await harness.build(label="two", version=1)
        await harness.publish(*workload.take(200), *other.take(100))
        await harness.caught_up()
    await workload.check_scores(harness)
    await other.check_scores(harness)
    await harness.assert_exact()
    for built in (first, second):
        await assert_shadow(harness, built.generation_id)
    assert differences(await held(harness, second.generation_id), await held(harness)) == []


async def test_a_name_is_given_once(harness: Harness) -> None:
    await begun(harness, RULES, [score("e1", "ann", 3)])
    await harness.build(label="trial")
    with pytest.raises(Conflict, match="'trial'"):
        await harness.build(label="trial")


async def test_a_shadow_that_breaks_is_taken_out(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    workload = Workload(seed=8)
    await harness.publish(ruleset(), *workload.take(60), ruleset(DOUBLED, 2))
    async with harness.consuming(batch=20) as reader:
        await reader.drain()
        built = await harness.build(label="fragile")
        fold_of_shadow = parse(DOUBLED)
        await harness.publish(
            score("e-ok", "ann", 1), event("adjustment", "e-bad", player="ann", values={"points": 2}, reason="x")
        )
        workload.totals["ann"], workload.runs["ann"] = 3, 1
        workload.accepted += 3
        entries = Fold.entries

        def broken(fold: Fold, *said: Any) -> Any:
            if fold.game.rules != fold_of_shadow:
                return entries(fold, *said)
            raise OverflowError("too much")

        monkeypatch.setattr(Fold, "entries", broken)
        await reader.drain()
        await harness.publish(*workload.take(30))
        await reader.drain()
        assert await status(harness, built.generation_id) == "failed"
        [_, failed] = await generations.listed(harness.pool, "arcade")
        assert failed.reason == "OverflowError: too much"
        assert len(await harness.dead_letters()) == workload.refused
        await workload.check(harness)
        monkeypatch.undo()
        await harness.assert_exact("arcade")
        await generations.drop(harness.pool, harness.rankings, "arcade", built.generation_id)
        assert not any((await anything_left(harness, built.generation_id)).values())


async def test_a_dropped_shadow_follows_no_longer(harness: Harness) -> None:
    workload = Workload(seed=9)
    await harness.publish(ruleset(), *workload.take(100))
    async with harness.consuming(batch=20) as reader:
        await reader.drain()
        built = await harness.build(label="short")
        await harness.publish(*workload.take(50))
        await reader.drain()
        rankings = await harness.pool.fetch(
            "SELECT ranking_id FROM rankings WHERE generation_id = $1", built.generation_id
        )
        await generations.drop(harness.pool, harness.rankings, "arcade", built.generation_id)
        await harness.publish(*workload.take(50))
        await reader.drain()
        assert not any((await anything_left(harness, built.generation_id)).values())
        for (ranking_id,) in rankings:
            assert await harness.rankings.exists(*[f"rankfold:{{{ranking_id}}}:{part}" for part in "zhdx"]) == 0
            assert await harness.value("SELECT count(*) FROM standings WHERE ranking_id = $1", ranking_id) == 0
        await workload.check(harness)
        await harness.assert_exact("arcade")
