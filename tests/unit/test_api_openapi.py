"""The description of the API: it names every route and nothing else, and every reference in it leads somewhere."""

import json
import re
from pathlib import Path
from typing import Any, cast

import asyncpg
import pytest
from redis.asyncio import Redis
from typer.testing import CliRunner

from api import problems
from api.app import make_app
from api.docs import POLICY, page
from api.openapi import document
from api.operations import OPERATIONS
from cli.main import app
from schemas.events import EVENT_TYPES


def registered() -> set[tuple[str, str]]:
    """What the application answers, beside HEAD and what it refuses. Nothing of it is connected."""
    routes = make_app(cast(asyncpg.Pool, None), Redis(), Redis()).router.routes()
    return {
        (route.method, re.sub(r"{(\w+):[^}]*}", r"{\1}", route.resource.canonical))
        for route in routes
        if route.method not in ("*", "HEAD") and route.resource is not None
    }


def references(node: Any) -> set[str]:
    if isinstance(node, dict):
        here = {node["$ref"]} if "$ref" in node else set()
        return here.union(*(references(value) for value in node.values()))
    return set().union(*(references(item) for item in node)) if isinstance(node, list) else set()


def test_every_route_is_described_and_every_described_one_exists() -> None:
    described = [(operation.method, operation.path) for operation in OPERATIONS]
    assert len(described) == len(set(described))
    assert set(described) == registered()


def test_operations_have_names_of_their_own_and_documented_parameters() -> None:
    made = document()
    operations = [each for methods in made["paths"].values() for each in methods.values()]
    assert len({each["operationId"] for each in operations}) == len(operations)
    for each in operations:
        assert all(item["description"] for item in each["parameters"])
        assert {"101", "200", "202"} & each["responses"].keys()
        assert "500" in each["responses"]


@pytest.mark.parametrize("made", [document()], ids=["openapi"])
def test_references_lead_somewhere(made: dict[str, Any]) -> None:
    found = references(made)
    assert found
    for reference in found:
        assert reference.removeprefix("#/components/schemas/") in made["components"]["schemas"]


def test_all_problem_types_are_listed() -> None:
    listed = document()["components"]["schemas"]["Details"]["properties"]["type"]["enum"]
    assert listed == [f"/problems/{kind.name}" for kind in problems.KINDS]
    assert len(set(listed)) == len(listed) > 10


def test_events_leave_their_game_to_the_path() -> None:
    score = document()["components"]["schemas"]["Score"]
    assert "game" not in score["required"]
    assert {"id", "player", "type", "values"} <= set(score["required"])


def test_the_page_has_every_operation_and_nothing_that_its_policy_forbids() -> None:
    made = document()
    html = page(made)
    assert all(f'<details id="{operation.name}">' in html for operation in OPERATIONS)
    assert all(f'id="schema-{name}"' in html for name in made["components"]["schemas"])
    assert not re.search(r"<script|<img|<link|\bstyle=|\bon\w+=|http:|https:", html)
    assert "default-src 'none'" in POLICY


def test_asyncapi_names_every_shard_and_event() -> None:
    result = CliRunner().invoke(app, ["schema", "--asyncapi"], env={"RANKFOLD_SHARDS": "2"})
    made = json.loads(result.stdout)
    assert made["asyncapi"] == "3.0.0"
    assert {channel["address"] for channel in made["channels"].values()} == {"rankfold:log:{0}", "rankfold:log:{1}"}
    schemas = made["components"]["schemas"]
    assert len(schemas["Event"]["anyOf"]) == len(EVENT_TYPES)
    assert {message["payload"]["$ref"] for message in made["components"]["messages"].values()} == {
        "#/components/schemas/Entry"
    }
    assert all(reference.startswith("#/") for reference in references(made))
    assert CliRunner().invoke(app, ["schema", "events", "--asyncapi"]).exit_code == 2


def test_every_type_of_problem_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "http.md").read_text()
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d{3}) \|", text, re.MULTILINE)
    assert sorted(rows) == sorted((kind.name, str(kind.status)) for kind in problems.KINDS)
