"""Schemas, exit codes, requests cut from files, and the doctor's judgement of settings."""

import io
import json
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path

import asyncpg
import msgspec
import pytest
import redis.exceptions
import typer
from rich.table import Table
from typer.testing import CliRunner

from cli.checks import at_least, judged, worst
from cli.checks_postgres import settings_checks
from cli.checks_redis import durability
from cli.demo_feed import moving, ranks_of
from cli.doctor import disk_check, zone_check
from cli.failures import CheckFailedError, explaining
from cli.main import app
from cli.publish import BATCH_EVENTS_MAX, batches
from cli.stack import free_port, is_free
from cli.terminal import plural, safe
from schemas.errors import Conflict, InvalidInput, LogBroken, NotFound, Problem, Unavailable
from schemas.events import EVENT_TYPES
from schemas.jsonschema import events_schema

EXAMPLE = Path(__file__).parents[2] / "examples" / "arcade" / "arcade.toml"


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (InvalidInput(Problem("values.points", "at least 0")), 2, "error: values.points: at least 0"),
        (NotFound("board", "x"), 2, "error: no such board: x"),
        (Conflict("taken"), 2, "error: taken"),
        (Unavailable("no answer"), 3, "error: no answer"),
        (LogBroken("It is gone.", "Restore it."), 3, "error: It is gone. Restore it."),
        (ConnectionRefusedError(111, "refused"), 3, "error: a service does not answer: [Errno 111] refused"),
        (FileNotFoundError(2, "No such file", "scores.jsonl"), 2, "error: scores.jsonl: No such file"),
        (redis.exceptions.ConnectionError("away"), 3, "error: Redis: away"),
        (asyncpg.InvalidPasswordError("wrong password"), 3, "error: PostgreSQL: wrong password"),
        (OSError(98, "Address already in use"), 2, "error: a port is taken: [Errno 98] Address already in use"),
        (KeyboardInterrupt(), 130, ""),
        (CheckFailedError(), 1, ""),
    ],
)
def test_an_error_becomes_a_message_and_an_exit_code(error: BaseException, code: int, message: str) -> None:
    def command() -> None:
        raise error

    program = typer.Typer()
    program.command()(explaining(command))
    result = CliRunner().invoke(program)
    assert (result.exit_code, result.stderr.strip(), result.stdout) == (code, message, "")


def test_only_what_nobody_foresaw_has_a_traceback() -> None:
    def command() -> None:
        raise ZeroDivisionError

    program = typer.Typer()
    program.command()(explaining(command))
    result = CliRunner().invoke(program)
    assert result.exit_code == 70
    assert "Traceback" in result.stderr


def test_usage_errors_end_with_2() -> None:
    assert CliRunner().invoke(app, ["nope"]).exit_code == 2
    assert CliRunner().invoke(app, ["replay", "arcade"]).exit_code == 2
    assert CliRunner().invoke(app, ["dead-letters", "retry"]).exit_code == 2
    assert CliRunner().invoke(app, ["dead-letters", "retry", "9" * 20]).exit_code == 2
    assert CliRunner().invoke(app, ["dead-letters", "list", "--after", "9" * 20]).exit_code == 2


def test_every_command_has_help() -> None:
    for path in (["--help"], ["fold", "-h"], ["rulesets", "apply", "-h"], ["dead-letters", "retry", "-h"]):
        assert CliRunner().invoke(app, path).exit_code == 0


def test_the_version_is_told() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.output) == (0, f"rankfold {version('rankfold')}\n")


def test_the_schema_names_every_event_type_and_keeps_numbers_exact() -> None:
    events = events_schema()
    assert len(events["anyOf"]) == len(EVENT_TYPES)
    value = events["$defs"]["Score"]["properties"]["values"]["additionalProperties"]["anyOf"]
    assert {"type": ["number", "string"], "format": "decimal"} in value
    assert events["$defs"]["Score"]["properties"]["player"]["maxLength"] == 128
    assert events["$defs"]["Score"]["additionalProperties"] is False
    both = json.loads(CliRunner().invoke(app, ["schema"]).stdout)
    assert both["rulesets"]["$ref"] == "#/$defs/Ruleset"
    assert json.loads(CliRunner().invoke(app, ["schema", "events"]).stdout) == both["events"]


def test_rulesets_are_validated_without_a_server(tmp_path: Path) -> None:
    good = CliRunner().invoke(app, ["rulesets", "validate", str(EXAMPLE), "--json"])
    assert [board["board"] for board in json.loads(good.stdout)["boards"]] == ["high-scores", "total"]
    bad = tmp_path / "bad.toml"
    bad.write_text(EXAMPLE.read_text().replace('rank_by = ["points desc"]', 'rank_by = ["pionts desc"]'))
    result = CliRunner().invoke(app, ["rulesets", "validate", str(bad)])
    assert result.exit_code == 2
    assert "boards.total.rank_by[0]: unknown metric 'pionts'; this board has points, runs (line" in result.stderr


def line(game: str | None, number: int) -> bytes:
    return msgspec.json.encode({"game": game, "id": str(number)} if game else {"id": str(number)}) + b"\n"


def cut(lines: list[bytes], game: str | None = None) -> list[tuple[str, int, int]]:
    found = batches(io.BytesIO(b"".join(lines)), "file", game)
    return [(batch.game, len(batch.lines), batch.numbers[0]) for batch in found]


def test_a_file_is_cut_into_requests_of_one_game_in_its_order() -> None:
    lines = [line("a", number) for number in range(BATCH_EVENTS_MAX + 2)] + [b"\n", line("b", 1), line("a", 1)]
    assert cut(lines) == [("a", 1000, 1), ("a", 2, 1001), ("b", 1, 1004), ("a", 1, 1005)]
    assert cut([line(None, 1)], "c") == [("c", 1, 1)]
    assert cut([]) == []


@pytest.mark.parametrize(("body", "rule"), [(b"{", "file:1: not a JSON object"), (b"{}", "file:1: game: named in")])
def test_a_line_that_cannot_be_sent_is_named(body: bytes, rule: str) -> None:
    with pytest.raises(InvalidInput, match=rule):
        cut([body])


def test_versions_are_compared_as_numbers() -> None:
    assert at_least("6.2.14", (6, 2))
    assert at_least("10.0", (6, 2))
    assert not at_least("6.0.16", (6, 2))


def test_the_doctor_says_how_to_mend_what_loses_events() -> None:
    good = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}
    assert worst(durability(good)) == "ok"
    assert worst(durability({**good, "appendfsync": "everysec"})) == "warn"
    assert worst(durability({**good, "appendonly": "no"})) == "fail"
    (evicting,) = [check for check in durability({**good, "maxmemory-policy": "allkeys-lru"}) if check.state == "fail"]
    assert evicting.advice.startswith("CONFIG SET maxmemory-policy noeviction")
    assert [check.advice for check in durability(good)] == ["", "", ""]


def test_the_doctor_judges_postgresql() -> None:
    good = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "server_encoding": "UTF8"}
    assert worst(settings_checks(good)) == "ok"
    assert worst(settings_checks({**good, "synchronous_commit": "off"})) == "warn"
    assert worst(settings_checks({**good, "fsync": "off"})) == "fail"
    assert worst(settings_checks({**good, "server_encoding": "SQL_ASCII"})) == "fail"


def test_the_doctor_looks_at_the_machine(tmp_path: Path) -> None:
    assert zone_check(["Europe/Berlin"]).state == "ok"
    assert zone_check(["Middle/Earth"]).found == "missing: Middle/Earth"
    assert disk_check(tmp_path / "not" / "yet").subject == "Machine"
    assert judged("a", "b", "c", False, "d", otherwise="warn") == ("a", "b", "warn", "c", "d")


def test_text_from_outside_cannot_steer_the_terminal() -> None:
    assert safe("plain Ünïcödé 🏁") == "plain Ünïcödé 🏁"
    assert safe("\x1b[31mred") == "\\x1b[31mred"
    assert safe("👩\u200d🚀\u202e") == "👩\u200d🚀\\u202e"
    assert (plural(1, "event"), plural(2000, "event")) == ("1 event", "2,000 events")


def test_movement_is_shown_against_the_ranks_before() -> None:
    entries = [
        {"rank": rank, "player": name, "tied": False, "metrics": {"points": Decimal(rank)}}
        for rank, name in enumerate(["ann", "bob", "cid"], 1)
    ]
    page = {"entries": entries}
    _, shown = moving(page, {"ann": 3, "bob": 1}, "now").renderables
    assert isinstance(shown, Table)
    arrows = [str(text) for text in shown.columns[-1].cells]
    assert arrows == ["▲ 2 ", "▼ 1 ", "new "]
    assert ranks_of(page) == {"ann": 1, "bob": 2, "cid": 3}


def test_a_taken_port_is_noticed() -> None:
    import socket

    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        assert not is_free("127.0.0.1", holder.getsockname()[1])
    assert is_free("127.0.0.1", free_port())
