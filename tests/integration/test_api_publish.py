"""Publishing over HTTP, against real databases: whole batches or nothing, once each, and visible when it says so."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from projections.append import RESERVED_MS
from projections.names import epoch_key, reservation_key
from schemas.position import Position
from tests.integration.api_stack import Stack, ruleset, running, score

pytestmark = pytest.mark.services
EVENTS = "/v1/games/arcade/events"
POINTS = "[boards.best.metrics.points]"


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    async with running(database_url, redis_log_url, redis_rankings_url) as stack:
        await stack.publish(ruleset())
        yield stack


def problem_type(answer: Any) -> str:
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json["status"] == answer.status
    return str(answer.json["type"])


async def test_positions_are_those_of_the_log(stack: Stack) -> None:
    answer = await stack.publish(score("e1", "ada", 5), score("e2", "bob", 7))
    positions = [Position.parse(text) for text in answer["positions"]]
    assert positions == sorted(positions)
    assert answer["position"] == answer["positions"][-1]
    assert answer["duplicates"] == 0
    entries = await stack.log.xrange("rankfold:log:{0}")
    assert [entry_id.decode() for entry_id, _ in entries[-2:]] == [position.entry for position in positions]


async def test_a_wait_ends_when_readers_see_it(stack: Stack) -> None:
    answer = await stack.publish(score("e1", "ada", 5))
    place = await stack.get("/v1/games/arcade/boards/best/players/ada")
    assert place.json["metrics"] == {"points": 5, "seconds": None}
    assert Position.parse(place.json["position"]) >= Position.parse(answer["position"])


async def test_a_wait_is_bounded(stack: Stack) -> None:
    await stack.pause()
    answer = await stack.post(EVENTS + "?wait=20", [score("e1", "ada", 5)])
    assert answer.status == 202
    assert answer.json["visible"] is False
    answer = await stack.post(EVENTS, [score("e2", "ada", 5)])
    assert "visible" not in answer.json
    assert (await stack.post(EVENTS + "?wait=10001", [score("e3", "ada", 5)])).status == 400


async def test_the_same_events_get_the_same_positions(stack: Stack) -> None:
    events = [score("e1", "ada", 5), score("e2", "bob", 7)]
    first = await stack.publish(*events)
    before = await stack.logged()
    again = await stack.publish(*events, score("e3", "eve", 1))
    assert again["positions"][:2] == first["positions"]
    assert again["duplicates"] == 2
    assert await stack.logged() == before + 1


async def test_the_archive_remembers_ids_when_reservations_are_gone(stack: Stack) -> None:
    first = await stack.publish(score("e1", "ada", 5))
    await stack.log.delete(reservation_key(0, "arcade", "e1"))
    before = await stack.logged()
    again = await stack.publish(score("e1", "ada", 5))
    assert (again["positions"], again["duplicates"]) == (first["positions"], 1)
    conflict = await stack.post(EVENTS, [score("e2", "ada", 1), score("e1", "ada", 6)])
    assert conflict.status == 409
    assert [item["index"] for item in conflict.json["problems"]] == [1]
    assert await stack.logged() == before


async def test_a_reservation_outlives_the_archiving_and_ends(stack: Stack) -> None:
    await stack.publish(score("e1", "ada", 5))
    left_ms = await stack.log.pttl(reservation_key(0, "arcade", "e1"))
    assert 0 < left_ms <= RESERVED_MS


async def test_an_id_with_another_body_is_a_conflict_and_nothing_is_appended(stack: Stack) -> None:
    await stack.pause()
    await stack.publish(score("e1", "ada", 5), score("e2", "ada", 5), wait=False)
    before = await stack.logged()
    answer = await stack.post(EVENTS, [score("new", "bob", 1), score("e1", "ada", 6), score("e2", "bob", 5)])
    assert answer.status == 409
    assert problem_type(answer) == "/problems/conflict"
    assert [(item["index"], item["field"]) for item in answer.json["problems"]] == [(1, "id"), (2, "id")]
    assert await stack.logged() == before
    assert (await stack.publish(score("new", "bob", 1), wait=False))["duplicates"] == 0


async def test_an_id_twice_in_one_batch(stack: Stack) -> None:
    before = await stack.logged()
    answer = await stack.publish(score("e1", "ada", 5), score("e2", "bob", 5), score("e1", "ada", 5))
    assert answer["positions"][0] == answer["positions"][2] != answer["positions"][1]
    assert answer["duplicates"] == 1
    assert await stack.logged() == before + 2
    conflict = await stack.post(EVENTS, [score("e3", "ada", 5), score("e4", "bob", 5), score("e3", "ada", 6)])
    assert conflict.status == 409
    assert [item["index"] for item in conflict.json["problems"]] == [0, 2]
    assert await stack.logged() == before + 2


async def test_concurrent_requests_with_one_id_append_once(stack: Stack) -> None:
    before = await stack.logged()
    answers = await asyncio.gather(*(stack.post(EVENTS, [score("e1", "ada", 5)]) for _ in range(30)))
    assert {answer.status for answer in answers} == {202}
    assert len({answer.json["position"] for answer in answers}) == 1
    assert sum(answer.json["duplicates"] for answer in answers) == 29
    assert await stack.logged() == before + 1
    conflicts = await asyncio.gather(*(stack.post(EVENTS, [score("e2", "ada", n)]) for n in range(30)))
    assert sorted(answer.status for answer in conflicts) == [202] + [409] * 29
    assert await stack.logged() == before + 2


async def test_the_same_id_in_two_games_is_two_events(stack: Stack) -> None:
    other = ruleset().copy() | {"text": ruleset()["text"].replace('"arcade"', '"other"')}
    await stack.publish(other, score("e1", "ada", 1), game="other")
    assert (await stack.publish(score("e1", "ada", 5)))["duplicates"] == 0


BAD_EVENTS: list[tuple[dict[str, Any], str]] = [
    ({"type": "scoer"}, "type"),
    ({"colour": "red"}, "colour"),
    ({"game": "other"}, "game"),
    ({"values": {"points": 10**40}}, "values.points"),
    ({"values": {"points": "NaN"}}, "values.points"),
    ({"values": {"points": "Infinity"}}, "values.points"),
    ({"values": {"goals": 1}}, "values.goals"),
    ({"player": ""}, "player"),
    ({"player": "x" * 300}, "player"),
    ({"player": "a\u0000b"}, "player"),
    ({"player": "a\u2029b"}, "player"),
    ({"id": "a\tb"}, "id"),
]


async def test_bad_events_are_named_and_nothing_of_their_batch_is_appended(stack: Stack) -> None:
    before = await stack.logged()
    for change, field in BAD_EVENTS:
        answer = await stack.post(EVENTS, [score("good", "ada", 1), score("bad", "bob", 1) | change])
        assert answer.status == 400, change
        assert problem_type(answer) == "/problems/invalid-event"
        (item,) = answer.json["problems"]
        assert (item["index"], item["field"].startswith(field)) == (1, True), answer.json
        assert item["rule"]
    assert await stack.logged() == before


BAD_BODIES = [
    b"",
    b"{",
    b"[1,",
    b'[{"id":"e","type":"score","player":"a","values":{"points":NaN}}]',
    b'{"id":"e","type":"score","player":"\xff\xfe","values":{"points":1}}',
    b"[" * 200_000,
    b'{"events":' * 100_000,
]


async def test_malformed_bodies_are_refused(stack: Stack) -> None:
    before = await stack.logged()
    for body in BAD_BODIES:
        answer = await stack.request("POST", EVENTS, data=body, headers={"Content-Type": "application/json"})
        assert answer.status == 400, body[:40]
        assert problem_type(answer) == "/problems/invalid-event"
    answer = await stack.request("POST", EVENTS, data=b"a,b", headers={"Content-Type": "text/csv"})
    assert (answer.status, problem_type(answer)) == (415, "/problems/unsupported-media-type")
    assert await stack.logged() == before


async def test_a_thousand_events_are_the_limit(stack: Stack) -> None:
    before = await stack.logged()
    answer = await stack.post(EVENTS, [score(f"e{n}", "ada", n) for n in range(1001)])
    assert answer.status == 400
    assert answer.json["problems"][0]["field"] == "events"
    assert await stack.logged() == before
    answer = await stack.post(EVENTS, {"events": [score(f"e{n}", f"p{n}", n) for n in range(1000)]})
    assert len(answer.json["positions"]) == 1000
    assert await stack.logged() == before + 1000


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_of_five_megabytes_is_refused(stack: Stack, chunked: bool) -> None:
    body = b"[" + b" " * 5_000_000 + b"]"

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 65_536):
            yield body[at : at + 65_536]

    headers = {"Content-Type": "application/json"}
    answer = await stack.request("POST", EVENTS, data=chunks() if chunked else body, headers=headers)
    assert (answer.status, problem_type(answer)) == (413, "/problems/too-large")
    assert await stack.logged() == 1


async def test_lines_and_messagepack(stack: Stack) -> None:
    lines = b"\n".join(msgspec.json.encode(score(f"l{n}", "ada", n)) for n in range(3))
    answer = await stack.request("POST", EVENTS, data=lines, headers={"Content-Type": "application/x-ndjson"})
    assert len(answer.json["positions"]) == 3
    packed = msgspec.msgpack.encode([score(f"m{n}", "ada", n) for n in range(3)])
    answer = await stack.request("POST", EVENTS, data=packed, headers={"Content-Type": "application/msgpack"})
    assert len(answer.json["positions"]) == 3


async def test_an_unknown_game_takes_only_a_ruleset(stack: Stack) -> None:
    before = await stack.logged()
    answer = await stack.post("/v1/games/nowhere/events", [score("e1", "ada", 1)])
    assert (answer.status, problem_type(answer)) == (404, "/problems/not-found")
    answer = await stack.post("/v1/games/nowhere/events", [ruleset()])
    assert answer.status == 400
    assert answer.json["problems"][0]["field"] == "text.game"
    assert (await stack.post("/v1/games/No%20where/events", [ruleset()])).status == 404
    assert await stack.logged() == before


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (('of = "points"', 'of = "goals"'), "text.boards.best.metrics.points.of"),
        (('of = "seconds"', 'of = "secs"'), "text.boards.best.metrics.seconds.of"),
        (
            ("[boards.best.metrics.points]", '[boards.best.metrics.x]\nop="sum"\nof="x"\n[boards.best.metrics.points]'),
            "text.boards.best.metrics.x.of",
        ),
        (("points desc", "goals desc"), "text.boards.best.rank_by[0]"),
    ],
)
async def test_a_bad_ruleset_is_refused(stack: Stack, change: tuple[str, str], field: str) -> None:
    answer = await stack.post(EVENTS, ruleset(ruleset()["text"].replace(*change, 1), 2))
    assert answer.status == 400
    assert field in [item["field"] for item in answer.json["problems"]]
    assert await stack.logged() == 1


async def test_a_log_without_its_epoch_is_not_written_to(stack: Stack) -> None:
    before = await stack.logged()
    await stack.log.delete(epoch_key(0))
    answer = await stack.post(EVENTS, [score("e1", "ada", 1)])
    assert (answer.status, problem_type(answer)) == (503, "/problems/log-broken")
    assert answer.headers["Retry-After"]
    assert await stack.logged() == before


async def test_other_methods_are_told_what_is_allowed(stack: Stack) -> None:
    answer = await stack.get(EVENTS)
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    assert problem_type(answer) == "/problems/method-not-allowed"


async def test_what_the_archive_knows_is_told_while_others_are_written(stack: Stack) -> None:
    """The log's Redis does not get round to writing; a retry of what is archived needs nothing of it."""
    first = await stack.publish(score("e1", "ada", 5))
    await stack.log.client_pause(60_000, all=False)
    try:
        writing = [asyncio.create_task(stack.post(EVENTS, [score(f"n{number}", "ada", 5)])) for number in range(3)]
        again = await stack.post(EVENTS, [score("e1", "ada", 5)])
        other = await stack.post(EVENTS, [score("e1", "ada", 6)])
        assert not any(task.done() for task in writing)
    finally:
        await stack.log.client_unpause()
    assert (again.json["positions"], again.json["duplicates"]) == (first["positions"], 1)
    assert other.status == 409
    answers = [answer.json["position"] for answer in await asyncio.gather(*writing)]
    assert sorted(answers) == sorted(set(answers))
    assert all(position > first["position"] for position in answers)


async def test_requests_at_once_are_appended_once_each(stack: Stack) -> None:
    """Many at a time, some of them twice and some of them with another content, whatever call carries them."""
    requests = [[score(f"e{number % 40}", "ada", 1 + (number % 50 == 49))] for number in range(200)]
    answers = await asyncio.gather(*(stack.post(EVENTS, events) for events in requests))
    told: dict[str, set[str]] = {}
    for (event,), answer in zip(requests, answers, strict=True):
        if answer.status == 202:
            told.setdefault(event["id"], set()).add(answer.json["position"])
        else:
            assert answer.status == 409
    assert len(told) == 40
    assert all(len(positions) == 1 for positions in told.values())
    assert await stack.log.xlen("rankfold:log:{0}") == 41
