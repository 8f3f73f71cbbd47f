"""The contract of a ranking, run on each store against the same naive model."""

import random
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from engine.boards import BoardPlan
from engine.keys import member
from engine.numbers import encode_order
from engine.places import Lookup, Place, Window
from projections.database import connect
from projections.migrate import migrate
from tests.contract.stores import (
    MemoryStore,
    MergedStore,
    Naive,
    PastStore,
    Places,
    PostgresStore,
    RedisStore,
    SnapshotStore,
    Store,
    place,
    plan,
)

STYLES = ["competition", "dense", "ordinal", "modified"]
NAMES = ["a", "ab", "b", "é", "日本", "🎯", "z z", "{x}:1", "\u00a0", "Z", "0", "10", "9"]
pytestmark = pytest.mark.services


PARTS = 3


@pytest.fixture(params=["memory", "redis", "postgres", "past", "snapshot", "merged", "merged redis", "merged postgres"])
def store_url(request: pytest.FixtureRequest) -> tuple[str, str]:
    """The kind of a store and the URL of an empty server or database for it."""
    if request.param.startswith("merged") and request.node.callspec.params.get("style") == "dense":
        pytest.skip("dense ranks cannot be added up")
    databases = dict.fromkeys(("postgres", "past", "snapshot", "merged postgres"), "database_url")
    fixture = {"redis": "redis_rankings_url", "merged redis": "redis_rankings_url", **databases}.get(request.param)
    return request.param, request.getfixturevalue(fixture) if fixture else ""


@pytest.fixture
async def store(store_url: tuple[str, str], request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    """An empty store."""
    kind, url = store_url
    if kind == "memory":
        yield MemoryStore()
    elif kind == "merged":
        yield MergedStore([MemoryStore() for _ in range(PARTS)])
    elif kind in ("redis", "merged redis"):
        async with Redis.from_url(url) as redis:
            stores = [RedisStore(redis, 7 + part) for part in range(PARTS)]
            yield stores[0] if kind == "redis" else MergedStore(stores)
    else:
        await migrate(url)
        pool = await connect(url, size=2)
        if kind == "snapshot":
            async with Redis.from_url(request.getfixturevalue("redis_rankings_url")) as redis:
                yield SnapshotStore(pool, redis)
        else:
            parts = [PostgresStore(pool) for _ in range(PARTS)]
            yield PastStore(pool) if kind == "past" else parts[0] if kind == "postgres" else MergedStore(parts)
        await pool.close()


def random_places(chance: random.Random, *, extra: bool) -> Places:
    """Many ties, some who are not ranked, ids of all kinds."""
    names = NAMES + [f"p{number}" for number in range(chance.choice([0, 3, 40]))]
    ranked = chance.sample(names, chance.randint(0, len(names)))
    points = [-5, -1, 0, 1, 2, 255, 256, 1 << 70, None]
    most = chance.randint(1, len(points))
    return {
        name: place(chance.choice(points[:most] or [1]), chance.randint(0, 9) if extra else None) for name in ranked
    }


def random_lookups(chance: random.Random, places: Places) -> list[Lookup]:
    """Every kind of question, about players who are there, were there or never were."""
    players = [*NAMES, *places, "nobody", "", "p", "\U0010ffff"]
    members = [member(place(chance.choice([-6, -5, 0, 1, 3, 1 << 80]))[0] or b"", player or "x") for player in players]
    members += [member(prefix, player) for player, (prefix, _) in places.items() if prefix is not None]
    return [
        *(Lookup("player", player, chance.choice([0, 0, 1, 3, 100])) for player in players),
        *(Lookup("after", held, chance.choice([0, 1, 5, 100])) for held in members),
        *(Lookup("before", held, chance.choice([0, 1, 5, 100])) for held in members),
        *(Lookup("top", 0, limit) for limit in (0, 1, 3, 100)),
        *(Lookup("at", first, limit) for first in (0, 1, 2, 7, 500) for limit in (0, 1, 4, 100)),
    ]


async def assert_as_defined(store: Store, naive: Naive, lookups: list[Lookup]) -> None:
    """Every answer of a store is that of the definitions."""
    answer = await store.lookup(lookups)
    assert answer is not None
    assert (answer.version, answer.total) == (naive.version, len(naive.lines))
    for lookup, found in zip(lookups, answer.found, strict=True):
        assert found == naive.find(lookup), lookup


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("extra", [False, True], ids=["key-only", "with-extra"])
async def test_random_boards_give_the_answers_of_the_definitions(store: Store, style: str, extra: bool) -> None:
    chance = random.Random(f"{style} {extra}")
    board = plan(style, extra=extra)
    for version in range(1, 13):
        places = random_places(chance, extra=extra)
        await store.fill(board, places, version)
        lookups = random_lookups(chance, places)
        chance.shuffle(lookups)
        await assert_as_defined(store, Naive(board, places, version), lookups)


@pytest.mark.parametrize("style", STYLES)
async def test_where_ties_are_broken_only_those_who_never_scored_can_be_level(store: Store, style: str) -> None:
    chance = random.Random(f"reached {style}")
    board = plan(style, reached=True)
    assert board.shared_ending == encode_order(None)
    for version in range(1, 7):
        places: Places = {}
        for at, (name, (prefix, extra)) in enumerate(random_places(chance, extra=False).items()):
            scored = None if chance.random() < 0.3 else (1, 2, at)
            places[name] = None if prefix is None else prefix + encode_order(scored), extra
        await store.fill(board, places, version)
        # Other members have no key of this board.
        own = {member(prefix, player) for player, (prefix, _) in places.items() if prefix is not None}
        lookups = [each for each in random_lookups(chance, places) if type(each.what) is not bytes or each.what in own]
        await assert_as_defined(store, Naive(board, places, version), lookups)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("extra", [False, True], ids=["key-only", "with-extra"])
async def test_a_guest_is_told_the_place_that_he_would_have(store: Store, style: str, extra: bool) -> None:
    if isinstance(store, MergedStore):
        pytest.skip("a merged ranking has no guests: its parts are all")
    chance = random.Random(f"guest {style} {extra}")
    board = plan(style, extra=extra)
    for version in range(1, 7):
        places = random_places(chance, extra=extra)
        await store.fill(board, places, version)
        points = [-6, -5, -1, 0, 1, 2, 3, 255, 1 << 80]
        members = [
            member(place(chance.choice(points))[0] or b"", player) for player in ["!", "guest", "p", "\U0010ffff"] * 5
        ]
        lookups = [Lookup("guest", held, chance.choice([0, 0, 1, 3, 100])) for held in members]
        await assert_as_defined(store, Naive(board, places, version), lookups)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("extra", [False, True], ids=["key-only", "with-extra"])
async def test_the_hidden_are_ranked_for_themselves_only(store: Store, style: str, extra: bool) -> None:
    chance = random.Random(f"hidden {style} {extra}")
    board = plan(style, extra=extra)
    for version in range(1, 13):
        everybody = {name: line for name, line in random_places(chance, extra=extra).items() if line[0] is not None}
        # Now and then nobody, or nobody else.
        away = chance.choice([[], sorted(everybody)[:1], sorted(everybody)[::2], sorted(everybody)])
        hidden = {name: everybody.pop(name) for name in away}
        await store.fill(board, everybody, version, hidden)
        lookups = random_lookups(chance, {**everybody, **hidden})
        await assert_as_defined(store, Naive(board, everybody, version, hidden), lookups)


async def test_a_hidden_player_takes_nobodys_place(store: Store) -> None:
    await store.fill(plan("competition"), {"a": place(9), "c": place(7), "d": place(5)}, 1, {"b": place(7)})
    answer = await store.lookup([Lookup("top", 0, 9), Lookup("player", "b", 1), Lookup("player", "c", 0)])
    assert answer is not None
    top, mine, other = answer.found
    assert isinstance(top, Window)
    assert isinstance(mine, Place)
    assert isinstance(other, Place)
    assert [(entry.player, entry.rank, entry.tied) for entry in top.entries] == [
        ("a", 1, False),
        ("c", 2, False),
        ("d", 3, False),
    ]
    assert (mine.rank, mine.ordinal, mine.tied, mine.total, mine.hidden) == (2, 1, 2, 4, True)
    assert mine.around is not None
    assert [entry.player for entry in mine.around.entries] == ["a", "c"]
    assert (other.rank, other.tied, other.total, other.hidden) == (2, 1, 3, False)


@pytest.mark.parametrize(
    ("style", "ranks"),
    [
        ("competition", [1, 2, 2, 4]),
        ("dense", [1, 2, 2, 3]),
        ("ordinal", [1, 2, 3, 4]),
        ("modified", [1, 3, 3, 4]),
    ],
)
async def test_the_textbook(store: Store, style: str, ranks: list[int]) -> None:
    places = {"a": place(9), "b": place(7), "c": place(7), "d": place(5)}
    await store.fill(plan(style), places, 1)
    answer = await store.lookup(
        [Lookup("top", 0, 10), Lookup("at", 2, 2), *(Lookup("player", who, 0) for who in "abcd")]
    )
    assert answer is not None
    top, tail, *each = answer.found
    assert isinstance(top, Window)
    assert isinstance(tail, Window)
    assert [(entry.player, entry.rank, entry.tied) for entry in top.entries] == list(
        zip("abcd", ranks, [False, True, True, False], strict=True)
    )
    assert tail.entries == top.entries[2:]
    assert [found.rank for found in each if isinstance(found, Place)] == ranks
    assert [found.tied for found in each if isinstance(found, Place)] == [1, 2, 2, 1]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
async def test_pages_forwards_and_backwards_cover_everybody_once(store: Store, size: int) -> None:
    board = plan("competition")
    places = {f"p{number}": place(number % 5) for number in range(23)}
    await store.fill(board, places, 1)
    everybody = Naive(board, places, 1).window(0, 99).entries

    forwards = await walk(store, Lookup("top", 0, size), "after", size)
    assert [entry for page in forwards for entry in page.entries] == everybody
    assert [page.first for page in forwards] == list(range(0, 23, size))

    last = await ask(store, Lookup("at", 22, 1))
    backwards = [last, *(await walk(store, before(last, size), "before", size))]
    assert [entry for page in reversed(backwards) for entry in page.entries] == everybody


async def ask(store: Store, lookup: Lookup) -> Window:
    """One window."""
    answer = await store.lookup([lookup])
    assert answer is not None
    found = answer.found[0]
    assert isinstance(found, Window)
    return found


def before(page: Window, size: int) -> Lookup:
    """The page in front of a page."""
    return Lookup("before", member(page.entries[0].prefix, page.entries[0].player), size)


async def walk(store: Store, lookup: Lookup, kind: str, size: int) -> list[Window]:
    """Pages until there are no more."""
    pages = []
    while (page := await ask(store, lookup)).entries:
        pages.append(page)
        edge = page.entries[-1]
        lookup = before(page, size) if kind == "before" else Lookup("after", member(edge.prefix, edge.player), size)
    return pages


async def test_a_page_goes_on_behind_somebody_who_has_moved_away(store: Store) -> None:
    board = plan("competition")
    places: Places = {name: place(5) for name in "abcdef"}
    await store.fill(board, places, 1)
    cursor = member(place(5)[0] or b"", "c")
    for at, (now, expected) in enumerate(
        [(place(9), "def"), (place(1), "defc"), (place(None), "def"), (place(5), "def")], start=2
    ):
        await store.fill(board, {**places, "c": now}, at)
        assert "".join(entry.player for entry in (await ask(store, Lookup("after", cursor, 9))).entries) == expected


async def test_nobody_is_ranked(store: Store) -> None:
    await store.fill(plan("dense"), {"a": place(None)}, 4)
    lookups = [
        Lookup("top", 0, 5),
        Lookup("player", "a", 2),
        Lookup("at", 3, 5),
        Lookup("after", member(b"\x80", "a"), 5),
    ]
    answer = await store.lookup(lookups)
    assert answer[:3] == (4, 0, [Window(0, 0, []), None, Window(3, 0, []), Window(0, 0, [])])


async def test_there_is_no_ranking(store: Store) -> None:
    assert await store.lookup([Lookup("top", 0, 5)]) is None


def test_the_metrics_come_back_out_of_key_and_extra() -> None:
    board: BoardPlan = plan("competition", extra=True)
    prefix, extra = place(1 << 70, 3)
    assert prefix is not None
    assert board.decode(prefix, extra) == {"points": 1 << 70, "coins": 3}
