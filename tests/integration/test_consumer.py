"""The shard consumer: what it folds, what it refuses, and that neither duplicates nor bad input change anything else."""

import random

import msgspec
import pytest
import structlog

from projections.names import shard_of, stream_key
from tests.harness import RULES, Harness, event, renamed, ruleset, score
from tests.integration.picking import rejected

pytestmark = pytest.mark.services


async def test_a_ruleset_makes_the_game_and_scores_reach_both_databases(harness: Harness) -> None:
    await harness.publish(
        ruleset(),
        score("e1", "ada", 5),
        score("e2", "bob", 7, values={"points": 7, "seconds": "12.5"}),
        score("e3", "ada", 9, values={"points": 9, "seconds": 3}),
        event("adjustment", "e4", player="bob", values={"points": -3}, reason="late"),
    )
    async with harness.consuming() as reader:
        await reader.drain()
    assert await harness.board("best") == {
        "ada": {"points": 9, "seconds": "3.0"},
        "bob": {"points": 7, "seconds": "12.5"},
    }
    assert await harness.board("total") == {"ada": {"points": 14, "runs": 2}, "bob": {"points": 4, "runs": 1}}
    assert await harness.dead_letters() == []
    await harness.assert_exact("arcade")


async def test_events_before_the_ruleset_are_dead_letters(harness: Harness) -> None:
    entries = await harness.publish(score("e1", "ada", 5), ruleset(), score("e2", "ada", 7))
    async with harness.consuming() as reader:
        await reader.drain()
    (letter,) = await harness.dead_letters()
    assert (letter.game, letter.field, letter.position[2:]) == ("arcade", "game", entries[0])
    assert "unknown game" in letter.reason
    assert msgspec.json.decode(letter.body) == score("e1", "ada", 5)
    assert await harness.points() == {"ada": 7}
    await harness.assert_exact("arcade")


async def test_duplicates_change_nothing(harness: Harness) -> None:
    """In one batch, in the next ones while commits are under way, and after a restart."""
    events = [score(f"e{number}", f"p{number % 7}", number) for number in range(100)]
    await harness.publish(ruleset(), events[0], *events, *events, *events)
    with structlog.testing.capture_logs() as logs:
        async with harness.consuming(batch=30) as reader:
            await reader.drain()
        await harness.publish(*events[:50], score("new", "p0", 1))
        async with harness.consuming(batch=30) as reader:
            await reader.drain()
    assert [line for line in logs if line["log_level"] in ("warning", "error")] == []
    totals = {f"p{player}": sum(range(player, 100, 7)) for player in range(7)}
    assert await harness.points() == totals | {"p0": totals["p0"] + 1}
    assert await harness.verdicts() == {0: 102, 1: 251}
    assert await harness.dead_letters() == []
    await harness.assert_exact("arcade")


async def test_duplicates_race_with_the_commit_of_the_first(harness: Harness) -> None:
    """Every event of a batch comes again in the next one, which is folded while the first is being committed."""
    await harness.publish(ruleset())
    async with harness.consuming(batch=50) as reader:
        await reader.drain()
        with structlog.testing.capture_logs() as logs:
            for turn in range(40):
                batch = [score(f"{turn}-{number}", f"p{number}", 1) for number in range(50)]
                await harness.publish(*batch, *batch)
                await reader.step()
                await reader.step()
            await reader.drain()
    assert [line for line in logs if line["log_level"] in ("warning", "error")] == []
    assert set((await harness.points()).values()) == {40}
    assert await harness.verdicts() == {0: 2001, 1: 2000}
    await harness.assert_exact("arcade")


async def test_an_id_with_another_body_is_a_dead_letter_and_the_rest_is_folded(harness: Harness) -> None:
    await harness.publish(ruleset(), score("e1", "ada", 5), score("e1", "ada", 6), score("e2", "bob", 1))
    async with harness.consuming(batch=3) as reader:
        await reader.drain()
        await harness.publish(score("e1", "eve", 5), score("e3", "bob", 1), score("e1", "ada", 5))
        await reader.drain()
    letters = await harness.dead_letters()
    assert [(letter.field, msgspec.json.decode(letter.body)["player"]) for letter in letters] == [
        ("id", "ada"),
        ("id", "eve"),
    ]
    assert await harness.points() == {"ada": 5, "bob": 2}
    await harness.assert_exact("arcade")


async def test_bodies_that_say_the_same_in_other_bytes_are_duplicates(harness: Harness) -> None:
    packed = msgspec.msgpack.encode(score("e1", "ada", 5))
    spaced = b' { "id":"e1", "v":1, "values":{"points":5}, "player":"ada","game":"arcade","type":"score"}'
    await harness.publish(ruleset(), packed, spaced, score("e1", "ada", 5))
    async with harness.consuming() as reader:
        await reader.drain()
    assert await harness.points() == {"ada": 5}
    assert await harness.verdicts() == {0: 2, 1: 2}
    await harness.assert_exact("arcade")


def body(**fields: object) -> bytes:
    return msgspec.json.encode(score("bad", "ada", 5) | fields)


BAD: dict[str, tuple[bytes, str, str]] = {
    "malformed": (b'{"type":"score","id":', "", "not valid JSON"),
    "empty": (b"", "", "JSON"),
    "not an object": (b"[1]", "", "MessagePack"),
    "neither": (b"\xc1\xff", "", "MessagePack"),
    "no type": (b'{"id":"bad","game":"arcade"}', "type", "type"),
    "unknown type": (body(type="goal"), "type", "invalid value"),
    "unknown field": (body(colour="red"), "colour", "unknown field"),
    "missing field": (b'{"type":"score","id":"bad","game":"arcade","player":"ada"}', "values", "missing"),
    "unknown game": (body(game="chess"), "game", "unknown game"),
    "bad game": (body(game="Arcade!"), "game", "a-z0-9"),
    "unknown version": (body(v=7), "v", "versions"),
    "unknown metric": (body(values={"goals": 1}), "values.goals", "unknown metric"),
    "number out of range": (body(values={"points": 1 << 96}), "values.points", "95 bits"),
    "huge exponent": (
        b'{"type":"score","id":"bad","game":"arcade","player":"a","values":{"points":1e999999}}',
        "values",
        "",
    ),
    "too many digits": (body(values={"points": "1.5"}), "values.points", ""),
    "NaN text": (body(values={"points": "NaN"}), "values.points", "NaN"),
    "NaN": (
        b'{"type":"score","id":"bad","game":"arcade","player":"ada","values":{"points":NaN}}',
        "",
        "not valid JSON",
    ),
    "binary float": (msgspec.msgpack.encode(score("bad", "ada", 0.5)), "values.points", "binary float"),
    "empty player": (body(player=""), "player", "1 to 128"),
    "long player": (body(player="x" * 300), "player", "1 to 128"),
    "NUL in player": (body(player="a\0b"), "player", "control"),
    "newline in player": (body(player="a\nb"), "player", "control"),
    "separator in player": (body(player="a\u2028b"), "player", "separators"),
    "player not UTF-8": (body().replace(b'"ada"', b'"\xff\xfe"'), "", "UTF-8"),
    "surrogate": (body().replace(b'"ada"', b'"\\ud800"'), "", ""),
    "player not text": (body(player=5), "player", "expected"),
    "control in id": (body(id="a\x07"), "id", "control"),
    "long id": (body(id="x" * 129), "id", "1 to 128"),
    "time without offset": (body(occurred_at="2026-02-08T18:30:00"), "occurred_at", "offset"),
    "time out of range": (body(occurred_at=1 << 60), "occurred_at", "years"),
    "5 MB": (body(attributes={"note": "x" * 5_000_000}), "", "at most"),
    "deep": (b"[" * 100_000, "", ""),
    "deep object": (b'{"a":' * 100_000, "", ""),
    "NUL in a name": (msgspec.json.encode(event("player", "bad", player="ada", name="a\0b")), "name", "NUL"),
    "no placements' metric": (
        msgspec.json.encode(event("result", "bad", fixture="f", placements=[{"player": "ada", "values": {"x": 1}}])),
        "placements[0].values.x",
        "unknown metric",
    ),
    "unknown board": (
        msgspec.json.encode(event("adjustment", "bad", player="a", values={"points": 1}, reason="r", board="none")),
        "board",
        "unknown board",
    ),
    "ruleset with a cycle": (
        msgspec.json.encode(ruleset(RULES.replace('op = "count"', 'op = "sum"\nof = "runs"'), 2)),
        "text",
        "cycle",
    ),
    "ruleset with an unknown metric": (
        msgspec.json.encode(ruleset(RULES.replace('of = "seconds"', 'of = "minutes"'), 2)),
        "text",
        "unknown metric",
    ),
    "ruleset that is no TOML": (msgspec.json.encode(ruleset("[[", 2)), "text", "TOML"),
    "ruleset of another game": (msgspec.json.encode(ruleset(renamed("chess"), 2)), "text", "chess"),
    "ruleset of a far version": (msgspec.json.encode(ruleset(RULES, 9)), "version", "next version is 2"),
    "ruleset from a time on": (msgspec.json.encode(ruleset(RULES, 2, mode="from")), "mode", "not supported"),
    "new game from version 2": (
        msgspec.json.encode(ruleset(renamed("chess"), 2, game="chess")),
        "version",
        "first version",
    ),
    "season that is no date": (
        msgspec.json.encode(
            ruleset(
                RULES.replace('periods = ["all", "daily"]', 'periods = ["season"]')
                + '[[seasons]]\nid = "s"\nfirst = "2026-02-31"\nlast = "2026-03-31"\n',
                2,
            )
        ),
        "text",
        "",
    ),
}


async def test_bad_input_is_a_dead_letter_with_its_reason_and_the_rest_is_folded(harness: Harness) -> None:
    await harness.publish(ruleset())
    entries = []
    for number, (data, _, _) in enumerate(BAD.values()):
        entries += await harness.publish(data, score(f"good-{number}", "ada", 1))
    with structlog.testing.capture_logs() as logs:
        async with harness.consuming(batch=25) as reader:
            await reader.drain()
            assert reader.consumer.stopped_by is None
    letters = {letter.position[2:]: letter for letter in await harness.dead_letters()}
    assert list(letters) == entries[::2]
    for entry, (name, (data, field, reason)) in zip(entries[::2], BAD.items(), strict=True):
        letter = letters[entry]
        assert (letter.field.startswith(field), reason in letter.reason) == (True, True), (name, letter)
        assert letter.reason, name
        assert letter.body == data, name
    # Nothing failed inside: every refusal was foreseen.
    assert [line for line in logs if line["log_level"] in ("warning", "error")] == []
    assert await harness.points() == {"ada": len(BAD)}
    await harness.assert_exact("arcade")


async def test_bad_input_in_one_batch_with_good_events(harness: Harness) -> None:
    good = [score(f"good-{number}", "ada", 1) for number in range(50)]
    mixed: list[object] = [*good, *(data for data, _, _ in BAD.values())]
    random.Random(7).shuffle(mixed)
    await harness.publish(ruleset(), *mixed)
    async with harness.consuming() as reader:
        await reader.drain()
    assert len(await harness.dead_letters()) == len(BAD)
    assert await harness.points() == {"ada": 50}
    await harness.assert_exact("arcade")


async def test_entries_without_the_event_field(harness: Harness) -> None:
    await harness.publish(ruleset())
    await harness.log.xadd(stream_key(0), {"other": "x", b"\xff": "y"})
    await harness.log.xadd(stream_key(0), {"event": msgspec.json.encode(score("e1", "ada", 5)), "more": "z"})
    async with harness.consuming() as reader:
        await reader.drain()
    (letter,) = await harness.dead_letters()
    assert "field `event`" in letter.reason
    assert await harness.points() == {"ada": 5}


async def test_strange_but_valid_ids_are_folded(harness: Harness) -> None:
    players = ["a:b", "a/b c", "{1}", "'; DROP TABLE log; --", "ünï", "🏆" * 32, "\\", '"', "%s", "x" * 128, " ", ":"]
    await harness.publish(ruleset(), *(score(f"{name}", name, at) for at, name in enumerate(players)))
    async with harness.consuming() as reader:
        await reader.drain()
    assert await harness.points() == {name: at for at, name in enumerate(players)}
    assert await harness.dead_letters() == []
    await harness.assert_exact("arcade")


async def test_games_live_on_their_shard(harness: Harness) -> None:
    here = next(name for name in map("game-{}".format, range(99)) if shard_of(name, 2) == 0)
    away = next(name for name in map("game-{}".format, range(99)) if shard_of(name, 2) == 1)
    await harness.publish(
        ruleset(renamed(here), game=here),
        ruleset(renamed(away), game=away),
        score("e1", "ada", 1, game=here),
        score("e2", "ada", 2, game=away),
    )
    await harness.publish(
        ruleset(renamed(away), game=away),
        score("e2", "ada", 2, game=away),
        score("e3", "ada", 4, game=here),
        shard=1,
    )
    async with harness.consuming(total=2) as reader:
        await reader.drain()
    async with harness.consuming(shard=1, total=2) as reader:
        await reader.drain()
    letters = await harness.dead_letters()
    assert [(letter.position.shard, letter.game, letter.field) for letter in letters] == [
        (0, away, "game"),
        (0, away, "game"),
        (1, here, "game"),
    ]
    assert (await harness.points(game=here), await harness.points(game=away)) == ({"ada": 1}, {"ada": 2})
    await harness.assert_exact()


@pytest.mark.parametrize(("batch", "cache_games"), [(100, 1_000), (3, 2)], ids=["all-held", "few-held"])
async def test_many_games_on_one_shard(harness: Harness, batch: int, cache_games: int) -> None:
    games = [f"game-{number}" for number in range(30)]
    drawn = random.Random(3)
    await harness.publish(*(ruleset(renamed(game), game=game) for game in games))
    events = [score(f"e{n}", f"p{drawn.randrange(5)}", n, game=drawn.choice(games)) for n in range(600)]
    await harness.publish(*events)
    async with harness.consuming(batch=batch, cache_games=cache_games) as reader:
        await reader.drain()
        # Beside what is kept there are the games of the last batches.
        assert reader.consumer.held_games <= cache_games + 2 * batch
    for game in games:
        mine = [item for item in events if item["game"] == game]
        expected = dict.fromkeys({item["player"] for item in mine}, 0)
        for item in mine:
            expected[item["player"]] += item["values"]["points"]
        assert await harness.points(game=game) == expected
    await harness.assert_exact()


async def test_the_same_ids_in_two_games_are_two_events(harness: Harness) -> None:
    await harness.publish(ruleset(), ruleset(renamed("chess"), game="chess"))
    await harness.publish(score("e1", "ada", 1), score("e1", "ada", 2, game="chess"))
    async with harness.consuming() as reader:
        await reader.drain()
    assert (await harness.points(), await harness.points(game="chess")) == ({"ada": 1}, {"ada": 2})


def race(id_: str, revision: int, *players: str, fixture: str = "f1", **fields: object) -> dict[str, object]:
    lines = [{"player": player, "position": at} for at, player in enumerate(players, 1)]
    return event("result", id_, fixture=fixture, revision=revision, placements=lines, round=1, **fields)


async def test_the_highest_revision_of_a_result_holds(harness: Harness) -> None:
    await harness.publish(ruleset(), race("r1", 1, "ada", "bob", "eve"), race("x1", 1, "ada", fixture="f2"))
    async with harness.consuming() as reader:
        await reader.drain()
        assert await harness.points("cup") == {"ada": 50, "bob": 18, "eve": 15}
        await harness.publish(race("r3", 3, "bob", "ada"))
        await reader.drain()
        # Who has no mark left has no place either.
        assert await harness.points("cup") == {"ada": 43, "bob": 25}
        # An older revision is ignored, the same one again too, and the same one with another content is a conflict.
        await harness.publish(race("r2", 2, "eve"), race("r4", 3, "bob", "ada"), race("r5", 3, "ada", "bob"))
        await reader.drain()
        assert await harness.points("cup") == {"ada": 43, "bob": 25}
        await harness.publish(race("r6", 4, "eve", status="void"))
        await reader.drain()
    assert await harness.points("cup") == {"ada": 25}
    assert await harness.dead_letters() == []
    (rejection,) = await rejected(harness)
    assert (rejection.event, rejection.player, rejection.field) == ("r5", None, "revision")
    await harness.assert_exact("arcade")


async def test_bans_remove_and_close_ranks_and_may_end(harness: Harness) -> None:
    def status(id_: str, value: str) -> dict[str, object]:
        return event("player", id_, player="ada", status=value, name="Ada")

    await harness.publish(ruleset(), score("e1", "ada", 9), score("e2", "bob", 5), status("b1", "banned"))
    async with harness.consuming() as reader:
        await reader.drain()
        assert await harness.points() == {"bob": 5}
        await harness.publish(score("e3", "ada", 1))
        await reader.drain()
        assert await harness.points() == {"bob": 5}
    async with harness.consuming() as reader:
        await harness.publish(score("e4", "ada", 1), score("e5", "bob", 1))
        await reader.drain()
        assert await harness.points() == {"bob": 6}
        await harness.publish(status("b2", "active"))
        await reader.drain()
    assert await harness.points() == {"ada": 11, "bob": 6}
    await harness.assert_exact("arcade")


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_small_cache_gives_what_a_big_one_gives(harness: Harness, seed: int) -> None:
    """Rows leave the cache while the next batch is being folded on top of it."""
    drawn = random.Random(seed)
    events = [
        score(f"e{n}", f"p{drawn.randrange(400)}", drawn.randrange(1000), game=drawn.choice(["arcade", "chess"]))
        for n in range(4_000)
    ]
    await harness.publish(ruleset(), ruleset(renamed("chess"), game="chess"), *events)
    with structlog.testing.capture_logs() as logs:
        async with harness.consuming(batch=150, cache_rows=200) as reader:
            await reader.drain()
            tables = [table for live in reader.consumer._folding._games.values() for table in live.fold.tables.values()]
            assert sum(len(table.rows) for table in tables) < 1_500
    assert [line for line in logs if line["log_level"] in ("warning", "error")] == []
    small = [(await harness.verify(game)).live_digest for game in ("arcade", "chess")]
    await harness.assert_exact()
    assert await harness.verdicts() == {0: 4_002}
    assert small[0] != small[1]


async def test_a_connection_is_given_back_as_it_was_taken(harness: Harness) -> None:
    """Nothing resets it, so nobody may leave anything on it but for a transaction's time."""
    await harness.publish(ruleset(), score("e1", "ada", 5))
    async with harness.consuming() as reader:
        await reader.drain()
        taken = [await harness.pool.acquire() for _ in range(harness.pool.get_size())]
        query = "SELECT name, setting FROM pg_settings WHERE source = 'session' AND setting IS DISTINCT FROM reset_val"
        changed = [await connection.fetch(query) for connection in taken]
        open_ones = [connection.is_in_transaction() for connection in taken]
        for connection in taken:
            await harness.pool.release(connection)
    assert changed == [[]] * len(taken)
    assert not any(open_ones)
