"""Boards as files, through the real servers."""

import asyncio
import csv
import gzip
import io
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from api import export
from projections.export import Snapshot
from tests.integration.api_stack import Stack, ruleset, running, score
from tests.services import eventually

pytestmark = pytest.mark.services
BOARD = "/v1/games/arcade/boards/best"
ROWS = 120_000
MANY = """
INSERT INTO standings (ranking_id, player, state, prefix, extra, since)
SELECT ranking_id, rpad('q' || number, 120, 'x'), state, prefix, extra, since
FROM standings, generate_series(1, $1::integer) number WHERE player = 'p'
"""
"""As many players more on each ranking, some twenty megabytes of CSV: more than the buffers of a connection hold."""


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    async with running(database_url, redis_log_url, redis_rankings_url) as stack:
        await stack.publish(ruleset())
        yield stack


def scores(count: int) -> list[dict[str, Any]]:
    """Scores with ties: three players a value."""
    return [score(f"s{i}", f"p{i:04}", i // 3, values={"points": i // 3, "seconds": f"{i}.5"}) for i in range(count)]


async def test_a_csv_file_has_all_that_the_pages_have(stack: Stack) -> None:
    await stack.publish(*scores(1_000))
    await stack.publish(*({**each, "id": f"t{each['id']}", "player": f"q{each['id']}"} for each in scores(600)))
    await stack.publish({"id": "n", "type": "player", "player": "p0999", "name": '=cmd|" /C calc"!A0'})
    answer = await stack.get(BOARD + "/export?format=csv")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="arcade-best-all-2026-02-02.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))
    assert answer.body.endswith(b"\r\n")
    entries, after = [], ""
    while after is not None:
        page = (await stack.get(f"{BOARD}?limit=1000" + (f"&after={after}" if after else ""))).json
        entries += page["entries"]
        after = page["next"]
    assert [(int(row["rank"]), row["player"], int(row["points"]), row["seconds"]) for row in rows] == [
        (line["rank"], line["player"], line["metrics"]["points"], line["metrics"]["seconds"]) for line in entries
    ]
    assert [int(row["ordinal"]) for row in rows] == list(range(1, 1_601))
    assert rows[0]["name"] == '\'=cmd|" /C calc"!A0'
    assert answer.headers["Rankfold-Position"] == page["position"]


async def test_json_lines_have_the_same(stack: Stack) -> None:
    await stack.publish(*scores(9), {"id": "n", "type": "player", "player": "p0008", "name": "Åse"})
    answer = await stack.get(BOARD + "/export?format=jsonl&period=daily:2026-02-02")
    assert answer.headers["Content-Type"] == "application/jsonl; charset=utf-8"
    assert answer.headers["Content-Disposition"].endswith('filename="arcade-best-daily-2026-02-02-2026-02-02.jsonl"')
    lines = [json.loads(line) for line in answer.body.splitlines()]
    assert [line["rank"] for line in lines] == [1, 1, 1, 4, 4, 4, 7, 7, 7]
    assert lines[2] == {
        "rank": 1,
        "ordinal": 3,
        "player": "p0008",
        "metrics": {"points": 2, "seconds": "8.5"},
        "tied": True,
        "name": "Åse",
    }


async def test_hidden_players_are_not_in_it_and_dense_ranks_are(stack: Stack) -> None:
    await stack.publish(*scores(9), {"id": "h", "type": "player", "player": "p0007", "status": "hidden"})
    answer = await stack.get("/v1/games/arcade/boards/today/export?format=jsonl")
    lines = [json.loads(line) for line in answer.body.splitlines()]
    assert [line["rank"] for line in lines] == [1, 1, 2, 2, 2, 3, 3, 3]


async def test_gzip_head_and_not_modified(stack: Stack) -> None:
    await stack.publish(*scores(300))
    plain = await stack.get(BOARD + "/export", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    raw = await _raw(
        stack, f"GET {BOARD}/export HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"
    )
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b"Content-Encoding: gzip" in head
    assert gzip.decompress(_unchunked(body)) == plain.body
    head_only = await stack.request("HEAD", BOARD + "/export")
    assert (head_only.status, head_only.body) == (200, b"")
    tag = plain.headers["ETag"]
    assert (await stack.get(BOARD + "/export", headers={"If-None-Match": tag})).status == 304
    assert (await stack.get(BOARD + "/export?format=jsonl", headers={"If-None-Match": tag})).status == 200
    await stack.publish(score("more", "zed", 1_000))
    assert (await stack.get(BOARD + "/export", headers={"If-None-Match": tag})).status == 200


async def test_old_clients_read_until_the_end_of_the_connection(stack: Stack) -> None:
    await stack.publish(score("a", "ann", 1))
    raw = await _raw(stack, f"GET {BOARD}/export HTTP/1.0\r\nHost: x\r\n\r\n")
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert body == b'"rank","ordinal","player","name","points","seconds"\r\n1,1,"ann",,1,\r\n'


async def test_an_empty_board_is_an_empty_file(stack: Stack) -> None:
    answer = await stack.get("/v1/games/arcade/boards/today/export")
    assert answer.body == b'"rank","ordinal","player","name","points"\r\n'
    assert (await stack.get("/v1/games/arcade/boards/today/export?format=jsonl")).body == b""


async def test_it_is_of_one_moment_however_long_it_takes(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    await stack.publish(*scores(30))
    before = await stack.get(BOARD + "/export")
    monkeypatch.setattr(export, "CHUNK_ENTRIES", 1)
    opened, go_on = asyncio.Event(), asyncio.Event()
    write = export._Sink.write

    async def waiting(sink: Any, data: bytes) -> None:
        opened.set()
        await go_on.wait()
        await write(sink, data)

    monkeypatch.setattr(export._Sink, "write", waiting)
    under_way = asyncio.create_task(stack.get(BOARD + "/export"))
    await opened.wait()
    await stack.publish(
        *({**each, "id": f"x{each['id']}", "values": {"points": 900 - i}} for i, each in enumerate(scores(30)))
    )
    go_on.set()
    assert (await under_way).body == before.body


async def test_only_so_many_run_at_once(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    await stack.publish(*scores(30))
    entered, go_on = [], asyncio.Event()
    write = export._Sink.write

    async def waiting(sink: Any, data: bytes) -> None:
        entered.append(sink)
        await go_on.wait()
        await write(sink, data)

    monkeypatch.setattr(export._Sink, "write", waiting)
    running_ = [asyncio.create_task(stack.get(BOARD + "/export")) for _ in range(export.EXPORTS_MAX)]
    await eventually(lambda: len(entered) == export.EXPORTS_MAX)
    refused = await stack.get(BOARD + "/export")
    assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
    go_on.set()
    assert [answer.status for answer in await asyncio.gather(*running_)] == [200] * export.EXPORTS_MAX

    async def free_again() -> bool:
        # The last byte arrives a moment before the export is over.
        return (await stack.get(BOARD + "/export")).status == 200

    await eventually(free_again)


async def test_who_takes_nothing_is_cut_off_and_little_was_read_for_him(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stack.publish(score("s", "p", 1))
    await stack.pool.execute(MANY, ROWS)
    read, cut = 0, asyncio.Event()
    of_snapshot, of_sink = Snapshot.read, export._Sink.cut

    async def reading(snapshot: Snapshot, count: int) -> Any:
        nonlocal read
        found = await of_snapshot(snapshot, count)
        read += len(found)
        return found

    def cutting(sink: Any) -> None:
        of_sink(sink)
        cut.set()

    monkeypatch.setattr(export, "STALL_S", 1.0)
    monkeypatch.setattr(Snapshot, "read", reading)
    monkeypatch.setattr(export._Sink, "cut", cutting)
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    slow.setblocking(False)
    loop = asyncio.get_running_loop()
    with slow:
        await loop.sock_connect(slow, (stack.client.host, stack.client.port))
        await loop.sock_sendall(slow, f"GET {BOARD}/export HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        async with asyncio.timeout(60):
            await cut.wait()
        # What was read is what the connection's buffers took, and one chunk more.
        assert 0 < read < ROWS / 2
        assert (await stack.get(BOARD + "?limit=1")).status == 200


async def test_what_cannot_be_exported_is_refused(stack: Stack) -> None:
    for path, status in {
        BOARD + "/export?format=xlsx": 400,
        BOARD + "/export?limit=5": 400,
        BOARD + "/export?period=weekly:2026-02-02": 400,
        "/v1/games/arcade/boards/none/export": 404,
    }.items():
        assert (await stack.get(path)).status == status, path


async def _raw(stack: Stack, request: str) -> bytes:
    reader, writer = await asyncio.open_connection(stack.client.host, stack.client.port)
    writer.write(request.encode())
    try:
        async with asyncio.timeout(15):
            return await reader.read()
    finally:
        writer.close()


def _unchunked(body: bytes) -> bytes:
    found = b""
    while True:
        size, _, body = body.partition(b"\r\n")
        if not int(size, 16):
            return found
        found, body = found + body[: int(size, 16)], body[int(size, 16) + 2 :]
