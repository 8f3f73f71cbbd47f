"""The commands as a user runs them: processes beside a `rankfold up`, with real servers."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
from typer.testing import CliRunner

from cli.embedded_process import children_of, is_running
from cli.local import Note
from cli.main import app
from projections.names import FIELD, stream_key
from tests.services import eventually_sync, sql

ROOT = Path(__file__).parents[2]
RULES = ROOT / "examples" / "arcade" / "arcade.toml"
SECONDS_MAX = 120
SETTINGS = ("RANKFOLD_", "REDIS_", "DATABASE_")
LONG_RUNNING = ("up", "serve", "consume")

pytestmark = pytest.mark.services


def environment(**more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(SETTINGS)}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Up:
    """A running `rankfold up` in a folder, and the commands beside it."""

    folder: Path
    process: "subprocess.Popen[bytes]"
    note: Note

    def run(self, *arguments: str, stdin: str = "", **more: str) -> "subprocess.CompletedProcess[str]":
        """In this process, which is faster, unless the command configures its process (logging, signals)."""
        if arguments[0] in LONG_RUNNING:
            command = [sys.executable, "-m", "cli.main", *arguments]
            options: dict[str, Any] = {"cwd": self.folder, "capture_output": True, "text": True, "check": False}
            return subprocess.run(command, env=environment(**more), timeout=SECONDS_MAX, **options)
        data = {"RANKFOLD_DATA": str(self.folder / ".rankfold"), **more}
        hidden = {name: None for name in os.environ if name.startswith(SETTINGS) and name not in data}
        result = CliRunner(env={**hidden, **data}).invoke(app, arguments, input=stdin)
        return subprocess.CompletedProcess(arguments, result.exit_code, result.stdout, result.stderr)

    def done(self, *arguments: str, stdin: str = "") -> str:
        result = self.run(*arguments, stdin=stdin)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def json(self, *arguments: str, stdin: str = "") -> Any:
        return json.loads(self.done(*arguments, "--json", stdin=stdin))


def start(folder: Path, *arguments: str, **more: str) -> Up:
    command = [sys.executable, "-m", "cli.main", "up", "--port", str(free_port()), *arguments]
    with (folder / "up.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment(**more), stdout=log, stderr=log)
    note = folder / ".rankfold" / "running.json"
    eventually_sync(lambda: note.exists() or process.poll() is not None, SECONDS_MAX, "`up` is ready")
    assert process.poll() is None, (folder / "up.log").read_text()
    return Up(folder, process, msgspec.json.decode(note.read_bytes(), type=Note))


def stop(up: Up) -> None:
    """Ctrl-C, as a terminal sends it, and nothing is left running."""
    started = children_of(up.process.pid)
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(SECONDS_MAX) == 0, (up.folder / "up.log").read_text()
    assert [pid for pid in started if is_running(pid)] == []
    assert not (up.folder / ".rankfold" / "running.json").exists()


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One stack for this module; each test has its own game."""
    running = start(tmp_path_factory.mktemp("up"))
    yield running
    stop(running)


def make_game(up: Up, name: str) -> Path:
    rules = up.folder / f"{name}.toml"
    rules.write_text(RULES.read_text().replace('game = "arcade"', f'game = "{name}"'))
    assert up.json("rulesets", "apply", str(rules)) == {
        "game": name,
        "version": 1,
        "new": True,
        "live": 1,
        "swapped": None,
    }
    return rules


def scores(name: str, *points: tuple[str, int]) -> str:
    return "".join(
        json.dumps({"id": f"e{number}", "type": "score", "game": name, "player": player, "values": {"points": value}})
        + "\n"
        for number, (player, value) in enumerate(points)
    )


def test_a_file_is_published_and_read_back(up: Up) -> None:
    make_game(up, "first")
    events = scores("first", ("ann", 5), ("bob", 7), ("ann", 3), ("cid", 1))
    sent = up.json("publish", "-", "--wait", stdin=events)
    assert (sent["events"], sent["duplicates"]) == (4, 0)
    again = up.json("publish", "-", "--wait", stdin=events)
    assert (again["events"], again["duplicates"], again["positions"]) == (4, 4, sent["positions"])
    page = up.json("board", "first", "total")
    assert [(line["rank"], line["player"], line["tied"]) for line in page["entries"]] == [
        (1, "ann", False),
        (2, "bob", False),
        (3, "cid", False),
    ]
    place = up.json("rank", "first", "total", "bob", "--around", "1")
    assert (place["rank"], [line["player"] for line in place["around"]]) == (2, ["ann", "bob", "cid"])
    assert up.json("history", "first", "total", "ann")["history"][0]["metrics"]["points"] == 8
    why = up.json("explain", "first", "total", "ann")
    assert [part["gives"]["points"] for part in why["parts"]] == [5, 3]
    told = up.done("explain", "first", "total", "ann")
    assert re.search(r"shown +8 +2 *\n", told)
    assert "next behind, bob at 2: ahead on points 8-7" in told
    profile = {"type": "player", "id": "bob-1", "game": "first", "player": "bob", "name": "Bob B.", "status": "hidden"}
    up.done("publish", "-", "--wait", stdin=json.dumps(profile))
    player = up.json("player", "first", "bob")
    assert (player["name"], player["status"]) == ("Bob B.", "hidden")
    assert {(place["board"], place["rank"], place["hidden"]) for place in player["places"]} >= {("total", 2, True)}
    assert "Bob B. (bob) · hidden" in up.done("player", "first", "bob")
    season = up.json("stats", "first", "bob", "--board", "total")
    assert (season["rank"], season["totals"], season["hidden"]) == (2, {"points": 7, "runs": 1}, True)
    shown = up.done("stats", "first", "bob", "--board", "total").splitlines()
    assert shown[0] == "Bob B. (bob) · hidden · total · all"
    assert shown[1].split() == ["rank", "2", "of", "3,", "shown", "to", "nobody"]
    assert (
        up.run("stats", "first", "nobody").returncode == up.run("stats", "first", "bob", "--board", "x").returncode == 2
    )
    assert "hidden: the board shows him to nobody" in up.done("rank", "first", "total", "bob")
    assert [line["player"] for line in up.json("board", "first", "total")["entries"]] == ["ann", "cid"]
    erased = {"type": "player", "id": "bob-2", "game": "first", "player": "bob", "status": "erased"}
    position = up.json("publish", "-", "--wait", stdin=json.dumps(erased))["positions"]["first"]
    assert up.json("player", "first", f"erased-{position}")["status"] == "erased"
    assert up.json("erase", "first")["games"][0]["players"] == 1
    assert "nobody waits to be erased" in up.done("erase")
    assert "first" in [line["game"] for line in up.json("games")["games"]]
    assert {board["board"] for board in up.json("games", "first")["boards"]} == {"high-scores", "total"}


def heed_interrupts() -> None:
    """Has a child end on SIGINT, also where this process was started to ignore it, as in the background of a script."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.parametrize("as_json", [True, False])
def test_a_board_is_watched(up: Up, as_json: bool) -> None:
    game = f"watched-{as_json}".lower()
    make_game(up, game)
    up.done("publish", "-", "--wait", stdin=scores(game, ("ann", 5)))
    command = [sys.executable, "-m", "cli.main", "board", game, "total", "--watch", *(["--json"] if as_json else [])]
    with subprocess.Popen(
        command, cwd=up.folder, env=environment(), stdout=subprocess.PIPE, text=True, preexec_fn=heed_interrupts
    ) as watching:
        assert watching.stdout is not None
        shown = iter(watching.stdout.readline, "")
        assert any("ann" in line for line in shown)
        up.done("publish", "-", "--wait", stdin=scores(game, ("ann", 5), ("bob", 7)))
        changed = next(line for line in shown if "bob" in line)
        watching.send_signal(signal.SIGINT)
        assert watching.wait(SECONDS_MAX) == 130
    if as_json:
        assert [line["player"] for line in json.loads(changed)["entries"]] == ["bob", "ann"]
    else:
        assert changed.split() == ["1", "bob", "7", "1"]
    nowhere = up.run("board", game, "none", "--watch")
    assert (nowhere.returncode, "no such board: none" in nowhere.stderr) == (2, True)
    assert up.run("board", game, "total", "--watch", "--after", "x").returncode == 2


def test_a_long_board_is_read_in_pages(up: Up) -> None:
    make_game(up, "long")
    up.done("publish", "-", "--wait", stdin=scores("long", *((f"p{number:04d}", 1 + number) for number in range(1203))))
    page = up.json("board", "long", "total", "--limit", "1100")
    assert [line["rank"] for line in page["entries"]] == list(range(1, 1101))
    rest = up.json("board", "long", "total", "--limit", "1000", "--after", page["next"])
    assert (len(rest["entries"]), rest["next"]) == (103, None)


def test_a_refused_line_is_named_and_its_batch_is_not_there(up: Up) -> None:
    make_game(up, "refused")
    events = scores("refused", ("ann", 5), ("bob", -1), ("", 2))
    result = up.run("publish", "-", stdin=events)
    assert result.returncode == 2
    assert "stdin:2: values.points: at least 0" in result.stderr
    assert "stdin:3: player: an id is" in result.stderr
    assert up.json("board", "refused", "total")["total"] == 0


def test_rules_are_applied_once_and_take_effect_with_a_swap(up: Up) -> None:
    rules = make_game(up, "ruled")
    up.done("publish", "-", "--wait", stdin=scores("ruled", ("ann", 5), ("bob", 7)))
    assert up.json("rulesets", "apply", str(rules))["new"] is False
    rules.write_text(rules.read_text().replace('["points desc"]', '["points asc"]'))
    result = up.run("rulesets", "apply", str(rules))
    assert "this is version 2" in result.stdout
    assert "still show version 1" in result.stderr
    assert up.json("board", "ruled", "total")["entries"][0]["player"] == "bob"
    applied = up.json("rulesets", "apply", str(rules), "--swap")
    assert (applied["version"], applied["new"], applied["live"]) == (2, False, 2)
    eventually_sync(
        lambda: up.json("board", "ruled", "total")["entries"][0]["player"] == "ann", what="readers see the swap"
    )
    assert [line["live"] for line in up.json("rulesets", "list", "ruled")["versions"]] == [False, True]


def test_replay_proves_the_boards_or_shows_what_differs(up: Up) -> None:
    make_game(up, "replayed")
    up.done("publish", "-", "--wait", stdin=scores("replayed", ("ann", 5), ("bob", 7)))
    same = up.json("replay", "replayed", "--verify")
    assert (same["same"], same["differences"]) == (True, [])
    up.json("replay", "replayed", "--swap")
    again = up.json("replay", "replayed", "--verify")
    assert again["live_digest"] == same["live_digest"]
    spoil = (
        "UPDATE standings SET extra = '\\x00' WHERE player = 'ann' AND ranking_id IN (SELECT ranking_id FROM rankings"
    )
    live = " WHERE board = 'total' AND generation_id = (SELECT live_generation FROM games WHERE name = 'replayed'))"
    sql(up.note.database_url, spoil + live)
    result = up.run("replay", "replayed", "--verify")
    assert result.returncode == 1
    assert "differs from replay" in result.stdout
    assert "ann" in result.stdout
    up.done("replay", "replayed", "--swap")
    assert up.json("replay", "replayed", "--verify")["live_digest"] == same["live_digest"]


def test_dead_letters_are_listed_and_retried_once_their_reason_is_gone(up: Up) -> None:
    event = {"id": "e1", "type": "score", "game": "early", "player": "ann", "values": {"points": 5}}
    with redis.Redis.from_url(up.note.redis_log_url) as log:
        log.xadd(stream_key(0), {FIELD: json.dumps(event)})
    letters = eventually_sync(lambda: up.json("dead-letters", "list")["dead_letters"], what="a dead letter")
    assert "unknown game 'early'" in letters[0]["reason"]
    assert "dead letters" in up.run("doctor").stdout
    make_game(up, "early")
    assert up.json("dead-letters", "retry", "--all") == {"retried": 1}
    eventually_sync(lambda: up.json("board", "early", "total")["total"] == 1, what="the event is folded")
    assert up.json("dead-letters", "list")["dead_letters"] == []
    assert up.json("dead-letters", "list", "--all")["dead_letters"][0]["status"] == "retried"


def test_what_does_not_count_is_listed_with_its_reason(up: Up) -> None:
    make_game(up, "disputed")
    results = [
        {"id": f"r{at}", "type": "result", "game": "disputed", "fixture": "f", "score": [at, 0]} for at in range(4)
    ]
    up.done("publish", "-", "--wait", stdin="".join(json.dumps(result) + "\n" for result in results))
    page = up.json("rejections", "disputed", "--limit", "2")
    assert [line["event"] for line in page["rejections"]] == ["r3", "r2"]
    assert "was recorded with another content" in up.done("rejections", "disputed", "--after", page["next"])
    assert up.json("rejections", "disputed", "--player", "ann")["rejections"] == []


def test_doctor_finds_everything_well_and_says_what_is_not(up: Up) -> None:
    report = up.json("doctor")
    assert report["state"] == "ok", report
    subjects = {check["subject"] for check in report["checks"]}
    assert subjects == {"Machine", "Redis, log", "Redis, rankings", "PostgreSQL", "Shards", "API"}
    with redis.Redis.from_url(up.note.redis_log_url) as log:
        log.config_set("maxmemory-policy", "allkeys-lru")
        result = up.run("doctor")
        log.config_set("maxmemory-policy", "noeviction")
    assert result.returncode == 1
    assert "fail: Redis, log, maxmemory-policy: CONFIG SET maxmemory-policy noeviction" in result.stdout
    away = up.run("doctor", REDIS_URL="redis://127.0.0.1:1/0", DATABASE_URL="postgresql://127.0.0.1:1/none")
    assert away.returncode == 1
    assert away.stdout.count("fail: ") == 3
    nothing = up.run("doctor", RANKFOLD_DATA="elsewhere")
    assert "set REDIS_LOG_URL, or start `rankfold up`" in nothing.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("board", "nope", "total"), 2, "no such game: nope"),
        (("rank", "first", "total", "nobody"), 2, "no such player: nobody"),
        (("board", "first", "total", "--period", "someday"), 2, "period: a period of this board"),
        (("replay", "nope", "--verify"), 2, "no such game: nope"),
        (("publish", "nowhere.jsonl"), 2, "nowhere.jsonl: No such file"),
        (("rulesets", "list", "nope"), 2, "no such game: nope"),
    ],
)
def test_what_does_not_exist_is_bad_input(up: Up, arguments: tuple[str, ...], code: int, message: str) -> None:
    if arguments[1] == "first" and not any(line["game"] == "first" for line in up.json("games")["games"]):
        make_game(up, "first")
    result = up.run(*arguments)
    assert (result.returncode, result.stdout) == (code, "")
    assert message in result.stderr


def test_services_that_are_away_end_a_command_with_3(up: Up) -> None:
    away = {"RANKFOLD_URL": "http://127.0.0.1:1", "DATABASE_URL": "postgresql://127.0.0.1:1/none"}
    for arguments in (("games",), ("replay", "first", "--verify"), ("migrate",)):
        result = up.run(*arguments, **away)
        assert result.returncode == 3, arguments
        assert "Traceback" not in result.stderr
    assert up.run("consume", RANKFOLD_DATA="elsewhere").returncode == 3


def test_migrate_finds_the_database_of_up(up: Up) -> None:
    assert up.run("migrate", "--check").returncode == 0
    away = up.run("migrate", "--check", RANKFOLD_DATA="elsewhere")
    assert away.returncode == 3
    assert "RANKFOLD_DATA" in away.stderr


def test_a_taken_port_is_named(up: Up) -> None:
    port = up.note.url.rpartition(":")[2]
    result = up.run("up", "--port", port, "--data", "other")
    assert result.returncode == 2
    assert f"--port: {port} of 127.0.0.1 is taken" in result.stderr
    services = {"REDIS_URL": up.note.redis_log_url, "DATABASE_URL": up.note.database_url}
    result = up.run("serve", "--port", port, **services)
    assert result.returncode == 2
    assert f"port {port} of 127.0.0.1 is taken" in result.stderr


def test_up_restarts_what_dies_and_uses_services_that_are_named(up: Up, tmp_path: Path) -> None:
    services = {"REDIS_LOG_URL": up.note.redis_log_url, "REDIS_RANKINGS_URL": up.note.redis_rankings_url}
    other = start(tmp_path, **services, DATABASE_URL=up.note.database_url)
    try:
        children = children_of(other.process.pid)
        assert len(children) == 2
        os.kill(children[-1], signal.SIGKILL)
        eventually_sync(lambda: b"starting it again" in (tmp_path / "up.log").read_bytes(), what="a notice")
        eventually_sync(lambda: other.run("games").returncode == 0, SECONDS_MAX, "the API answers again")
    finally:
        stop(other)
    assert up.run("games").returncode == 0


def test_migrate_says_what_is_missing_and_applies_it(database_url: str, up: Up) -> None:
    check = up.run("migrate", "--check", DATABASE_URL=database_url)
    assert check.returncode == 1
    assert "missing: 0001_spine" in check.stderr
    assert "applied: 0001_spine" in up.run("migrate", DATABASE_URL=database_url).stderr
    assert up.run("migrate", "--check", DATABASE_URL=database_url).returncode == 0


@pytest.mark.slow
def test_the_demo_ends_by_itself_and_leaves_nothing(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "cli.main", "demo", "--seconds", "2"],
        cwd=tmp_path,
        env=environment(TMPDIR=str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "Total points, today" in result.stdout
    assert "visible after" in result.stdout
    assert "\x1b" not in result.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_demo_of_a_season_compares_with_the_official_standings(tmp_path: Path) -> None:
    corpora = os.environ.get("RANKFOLD_CORPORA")
    if corpora is None:
        pytest.skip("RANKFOLD_CORPORA is not set")
    result = subprocess.run(
        [sys.executable, "-m", "cli.main", "demo", "--season", "1990"],
        cwd=tmp_path,
        env=environment(TMPDIR=str(tmp_path), RANKFOLD_CORPORA=corpora),
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "lines are the official ones" in result.stdout
