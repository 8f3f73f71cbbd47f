"""Players erased in the live system: at once everywhere that is shown, and in the archive once the command has run."""

import json
import random
from typing import Any

import asyncpg
import msgspec
import pytest

from cli.checks_postgres import postgres_checks
from engine.erasure import surrogate
from projections import erasure
from projections.erasure import Erased
from projections.names import stream_key
from schemas.position import Position
from tests.harness import Harness, Reader, event, ruleset, score, silent

pytestmark = pytest.mark.services
RULES = """
game = "arcade"
erased = "stand"
[metrics.points]
[metrics.goals]
[sources.score]
origin = "score"
[sources.adjustment]
origin = "adjustment"
[sources.race]
origin = "placements"
points = [5, 3, 1]
[sources.league]
origin = "table"
scored = "goals"
[sources.tips]
origin = "picks"
grades = [{ when = "exact", points = 3 }, { when = "tendency" }]
missing = "lose"
[sources.duels]
origin = "picks"
market = "winner"
grades = [{ when = "choice", points = 2 }]

[boards.total]
sources = ["score", "adjustment", "race", "league", "tips", "duels"]
rank_by = ["points desc", { countback = "position", places = 3 }]
periods = ["all", "round"]
movement = "round"
segments = { country = "player" }
metrics = { points = { op = "sum", of = "points" }, runs = { op = "count" } }
badges = { ten = { where = { points = { min = 10 } } } }

[boards.league]
sources = ["league"]
rank_by = ["points desc", { head_to_head = ["points", "goals"] }, { lot = 7 }]
metrics = { points = { op = "sum", of = "points" }, goals = { op = "sum", of = "goals" } }

[boards.best]
sources = ["score"]
keep = { mode = "best", by = "points" }
rank_by = ["points desc"]
ranks = "dense"
metrics = { points = { op = "max", of = "points" } }
"""
NAMES = ['zoë "z"', "bob", "cid", "dan"]
ZOE = NAMES[0]
FIXTURES = "abcdefghijklmnopqrst"


def player(id_: str, who: str, **fields: Any) -> dict[str, Any]:
    """What is said of a player."""
    return event("player", id_, player=who, **fields)


class Season:
    """Events of all kinds about a few players, from a seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.count = 0
        self.revisions: dict[str, int] = {}

    def take(self, count: int, *statuses: str) -> list[dict[str, Any]]:
        """The next events; players are given one of `statuses` now and then."""
        return [self._one(statuses) for _ in range(count)]

    def fixtures(self) -> list[dict[str, Any]]:
        """Every fixture, planned."""
        sides = {name: self.chance.sample(NAMES, 2) for name in FIXTURES}
        return [
            event("fixture", f"f{name}", fixture=name, round=1, starts_at=4_000_000_000_000, sides=pair)
            for name, pair in sides.items()
        ]

    def _one(self, statuses: tuple[str, ...]) -> dict[str, Any]:
        chance, self.count = self.chance, self.count + 1
        id_, who, fixture = f"s{self.count}", chance.choice(NAMES), chance.choice(FIXTURES)
        home, away = chance.sample(NAMES, 2)
        kinds = ["score", "score", "score", "adjustment", "player", "fixture", "pick", "pick", "result"]
        kind = chance.choice(kinds)
        if kind == "score":
            return score(id_, who, chance.randint(0, 9), round=chance.choice([1, 2]))
        if kind == "adjustment":
            return event("adjustment", id_, player=who, values={"points": 1}, reason=f"{who} was fair")
        if kind == "player":
            status = {"status": chance.choice(statuses)} if statuses and chance.random() < 0.5 else {}
            return player(id_, who, name=who.title(), attributes={"country": chance.choice("xy")}, **status)
        if kind == "fixture":
            return event("fixture", id_, fixture=fixture, round=1, starts_at=4_000_000_000_000, sides=[home, away])
        if kind == "pick":
            choice = {"choice": home, "market": "winner"} if chance.random() < 0.5 else {"choice": "2-1"}
            return event("pick", id_, player=who, fixture=fixture, **choice)
        self.revisions[fixture] = self.revisions.get(fixture, 0) + 1
        return event(
            "result",
            id_,
            fixture=fixture,
            revision=self.revisions[fixture],
            score=[chance.randint(0, 3), 1],
            placements=[{"player": away, "position": 1}, {"player": home, "position": 2}],
            outcomes={"winner": [home]},
        )


async def test_live_equals_replay_through_any_changes_of_status(harness: Harness) -> None:
    season = Season(3)
    await harness.publish(ruleset(RULES), *season.fixtures())
    async with harness.consuming(batch=40) as reader:
        for _ in range(6):
            await harness.publish(*season.take(60, "active", "hidden", "banned", "erased", "erased"))
            await reader.drain()
            await harness.assert_exact("arcade")
    assert await harness.value("SELECT count(*) FROM erasures") > 3
    assert await harness.value("SELECT count(*) FROM picks") > 10


async def erased(harness: Harness, reader: Reader, id_: str = "erase") -> str:
    """Erases Zoë; returns her surrogate."""
    [(ms, seq)] = await harness.publish(player(id_, ZOE, status="erased", name=ZOE, reason=f"{ZOE} asked"))
    await reader.drain()
    return surrogate(Position(1, 0, ms, seq))


async def shown(harness: Harness) -> str:
    """Everything that readers can be shown, and everything that is kept for them, in words."""
    rows = [
        await harness.pool.fetch(f"SELECT * FROM {table}") for table in TABLES if table not in ("log", "dead_letters")
    ]
    found = [repr([tuple(row) for row in table]) for table in rows]
    for key in await harness.rankings.keys():
        kind = await harness.rankings.type(key)
        if kind == b"hash":
            found.append(repr(await harness.rankings.hgetall(key)))
        elif kind == b"zset":
            found.append(repr(await harness.rankings.zrange(key, 0, -1)))
    return "".join(found)


TABLES = [
    "standings",
    "standings_history",
    "players",
    "picks",
    "badges",
    "rejections",
    "fixtures",
    "dues",
    "stand_ins",
    "log",
    "dead_letters",
]


def names_zoe(text: str) -> bool:
    """Whether a text holds her id, however it is escaped."""
    return any(part in text.lower() for part in ("zo\u00eb", "zo\\xeb", "zo\\xc3\\xab", "zo\\u00eb", "zo\\\\u00eb"))


async def test_the_ranks_stand_and_the_name_is_gone_at_once(harness: Harness) -> None:
    await harness.publish(ruleset(RULES), *(score(f"e{at}", who, 9 - at) for at, who in enumerate(NAMES)))
    await harness.publish(player("p", ZOE, name="Zoë Z.", attributes={"country": "x"}))
    async with harness.consuming() as reader:
        await reader.drain()
        before = await harness.points("best")
        assert list(before) == NAMES
        history = await harness.value("SELECT count(*) FROM standings_history")
        stand_in = await erased(harness, reader)
        after = await harness.points("best")
        assert list(after.items()) == [(stand_in, 9), *list(before.items())[1:]]
        assert not names_zoe(await shown(harness))
        # Where her place stayed what it was, she goes on without a break.
        history = "SELECT count(*) FROM standings_history JOIN rankings USING (ranking_id) WHERE board = 'best'"
        assert await harness.value(history) == 0
        row = await harness.pool.fetchrow("SELECT name, attributes, status FROM players WHERE player = $1", stand_in)
        assert tuple(row) == (None, "{}", "erased")
        await harness.assert_exact("arcade")

        # Whoever is called so afterwards is somebody else, and nobody can pass for one who will be erased.
        later = surrogate(Position(1, 0, 4_000_000_000_000, 0))
        await harness.publish(score("e9", ZOE, 1), score("forged", later, 5), score("gift", stand_in, 20))
        await reader.drain()
        assert await harness.points("best") == {stand_in: 20, **dict(list(before.items())[1:]), ZOE: 1}
        [letter] = await harness.dead_letters()
        assert (letter.field, letter.reason) == ("player", f"{later} is an id that only an erased player is given")
        await harness.assert_exact("arcade")


async def test_the_ranks_close_up_where_the_rules_say_so(harness: Harness) -> None:
    rules = RULES.replace('erased = "stand"', 'erased = "close"')
    await harness.publish(ruleset(rules), *(score(f"e{at}", who, 9 - at) for at, who in enumerate(NAMES)))
    async with harness.consuming() as reader:
        await reader.drain()
        await erased(harness, reader)
        assert list(await harness.points("best")) == NAMES[1:]
        assert not names_zoe(await shown(harness))
        await harness.assert_exact("arcade")


async def everything(harness: Harness) -> str:
    """All that is kept anywhere, in words."""
    archive = [await harness.pool.fetch(f"SELECT * FROM {table}") for table in ("log", "dead_letters", "erasures")]
    stream = await harness.log.xrange(stream_key(0))
    return await shown(harness) + repr([[tuple(row) for row in table] for table in archive]) + repr(stream)


async def finish(harness: Harness) -> Erased:
    """Runs the command."""
    return await erasure.erase(harness.pool, harness.log, harness.rankings, "arcade", silent)


async def test_the_command_leaves_her_name_nowhere(harness: Harness) -> None:
    escaped = json.dumps(score("escaped", ZOE, 3)).encode()
    packed = msgspec.msgpack.encode(score("packed", ZOE, 4))
    assert ZOE.encode() not in escaped
    lost = [
        b'{"id": "x", "game": "arcade", "player": %b' % msgspec.json.encode(ZOE),
        b'{"game": "arcade", "who": "zo\\u00eb \\"z\\""}',
        f"arcade,{ZOE},10".encode(),
        f'{{"game": "arcade", "player": "{ZOE}'.encode(),
    ]
    await harness.publish(ruleset(RULES), score("e1", ZOE, 9), score("e2", "bob", 5), escaped, packed, *lost)
    await harness.publish(event("fixture", "f1", fixture="a", round=1, starts_at=4_000_000_000_000, sides=[ZOE, "bob"]))
    await harness.publish(event("adjustment", "a1", player=ZOE, values={"points": 1}, reason=f"{ZOE} was fair"))
    await harness.publish(event("pick", "k1", player=ZOE, fixture="a", choice="2-1"))
    await harness.publish(
        event("pick", "k2", player=ZOE, fixture="nowhere", choice="2-1"), player("b1", ZOE, name="Zoë")
    )
    async with harness.consuming() as reader:
        await reader.drain()
        await harness.swap()
        # The same again: a duplicate. The same id for something else: a dead letter.
        await harness.publish(escaped, score("e1", ZOE, 8))
        await reader.drain()
        assert names_zoe(await everything(harness))
        stand_in = await erased(harness, reader)
        await harness.publish(score("e3", "bob", 7), packed)
        await reader.drain()
        before, found = await harness.verify(), await finish(harness)
        assert (found.players, found.rebuilt) == (1, False)
        assert not names_zoe(await everything(harness))
        after = await harness.verify()
        assert (after.live_digest, after.differences) == (before.live_digest, [])
        assert (await harness.points("best"))[stand_in] == 9
        assert await harness.value("SELECT count(*) FROM log WHERE verdict = 0") == before.events
        assert await erasure.games_pending(harness.pool) == []
        assert (await finish(harness)).players == 0

        # A publisher that never got an answer sends again what it had sent about her.
        await harness.publish(escaped)
        await reader.drain()
        await harness.log.xtrim(stream_key(0), maxlen=0)
        assert not names_zoe(await everything(harness))
        assert (await harness.verify()).differences == []


async def test_dead_letters_of_other_shards_name_her_no_more(harness: Harness) -> None:
    """Whichever shard they came to before she was erased; who comes under her id afterwards is somebody else."""
    await harness.publish(ruleset(RULES), score("e1", ZOE, 9))
    async with harness.consuming() as reader, harness.consuming(shard=1) as other:
        await reader.drain()
        await harness.publish(score("before", ZOE, 5), shard=1)
        await other.drain()
        stand_in = await erased(harness, reader)
        await harness.publish(score("after", ZOE, 5), shard=1)
        await other.drain()
        await finish(harness)
        letters = [msgspec.json.decode(letter.body)["player"] for letter in await harness.dead_letters()]
        assert letters == [stand_in, ZOE]
        archived = await harness.pool.fetch("SELECT body FROM log WHERE shard = 1 ORDER BY ms, seq")
        assert [msgspec.json.decode(body)["player"] for (body,) in archived] == [stand_in, ZOE]


async def test_choices_of_others_are_hers_in_contests_that_she_took_part_in(harness: Harness) -> None:
    await harness.publish(
        ruleset(RULES),
        event("fixture", "f1", fixture="a", round=1, starts_at=4_000_000_000_000, sides=[ZOE, "bob"]),
        event("pick", "k1", player="cid", fixture="a", choice=ZOE, market="winner"),
        event("result", "r1", fixture="a", score=[2, 1], outcomes={"winner": [ZOE]}),
        score("e1", "dan", 1),
    )
    async with harness.consuming() as reader:
        await reader.drain()
        stand_in = await erased(harness, reader)
        before = await harness.points()
        assert before == {stand_in: 3, "cid": 2, "dan": 1, "bob": 0}
        found = await finish(harness)
        assert found.rebuilt
        await harness.shown()
        assert await harness.points() == before
        assert not names_zoe(await everything(harness))
        await harness.assert_exact("arcade")


async def test_a_command_that_was_broken_off_can_be_run_again(harness: Harness) -> None:
    await harness.publish(ruleset(RULES), score("e1", ZOE, 9), score("e2", "bob", 5))
    async with harness.consuming() as reader:
        await reader.drain()
        await erased(harness, reader)
        await harness.pool.execute("ALTER TABLE badges RENAME TO badges_away")
        with pytest.raises(asyncpg.UndefinedTableError):
            await finish(harness)
        assert await erasure.games_pending(harness.pool) == ["arcade"]
        await harness.pool.execute("ALTER TABLE badges_away RENAME TO badges")
        assert (await finish(harness)).players == 1
        assert await erasure.games_pending(harness.pool) == []
        assert not names_zoe(await everything(harness))


async def test_random_erasures_leave_no_name_and_the_same_boards(harness: Harness) -> None:
    season = Season(11)
    await harness.publish(ruleset(RULES), *season.fixtures())
    async with harness.consuming(batch=50) as reader:
        for _ in range(3):
            await harness.publish(*season.take(120, "active", "hidden", "banned", "erased"))
            await reader.drain()
            await erased(harness, reader, f"erase{season.count}")
            before = await harness.points("best")
            await finish(harness)
            await harness.shown()
            assert await harness.points("best") == before
            assert not names_zoe(await everything(harness))
            await harness.assert_exact("arcade")


async def test_doctor_says_when_an_erasure_waits_too_long(harness: Harness) -> None:
    await harness.publish(ruleset(RULES), score("e1", ZOE, 9))
    async with harness.consuming() as reader:
        await reader.drain()
        await erased(harness, reader)

        async def found() -> tuple[str, str]:
            checks = await postgres_checks(harness.database_url, None)
            return next((check.state, check.found) for check in checks if check.name == "erasures")

        assert await found() == ("ok", "1 waiting")
        await harness.pool.execute("UPDATE erasures SET recorded_at = recorded_at - interval '25 hours'")
        assert await found() == ("warn", "1 waiting")
        await finish(harness)
        assert await found() == ("ok", "0 waiting")


async def test_every_table_with_players_is_known_here(harness: Harness) -> None:
    rows = await harness.pool.fetch(
        "SELECT DISTINCT table_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND column_name IN ('player', 'body', 'state')"
    )
    named = {row["table_name"] for row in rows if not row["table_name"].startswith("log_")}
    # The results of jobs are kept for an hour.
    assert named - {"erasures", "jobs"} == set(TABLES)
