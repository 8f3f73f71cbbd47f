"""Keys over HTTP: who may publish what, who sees private boards, rotation, revocation, and an open API."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from api.access import CACHED_S, Keys, Security
from api.app import make_app
from projections import keys
from projections.keys import Scope
from schemas.errors import NotFound
from tests.integration.api_stack import RULES, Stack, ruleset, running, score
from tests.services import eventually

pytestmark = pytest.mark.services
GAME = "/v1/games/arcade"
SECRET_BOARD = f"{GAME}/boards/today"
PRIVATE = RULES.replace("[boards.today]\n", '[boards.today]\naccess = "private"\n')

QUIZ = """
game = "quiz"
[metrics.points]
[sources.score]
origin = "score"
[sources.adjustment]
origin = "adjustment"
[boards.open]
sources = ["score"]
rank_by = ["points desc"]
periods = ["all"]
metrics = { points = { op = "sum", of = "points" } }
[boards.secret]
access = "private"
rank_by = ["points desc"]
periods = ["all"]
metrics = { points = { op = "sum", of = "points" } }
"""


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    """A guarded API; the game was made before, over an open one."""
    async with running(database_url, redis_log_url, redis_rankings_url) as stack:
        await stack.publish(ruleset(PRIVATE), score("e1", "ada", 5))
        app = make_app(
            stack.pool, stack.log, stack.rankings, clock_ms=lambda: stack.now_ms, security=Security(keys=True)
        )
        async with TestClient(TestServer(app, access_log=None)) as client:
            stack.client, opened = client, stack.client
            yield stack
            stack.client = opened


async def bearer(stack: Stack, *scopes: Scope, game: str | None = "arcade") -> dict[str, str]:
    _, token = await keys.create(stack.pool, game, scopes, "test", None)
    return {"Authorization": f"Bearer {token}"}


async def publish(stack: Stack, headers: dict[str, str], *events: dict[str, Any]) -> Any:
    return await stack.request("POST", f"{GAME}/events?wait=10000", json=list(events), headers=headers)


async def test_publishing_needs_a_key_with_the_scope_of_each_event(stack: Stack) -> None:
    before = await stack.logged()
    nobody = await stack.post(f"{GAME}/events", [score("e2", "bob", 9)])
    assert (nobody.status, nobody.json["type"]) == (401, "/problems/unauthorized")
    assert nobody.headers["WWW-Authenticate"].startswith("Bearer")
    reader = await publish(stack, await bearer(stack, "read"), score("e2", "bob", 9))
    assert (reader.status, reader.json["type"]) == (403, "/problems/forbidden")
    elsewhere = await publish(stack, await bearer(stack, "admin", game="chess"), score("e2", "bob", 9))
    assert elsewhere.status == 403
    publisher = await bearer(stack, "publish")
    void = {"id": "v1", "type": "void", "event": "e1", "reason": "glitch"}
    mixed = await publish(stack, publisher, score("e2", "bob", 9), void)
    assert (mixed.status, mixed.json["problems"]) == (
        403,
        [{"field": "type", "rule": "needs the scope officiate", "index": 1}],
    )
    assert await stack.logged() == before
    assert (await publish(stack, publisher, score("e2", "bob", 9))).status == 202
    assert (await publish(stack, await bearer(stack, "officiate"), void)).status == 202
    profile = {"id": "p1", "type": "player", "player": "bob", "name": "Bob"}
    assert (await publish(stack, publisher, profile)).status == 403
    assert (await publish(stack, await bearer(stack, "admin"), profile)).status == 202
    assert (await publish(stack, await bearer(stack, "admin", game=None), score("e3", "bob", 1))).status == 202


async def test_a_game_is_made_with_an_admin_key_only(stack: Stack) -> None:
    made = ruleset(RULES.replace('game = "arcade"', 'game = "chess"'))
    path = "/v1/games/chess/events"
    assert (await stack.request("POST", path, json=[made])).status == 401
    weak = await bearer(stack, "officiate", game="chess")
    assert (await stack.request("POST", path, json=[made], headers=weak)).status == 403
    strong = await bearer(stack, "admin", game="chess")
    assert (await stack.request("POST", path, json=[made], headers=strong)).status == 202


@pytest.mark.parametrize(
    "path",
    [
        SECRET_BOARD,
        f"{GAME}/boards/tod%61y",
        f"{SECRET_BOARD}?limit=1",
        f"{SECRET_BOARD}/players/ada",
        f"{SECRET_BOARD}/players/ada/history",
        f"{SECRET_BOARD}/players/ada/explain",
        f"{SECRET_BOARD}/segments",
        f"{SECRET_BOARD}/export",
        f"{SECRET_BOARD}?q=a",
        f"{SECRET_BOARD}/live",
        f"{SECRET_BOARD}/ws",
        f"{GAME}/players/ada?board=today",
        f"{GAME}/players/ada/stats?board=today",
    ],
)
async def test_private_boards_need_a_key_that_may_read(stack: Stack, path: str) -> None:
    assert (await stack.get(path)).status == 401
    assert (await stack.request("HEAD", path)).status == 401
    assert (await stack.get(path, headers=await bearer(stack, "publish", "officiate"))).status == 403
    assert (await stack.get(path, headers=await bearer(stack, "read", game="chess"))).status == 403
    if not path.endswith("/live"):  # which would not end
        assert (await stack.get(path, headers=await bearer(stack, "read"))).status in (200, 426)


async def test_many_players_of_a_private_board(stack: Stack) -> None:
    asked = {"players": ["ada"]}
    assert (await stack.post(f"{SECRET_BOARD}/ranks", asked)).status == 401
    answer = await stack.post(f"{SECRET_BOARD}/ranks", asked, headers=await bearer(stack, "read"))
    assert (answer.status, answer.json["players"][0]["player"]) == (200, "ada")


async def test_listings_leave_private_boards_out(stack: Stack) -> None:
    reader = await bearer(stack, "read")

    async def seen(path: str, headers: dict[str, str]) -> str:
        answer = await stack.get(path, headers=headers)
        assert answer.status == 200
        return answer.body.decode()

    for path in ("/v1/games", GAME, f"{GAME}/players/ada"):
        assert '"best"' in await seen(path, {})
        assert '"today"' not in await seen(path, {})
        assert '"today"' in await seen(path, reader)
    assert '"board":"best"' in await seen(f"{GAME}/players/ada/stats", {})


async def test_who_is_on_private_boards_only_is_not_known_to_others(stack: Stack) -> None:
    """Nor is there a page of somebody's places behind the last one that is seen."""
    quiz = {"game": "quiz"}
    sent = [
        {"id": "r1", "type": "ruleset", "version": 1, "text": QUIZ} | quiz,
        score("e1", "ada", 5) | quiz,
        {"id": "a1", "type": "adjustment", "player": "bob", "values": {"points": 3}, "reason": "a gift"} | quiz,
    ]
    admin = await bearer(stack, "admin", "publish", game=None)
    assert (await stack.post("/v1/games/quiz/events?wait=10000", sent, headers=admin)).status == 202
    reader = await bearer(stack, "read", game="quiz")
    for path in ("/v1/games/quiz/players/bob", "/v1/games/quiz/players/bob/stats?board=open"):
        assert [(await stack.get(path, headers=headers)).status for headers in ({}, reader)] == [404, 200], path
    ada = "/v1/games/quiz/players/ada?limit=1"
    pages = [(await stack.get(ada, headers=headers)).json for headers in ({}, reader)]
    assert [(len(page["places"]), page["next"] is None) for page in pages] == [(1, True), (1, False)]


async def test_public_boards_need_no_key_but_a_bad_one_is_refused(stack: Stack) -> None:
    path = f"{GAME}/boards/best"
    assert (await stack.get(path)).status == 200
    good = (await bearer(stack, "read"))["Authorization"]
    # The last character's lowest bits are not all of the secret, so another one in front is changed.
    changed = good[:-2] + ("A" if good[-2] != "A" else "B") + good[-1]
    for header in (changed, "Bearer ", "Bearer x", "Basic YTpi", good + "x", "Bearer rfk_" + "0" * 16 + "_" + "a" * 43):
        answer = await stack.get(path, headers={"Authorization": header})
        assert (answer.status, answer.json["type"]) == (401, "/problems/unauthorized")


async def test_several_keys_hold_at_once_until_revoked_or_expired(stack: Stack) -> None:
    old, old_token = await keys.create(stack.pool, "arcade", ["publish"], "old", None)
    _, new_token = await keys.create(stack.pool, "arcade", ["publish"], "new", None)
    gone = datetime.now(UTC) - timedelta(seconds=1)
    _, expired = await keys.create(stack.pool, "arcade", ["publish"], "expired", gone)
    now = [0.0]
    known = Keys(stack.pool, lambda: now[0])
    assert (await known.key(old_token), (await known.key(new_token)) is not None) == (old, True)
    assert await known.key(expired) is None
    await keys.revoke(stack.pool, old.key_id)
    now[0] = CACHED_S - 0.1
    assert await known.key(old_token) == old
    now[0] = CACHED_S
    assert await known.key(old_token) is None
    assert await known.key(new_token) is not None
    with pytest.raises(NotFound):
        await keys.revoke(stack.pool, "nobody")


async def test_only_a_hash_of_the_token_is_stored(stack: Stack) -> None:
    key, token = await keys.create(stack.pool, None, ["read"], "", None)
    (row,) = await stack.pool.fetch("SELECT * FROM api_keys WHERE key_id = $1", key.key_id)
    secret = token.partition(key.key_id)[2]
    assert len(secret) == 44
    assert secret[1:] not in str(dict(row))
    assert [each.key_id for each in await keys.list_(stack.pool, "arcade", every=False)] == [key.key_id]


async def test_rejections_and_readiness(stack: Stack) -> None:
    assert (await stack.get(f"{GAME}/rejections")).status == 401
    reader = await bearer(stack, "read")
    assert (await stack.get(f"{GAME}/rejections", headers=reader)).status == 200
    why = f"{GAME}/boards/best/players/ada/explain"
    assert "rejections" not in (await stack.get(why)).json
    assert (await stack.get(why, headers=reader)).json["rejections"] == []
    assert (await stack.get("/health/ready")).json["access"] == "keys"


@pytest.mark.parametrize(
    ("method", "path", "scopes"),
    [
        ("GET", f"{GAME}/dead-letters", {"officiate", "admin"}),
        ("POST", f"{GAME}/dead-letters/1/retry", {"officiate", "admin"}),
        ("GET", f"{GAME}/ruleset", {"read", "officiate", "admin"}),
        ("GET", f"{GAME}/ruleset/versions", {"read", "officiate", "admin"}),
        ("PUT", f"{GAME}/ruleset", {"admin"}),
        ("GET", f"{GAME}/generations", {"officiate", "admin"}),
        ("POST", f"{GAME}/generations", {"admin"}),
        ("GET", f"{GAME}/boards/best?generation=1", {"officiate", "admin"}),
        ("GET", f"{GAME}/boards/best/players/ada?generation=1", {"officiate", "admin"}),
        ("GET", f"{GAME}/boards/best/export?generation=1", {"officiate", "admin"}),
    ],
)
async def test_what_is_for_officials(stack: Stack, method: str, path: str, scopes: set[str]) -> None:
    assert (await stack.request(method, path)).status == 401
    for scope in keys.SCOPES:
        answer = await stack.request(method, path, headers=await bearer(stack, scope))
        assert (answer.status != 403) == (scope in scopes), scope


async def test_the_game_tells_of_standstills_of_boards_that_are_seen_only(stack: Stack) -> None:
    admin = await bearer(stack, "admin")
    held = [
        {"id": "f1", "type": "freeze", "board": "today"},
        {"id": "f2", "type": "freeze", "board": "best"},
        {"id": "f3", "type": "freeze"},
        {"id": "k1", "type": "close", "board": "today", "period": "daily:2026-02-01"},
    ]
    assert (await publish(stack, admin, *held)).status == 202
    public = (await stack.get(GAME)).json
    assert ({line["board"] for line in public["frozen"]}, public["closed"]) == ({"best", None}, [])
    told = (await stack.get(GAME, headers=await bearer(stack, "read"))).json
    assert {line["board"] for line in told["frozen"]} == {"best", "today", None}
    assert [line["board"] for line in told["closed"]] == ["today"]


async def test_what_officials_see_is_kept_for_officials_however_the_path_is_written(stack: Stack) -> None:
    assert (await publish(stack, await bearer(stack, "admin"), {"id": "f1", "type": "freeze"})).status == 202
    official = await bearer(stack, "officiate")
    sent = await publish(stack, official | await bearer(stack, "publish"), score("e2", "bob", 9))
    path = f"/v1/games/%61rcade/boards/best?known_at={sent.json['position']}"
    for _ in range(5):
        seen, public = await asyncio.gather(stack.get(path, headers=official), stack.get(path))
        assert (seen.json["total"], public.json["total"]) == (2, 1)


async def test_a_generation_s_private_board_needs_the_scope_to_read(stack: Stack) -> None:
    admin, official = await bearer(stack, "admin"), await bearer(stack, "officiate")
    rules = PRIVATE.replace("[boards.best]", '[boards.best]\naccess = "private"').replace("boards.today", "boards.day")
    build = {"action": "build", "name": "trial", "ruleset": rules}
    started = await stack.request("POST", f"{GAME}/generations", json=build, headers=admin)
    assert started.status == 202, started.body

    async def built() -> Any:
        told = (await stack.get(started.headers["Location"], headers=admin)).json
        return told["result"] if told["state"] == "done" else None

    number = (await eventually(built))["generation"]
    reader = await bearer(stack, "officiate", "read")
    for board in ("best", "day"):
        path, beside = f"{GAME}/boards/{board}", f"?generation={number}"
        for method, end in (("GET", ""), ("GET", "/export"), ("GET", "/segments"), ("POST", "/ranks")):
            body = {"json": {"players": ["ada"]}} if method == "POST" else {}
            asked = [
                stack.request(method, f"{path}{end}{beside}", headers=headers, **body) for headers in (reader, official)
            ]
            assert [answer.status for answer in await asyncio.gather(*asked)] == [200, 403], (board, end)
    place = f"{GAME}/boards/best/players/ada?generation={number}"
    assert (await stack.get(place, headers=official)).status == 403
    assert (await stack.get(place, headers=reader)).status == 200


async def test_a_preview_is_of_boards_that_are_seen(stack: Stack) -> None:
    official, reader = await bearer(stack, "officiate"), await bearer(stack, "officiate", "read")
    void = {"events": [{"id": "v1", "type": "void", "event": "e1", "reason": "glitch"}]}
    rules = {"ruleset": PRIVATE.replace('of = "points"', 'of = "seconds"')}
    for question, most in ((void, {"best", "today"}), (rules, {"best", "today"})):
        for headers, boards in ((reader, most), (official, {"best"})):
            told = await stack.post(f"{GAME}/preview", question, headers=headers)
            assert {line["board"] for line in told.json["changes"]} == boards, told.body
        asked = question | {"board": "today"}
        assert (await stack.post(f"{GAME}/preview", asked, headers=official)).status == 403
        assert (await stack.post(f"{GAME}/preview", asked, headers=reader)).status == 200
