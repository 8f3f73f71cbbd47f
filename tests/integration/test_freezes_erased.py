"""What stands still names nobody who was erased since, whichever generation it is shown from, and that can still catch up."""

from collections.abc import AsyncIterator

import pytest

from projections import erasure, generations, migrate, replay
from tests.harness import silent
from tests.integration.api_stack import Stack, ruleset, running, score
from tests.integration.test_freezes import BOARD, GAME, RULES, event, thaw
from tests.services import eventually

pytestmark = pytest.mark.services


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    async with running(database_url, redis_log_url, redis_rankings_url) as stack:
        await stack.publish(ruleset(RULES))
        await stack.publish(*(score(f"a{n}", f"p{n}", 10 * n, round=1) for n in range(5)))
        yield stack


async def build(stack: Stack, to: generations.Part = "live") -> int:
    number = await generations.begin(stack.pool, "arcade")
    await generations.build(stack.pool, stack.rankings, number, silent, to=to)
    return number


async def swap_back(stack: Stack) -> None:
    await generations.swap_back(stack.pool, stack.rankings, "arcade", silent)


async def erase(stack: Stack, id_: str = "gone") -> str:
    """Erases p3, and has copies made anew that may name him for some minutes; returns his surrogate."""
    sent = await stack.publish(event("player", id_, player="p3", status="erased"))
    for key in await stack.rankings.keys("*@*"):
        await stack.rankings.delete(key)
    return f"erased-{sent['position']}"


async def players(stack: Stack, query: str = "") -> list[str]:
    return [one["player"] for one in (await stack.get(BOARD + query)).json["entries"]]


async def stands_still(stack: Stack, type_: str, id_: str) -> None:
    """Freezes or closes every board, and waits until that is known."""
    await stack.publish(event(type_, id_))

    async def known() -> bool:
        game = (await stack.get(GAME)).json
        return bool(game["frozen"] or game["closed"])

    await eventually(known)


async def differences(stack: Stack) -> list[object]:
    """How what follows the log differs from a fold of the archive."""
    listed = await generations.listed(stack.pool, "arcade")
    follows = [one.generation_id for one in listed if one.status in ("live", "shadow")]
    found = [await replay.verify(stack.pool, "arcade", silent, generation_id=number) for number in follows]
    return [one for each in found for one in each.differences]


@pytest.mark.parametrize(
    "steps",
    [
        "freeze erase",
        "freeze erase swap",
        "freeze swap erase",
        "freeze swap swap erase",
        "freeze swap erase score swap-back",
        "freeze swap score swap-back erase",
        "freeze swap erase thaw freeze swap-back",
        "freeze shadow erase swap-in",
        "freeze shadow swap-in erase",
        "swap freeze swap-back erase",
        "swap swap-back freeze swap-back erase score erase swap-back",
        "close swap erase",
        "close swap erase score swap-back",
    ],
)
async def test_no_sequence_has_it_name_him(stack: Stack, steps: str) -> None:
    stand_ins: list[str] = []
    shadow = 0
    for number, step in enumerate(steps.split()):
        if step in ("freeze", "close"):
            await stands_still(stack, step, f"{step}-{number}")
        elif step == "thaw":
            await thaw(stack)
        elif step == "erase":
            stand_ins.append(await erase(stack, f"gone-{number}"))
        elif step == "score":
            await stack.publish(score(f"again-{number}", "p3", 1000, round=1))
        elif step == "shadow":
            shadow = await build(stack, "shadow")
        elif step == "swap-in":
            await generations.swap(stack.pool, stack.rankings, "arcade", shadow, silent)
        else:
            await (build(stack) if step == "swap" else swap_back(stack))
    for query in ("", "?period=round:1"):
        assert await players(stack, query) == ["p4", stand_ins[0], "p2", "p1", "p0"], query
    assert await differences(stack) == []


@pytest.mark.parametrize("still", ["freeze", "close"])
async def test_no_path_tells_of_him_under_his_id(stack: Stack, still: str) -> None:
    paths = [f"{BOARD}/players/p3{path}" for path in ("", "/history", "/explain")]
    paths += [f"{GAME}/players/p3/stats?board=best&period=all", f"{GAME}/players/p3"]
    everybody = [BOARD, f"{BOARD}?q=p", f"{BOARD}/export?format=jsonl", f"{BOARD}/players/p2?around=3"]
    await stands_still(stack, still, "still")
    for path in (*paths, *everybody):
        answer = await stack.get(path)
        assert (answer.status, b'"p3"' in answer.body) == (200, True), path
    place = (await stack.get(paths[0])).json
    assert [badge["badge"] for badge in place["badges"]] == ["thirty"]
    told = (await stack.get(paths[1])).json["history"]
    await build(stack)
    gone = await erase(stack)
    for path in paths:
        assert (await stack.get(path)).status == 404, path
    for path in everybody:
        answer = await stack.get(path)
        assert (answer.status, b'"p3"' in answer.body) == (200, False), path
    ranks = (await stack.post(f"{BOARD}/ranks", {"players": ["p3", gone]})).json
    assert ([line["player"] for line in ranks["players"]], ranks["missing"]) == ([gone], ["p3"])
    # Who comes under his id is somebody else, of whom there was nothing then.
    await stack.publish(score("again", "p3", 1000, round=1))
    for path in paths[:4]:
        assert (await stack.get(path)).status == 404, path
    again = (await stack.get(f"{BOARD}/players/{gone}")).json
    for name in ("rank", "metrics", "badges"):
        assert again[name] == place[name], name
    assert (await stack.get(f"{BOARD}/players/{gone}/history")).json["history"] == told


async def test_what_was_displayed_before_a_swap_names_nobody_who_was_erased_since(stack: Stack) -> None:
    then = f"?known_at={(await stack.get(BOARD)).json['position']}"
    await stack.publish(score("later", "p0", 1))
    await build(stack)
    gone = await erase(stack)
    assert await players(stack, then) == await players(stack) == ["p4", gone, "p2", "p1", "p0"]
    assert (await stack.get(f"{BOARD}/players/p3{then}")).status == 404
    assert (await stack.get(f"{BOARD}/players/{gone}{then}")).json["metrics"] == {"points": 30}


async def test_his_id_goes_with_the_rows_that_held_it(stack: Stack) -> None:
    for number in (1, 2):
        await build(stack)
        await erase(stack, f"gone-{number}")
        await stack.publish(score(f"again-{number}", "p3", 7))
    held = "SELECT generation_id, player, surrogate FROM stand_ins ORDER BY generation_id"
    before = await stack.pool.fetch(held)
    assert [tuple(row)[:2] for row in before] == [(1, "p3"), (2, "p3")]
    # As it is made where the table is new.
    migration = (migrate.MIGRATIONS / "0020_stand_ins.sql").read_text()
    filled = migration[migration.index("INSERT INTO") :].partition(";")[0]
    await stack.pool.execute("DELETE FROM stand_ins")
    await stack.pool.execute(filled)
    assert await stack.pool.fetch(held) == before
    await swap_back(stack)
    # The third one was retired behind all that was erased.
    assert [row["generation_id"] for row in await stack.pool.fetch(held)] == [1]
    assert await differences(stack) == []
    await erasure.erase(stack.pool, stack.log, stack.rankings, "arcade", silent)
    assert await stack.pool.fetch(held) == []
