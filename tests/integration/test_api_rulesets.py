"""Rules over HTTP: the text that holds, its versions, and a new one, which is put and may be put again."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.integration.api_stack import RULES, Answer, Stack, ruleset, running, score

pytestmark = pytest.mark.services
PATH = "/v1/games/arcade/ruleset"
TOML = {"Content-Type": "application/toml"}
TITLED = RULES.replace('title = "Arcade"', 'title = "Arcade, renamed"')


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    async with running(database_url, redis_log_url, redis_rankings_url) as stack:
        yield stack


async def put(stack: Stack, text: str | bytes, path: str = f"{PATH}?wait=10000", **options: Any) -> Answer:
    return await stack.request("PUT", path, data=text, headers=options.pop("headers", TOML))


async def test_the_first_version_makes_the_game(stack: Stack) -> None:
    assert (await stack.get(PATH)).status == 404
    made = await put(stack, RULES)
    assert (made.status, made.json["version"], made.json["new"], made.json["visible"]) == (202, 1, True, True)
    await stack.publish(score("e1", "ada", 5))
    found = (await stack.get(PATH)).json
    assert (found["text"], found["version"], found["live"], found["mode"]) == (RULES, 1, True, "retroactive")


async def test_the_same_text_is_the_same_version(stack: Stack) -> None:
    first = (await put(stack, RULES)).json
    before = await stack.logged()
    again = (await put(stack, RULES)).json
    assert again == {"position": first["position"], "game": "arcade", "version": 1, "new": False}
    await stack.pause()
    waiting = [(await put(stack, TITLED, PATH)).json for _ in range(2)]
    assert [(each["version"], each["new"]) for each in waiting] == [(2, True), (2, False)]
    assert await stack.logged() == before + 1
    other = (await put(stack, RULES.replace('title = "Arcade"', 'title = "Third"'), PATH)).json
    assert (other["version"], other["new"]) == (3, True)


async def test_versions_are_listed_newest_first(stack: Stack) -> None:
    for text in (RULES, TITLED, RULES):
        assert (await put(stack, text)).json["visible"]
    page = (await stack.get(f"{PATH}/versions?limit=2")).json
    assert [(line["version"], line["live"]) for line in page["versions"]] == [(3, False), (2, False)]
    assert page["versions"][0]["boards"] == ["best", "today"]
    rest = (await stack.get(f"{PATH}/versions?limit=2&after={page['next']}")).json
    assert [(line["version"], line["live"]) for line in rest["versions"]] == [(1, True)]
    assert rest["next"] is None
    second = (await stack.get(f"{PATH}?version=2")).json
    assert (second["text"], second["live"]) == (TITLED, False)
    assert (await stack.get(f"{PATH}?version=4")).status == 404


async def test_two_at_once_get_versions_of_their_own(stack: Stack) -> None:
    await stack.publish(ruleset())
    texts = [RULES.replace('title = "Arcade"', f'title = "{at}"') for at in range(4)]
    answers = await asyncio.gather(*(put(stack, text) for text in texts))
    assert sorted(answer.json["version"] for answer in answers) == [2, 3, 4, 5]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("game = ", "invalid-ruleset"),
        (RULES.replace("arcade", "chess"), "invalid-ruleset"),
        (RULES.replace("points desc", "nothing desc"), "invalid-ruleset"),
        (b"\xff\xfe", "invalid-ruleset"),
        ("", "invalid-ruleset"),
    ],
)
async def test_what_breaks_a_rule_is_refused_by_its_line(stack: Stack, text: str | bytes, kind: str) -> None:
    answer = await put(stack, text)
    assert (answer.status, answer.json["type"]) == (400, f"/problems/{kind}")
    assert answer.json["problems"]
    assert await stack.logged() == 0


async def test_only_toml(stack: Stack) -> None:
    assert (await put(stack, RULES, headers={"Content-Type": "application/json"})).status == 415
    refused = await stack.request("DELETE", PATH)
    assert (refused.status, refused.headers["Allow"]) == (405, "GET, HEAD, PUT")
