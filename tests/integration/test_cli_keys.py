"""`rankfold keys`: a token is shown once and then works, is listed without its secret, and is revoked."""

import json
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli.doctor import api_checks
from cli.main import app
from projections.keys import TOKEN
from tests.services import sql

pytestmark = pytest.mark.services


def keys(database_url: str, *arguments: str) -> Result:
    environment = {"DATABASE_URL": database_url, "RANKFOLD_DATA": "/nowhere"}
    return CliRunner().invoke(app, ["keys", *arguments], env=environment)


def listed(database_url: str, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(keys(database_url, "list", "--json", *arguments).stdout)["keys"]
    return found


@pytest.fixture
def migrated(database_url: str) -> str:
    result = CliRunner().invoke(app, ["migrate"], env={"DATABASE_URL": database_url})
    assert result.exit_code == 0
    return database_url


def test_a_key_from_its_making_to_its_end(migrated: str) -> None:
    made = keys(migrated, "create", "--game", "arcade", "--scope", "publish", "--scope", "read", "--label", "server")
    token = made.stdout.strip()
    found = TOKEN.fullmatch(token)
    assert found
    assert keys(migrated, "create", "--all-games", "--scope", "admin", "--days", "7").exit_code == 0
    first, second = listed(migrated)
    assert (first["key"], first["game"], first["scopes"]) == (found["id"], "arcade", ["read", "publish"])
    assert (second["game"], second["scopes"]) == ("(all)", ["admin"])
    assert second["expires_at"]
    assert not first["expires_at"]
    for output in (keys(migrated, "list").stdout, json.dumps(listed(migrated)), str(sql(migrated, "SELECT 1"))):
        assert token.rpartition("_")[2] not in output
    assert keys(migrated, "revoke", first["key"]).exit_code == 0
    assert [key["key"] for key in listed(migrated)] == [second["key"]]
    assert [bool(key["revoked_at"]) for key in listed(migrated, "--all")] == [True, False]


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "--scope", "read"),
        ("create", "--scope", "read", "--game", "arcade", "--all-games"),
        ("create", "--scope", "everything", "--game", "arcade"),
        ("create", "--scope", "read", "--game", "Not A Name"),
        ("revoke", "0123456789abcdef"),
    ],
)
def test_what_makes_no_sense_is_refused(migrated: str, arguments: tuple[str, ...]) -> None:
    result = keys(migrated, *arguments)
    assert result.exit_code == 2
    assert listed(migrated, "--all") == []


@pytest.mark.parametrize(("access", "state"), [("keys", "ok"), ("open", "ok"), ("open beyond loopback", "warn")])
def test_the_doctor_warns_of_an_api_that_is_open_to_others(access: str, state: str) -> None:
    ready, open_to = api_checks("http://127.0.0.1:1", {"ready": True, "services": {}, "shards": [], "access": access})
    assert (ready.state, open_to.state) == ("ok", state)
    assert ("RANKFOLD_AUTH=keys" in open_to.advice) == (state == "warn")
