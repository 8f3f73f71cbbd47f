"""The page's files over HTTP: what a browser may do with them, how long it may keep them, and that a wheel has them all."""

import gzip
import re
import tomllib
from collections.abc import AsyncIterator
from fnmatch import fnmatch
from pathlib import Path

import brotli
import pytest

from tests.integration.api_stack import Answer, Stack, running

pytestmark = pytest.mark.services
ROOT = Path(__file__).parents[2]
PLAIN = {"Accept-Encoding": "identity"}


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    async with running(database_url, redis_log_url, redis_rankings_url) as stack:
        yield stack


def linked(index: Answer) -> list[str]:
    """The files that the page names."""
    return re.findall(r'(?:href|src)="(/static/[^"]+)"', index.body.decode())


async def test_the_page_runs_nothing_but_its_own_files(stack: Stack) -> None:
    index = await stack.get("/", headers=PLAIN)
    assert index.status == 200
    assert index.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in index.headers["Content-Security-Policy"]
    assert "unsafe" not in index.headers["Content-Security-Policy"]
    assert index.headers["X-Content-Type-Options"] == "nosniff"
    text = index.body.decode()
    assert "{{" not in text
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=|https?://", text) == []
    assert len(linked(index)) == 4


async def test_files_are_kept_for_ever_and_the_page_is_asked_for_each_time(stack: Stack) -> None:
    index = await stack.get("/", headers=PLAIN)
    assert index.headers["Cache-Control"] == "no-cache"
    for path in linked(index):
        file = await stack.get(path, headers=PLAIN)
        assert (file.status, "immutable" in file.headers["Cache-Control"]) == (200, True)
        old = await stack.get(re.sub("static/[^/]+", "static/0", path), headers=PLAIN)
        assert (old.body, old.headers["Cache-Control"]) == (file.body, "no-cache")
    again = await stack.get("/", headers={**PLAIN, "If-None-Match": index.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")
    assert (await stack.get("/static/0/nothing.js")).status == 404
    assert (await stack.request("POST", "/")).status == 405


async def test_head_and_packing_tell_the_same(stack: Stack) -> None:
    plain = await stack.get("/", headers=PLAIN)
    head = await stack.request("HEAD", "/", headers=PLAIN)
    assert (head.status, head.body, head.headers["ETag"]) == (200, b"", plain.headers["ETag"])
    packed = await stack.request("HEAD", "/", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert int(packed.headers["Content-Length"]) == len(gzip.compress(plain.body, 9, mtime=0))
    assert packed.headers["ETag"] != plain.headers["ETag"]
    shorter = await stack.get("/", headers={"Accept-Encoding": "gzip, br"}, auto_decompress=False)
    assert shorter.headers["Content-Encoding"] == "br"
    assert brotli.decompress(shorter.body) == plain.body
    assert len({answer.headers["ETag"] for answer in (plain, packed, shorter)}) == 3


def test_the_page_is_small_and_complete_in_a_wheel() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = [pattern.removeprefix("**/") for pattern in project["tool"]["setuptools"]["package-data"]["*"]]
    files = list((ROOT / "api" / "static").iterdir())
    assert [file.name for file in files if not any(fnmatch(file.name, pattern) for pattern in patterns)] == []
    assert sum(file.stat().st_size for file in files) < 200_000
    assert [file.name for file in files if re.search(r"https?://(?!www\.w3\.org)", file.read_text())] == []
