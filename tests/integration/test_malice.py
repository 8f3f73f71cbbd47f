"""What nobody should do and somebody will: it is told what is wrong, the rest goes on, and what was lost is healed."""

import msgspec
import pytest

from projections.names import stream_key
from tests.harness import Harness, event, renamed, ruleset, score

pytestmark = pytest.mark.services
DEEP = b"[" * 100_000
HUGE = 8_000_000


async def test_entries_of_every_wrong_form_hold_nothing_up(harness: Harness) -> None:
    """Other fields, none that is known, many, empty, huge, deep, no UTF-8, numbers that no machine holds."""
    await harness.publish(ruleset(), score("a", "ann", 5))
    body = score("x", "ann", 1)
    entries: list[dict[str, bytes]] = [
        {"data": b"{}"},
        {"": b""},
        {"event": b""},
        {"event": b"\xff\xfe\x00"},
        {"event": DEEP},
        {"event": b'{"type":"score","id":"deep","game":"arcade","player":"ann","values":' + DEEP},
        {"event": msgspec.json.encode(score("long", "p" * HUGE, 1))},
        {"event": msgspec.json.encode(score("many", "ann", 1, attributes={f"a{n}": n for n in range(20_000)}))},
        {"event": msgspec.json.encode(score("big", "ann", 10**400))},
        {"event": b'{"type":"score","id":"exp","game":"arcade","player":"ann","values":{"points":1e999999999}}'},
        {"event": msgspec.json.encode(score("nul", "an\0n", 1))},
        {"event": msgspec.json.encode(score("lone", "ann", 1)).replace(b'"ann"', b'"\\ud800"')},
        {"event": msgspec.json.encode(body), "more": b"1"},
        {f"f{number}": b"" for number in range(5_000)},
    ]
    for fields in entries:
        await harness.log.xadd(stream_key(0), fields)  # type: ignore[arg-type]
    await harness.publish(score("b", "bob", 7))
    async with harness.consuming(batch=3) as reader:
        await reader.drain()
    assert await harness.points() in ({"bob": 7, "ann": 5}, {"bob": 7, "ann": 6})
    assert len(await harness.dead_letters()) >= len(entries) - 2
    await harness.assert_exact()


@pytest.mark.parametrize("table", ["standings", "badges", "standings_history", "publications", "event_ids"])
async def test_what_is_lost_of_the_projections_is_told_or_comes_back(harness: Harness, table: str) -> None:
    """A table is emptied under a running consumer: what replay can tell it tells, and a new generation is right again."""
    await harness.publish(ruleset(), *(score(f"e{n}", f"p{n % 7}", n) for n in range(50)))
    async with harness.consuming() as reader:
        await reader.drain()
        right = await harness.points()
        await harness.pool.execute(f"TRUNCATE {table}")
        await harness.publish(*(score(f"late{n}", f"p{n % 7}", 0) for n in range(20)))
        await reader.drain()
        await harness.swap()
        await harness.publish(score("last", "p0", 0))
        await reader.drain()
        assert await harness.points() == right
        await harness.assert_exact()


async def test_fifty_games_at_once_with_late_profiles_of_thousands(harness: Harness) -> None:
    """One correction of a fixture moves thousands; then everybody is banned, and comes back."""
    names = [f"game-{number}" for number in range(50)]
    await harness.publish(*(ruleset(renamed(name), game=name) for name in names))
    placed = [{"player": f"p{n}", "position": n + 1} for n in range(3_000)]
    game = names[7]
    results = [
        event("result", f"r{revision}", game, fixture="f", revision=revision, placements=lines)
        for revision, lines in ((1, placed), (2, [{**line, "position": 3_000 - n} for n, line in enumerate(placed)]))
    ]
    await harness.publish(*results, *(score("x", "ann", 1, game=name) for name in names))
    for status in ("banned", "active"):
        await harness.publish(
            *(event("player", f"{status}{n}", game, player=f"p{n}", status=status) for n in range(500))
        )
    async with harness.consuming(batch=400, cache_games=10) as reader:
        await reader.drain()
    cup = await harness.board("cup", game=game)
    assert list(cup)[:3] == ["p2999", "p2998", "p2997"]
    assert len(cup) == 3_000
    await harness.assert_exact(*names[5:9])
