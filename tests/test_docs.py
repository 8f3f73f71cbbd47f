"""The documentation tells the truth: its terminal sessions are run, its commands, links, variables and rulesets exist.

A `console` block is what a terminal shows: commands behind `$ `, and their output. `...` in the output stands for anything
within a line, a line of `...` for any lines. Sessions run in an empty folder beside a `rankfold up`, which stands in for
the one at the default port.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import typer.main

from cli import settings
from cli.main import app
from schemas.ruleset import parse
from tests.services import eventually_sync

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    path for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*/README.md")]
)
BLOCK = re.compile(r"^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
DEFAULT_ADDRESS = "127.0.0.1:8321"
COMMAND_SECONDS_MAX = 60


class Command(NamedTuple):
    """A command of a session, and the lines that it is said to print."""

    line: str
    output: list[str]


def blocks(path: Path, language: str) -> list[str]:
    return [found["body"] for found in BLOCK.finditer(path.read_text()) if found["language"] == language]


def session(path: Path) -> list[Command]:
    commands: list[Command] = []
    for line in "".join(blocks(path, "console")).splitlines():
        if line.startswith("$ "):
            commands.append(Command(line[2:], []))
        else:
            commands[-1].output.append(line.rstrip())
    return commands


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


SESSIONS = [path for path in DOCUMENTS if session(path)]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """An empty folder with the examples, in which a `rankfold up` runs."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    with (tmp_path / "up.log").open("wb") as log:
        up = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "up", "--port", str(free_port())],
            cwd=tmp_path,
            env=environment(),
            stdout=log,
            stderr=log,
        )
        try:
            note = tmp_path / ".rankfold" / "running.json"
            eventually_sync(lambda: note.exists() or up.poll() is not None, seconds=90, what="`rankfold up` is ready")
            assert note.exists(), (tmp_path / "up.log").read_text()
            yield tmp_path
        finally:
            up.send_signal(signal.SIGINT)
            assert up.wait(60) == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("RANKFOLD_", "REDIS_", "DATABASE_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**kept, "PATH": path, "PYTHONPATH": str(ROOT)}


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.parametrize("path", SESSIONS, ids=name_of)
def test_sessions_show_what_really_happens(path: Path, folder: Path) -> None:
    if shutil.which("curl") is None and any(command.line.startswith("curl") for command in session(path)):
        pytest.skip("curl is not installed")
    address = re.search(r"127\.0\.0\.1:\d+", (folder / ".rankfold" / "running.json").read_text())
    assert address is not None
    for command in session(path):
        done = subprocess.run(
            ["bash", "-c", command.line.replace(DEFAULT_ADDRESS, address[0])],
            cwd=folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            check=False,
        )
        assert_shows(command, done.stdout)


def assert_shows(command: Command, output: str) -> None:
    shown = trimmed([line.rstrip() for line in output.splitlines()])
    expected = trimmed(command.output)
    pattern = "\n".join(".*" if line == "..." else re.escape(line).replace(r"\.\.\.", "[^\n]*") for line in expected)
    assert re.fullmatch(pattern, "\n".join(shown), re.DOTALL if "..." in expected else 0), "\n".join(
        [f"$ {command.line}", *shown, "", "is documented as:", *expected]
    )


def trimmed(lines: list[str]) -> list[str]:
    """Without empty lines at the end: documents separate commands with them."""
    while lines and not lines[-1]:
        lines = lines[:-1]
    return lines


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_links_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text())
    assert [target for target in targets if not (path.parent / target).exists()] == []


def test_every_command_that_is_named_exists() -> None:
    root = typer.main.get_command(app)
    known = set(root.commands) if hasattr(root, "commands") else set()
    wrong = []
    for path in DOCUMENTS:
        # A command stands in a block or in backticks; prose that begins with the project's name does not.
        text = "\n".join(
            [*BLOCK.sub("", path.read_text()).split("`")[1::2], *(m["body"] for m in BLOCK.finditer(path.read_text()))]
        )
        named = re.findall(r"(?:^|[|`$;\s])rankfold ([a-z][a-z-]*)", text)
        wrong += [f"{name_of(path)}: rankfold {name}" for name in named if name not in known]
    assert wrong == []


def test_every_command_is_documented() -> None:
    root = typer.main.get_command(app)
    text = (ROOT / "docs" / "cli.md").read_text()
    assert [name for name in root.commands if f"rankfold {name}" not in text] == []


def test_every_variable_is_documented_and_every_documented_one_exists() -> None:
    source = Path(settings.__file__).read_text()
    read = set(re.findall(r'reader\.\w+\("([A-Z_]+)"', source)) - {"RANKFOLD_CRASH_AT"}
    table = re.findall(r"^\|(.*?)\|", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)
    documented = {name for cell in table for name in re.findall(r"`([A-Z][A-Z_]+)`", cell)}
    assert documented == read - {"REDIS_URL"}


def test_rulesets_in_the_documentation_are_valid() -> None:
    found = [body for path in DOCUMENTS for body in blocks(path, "toml")]
    assert found
    for text in found:
        parse(text)


def test_decisions_are_numbered_and_have_their_parts() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert len({path.name[:4] for path in records}) == len(records)
    for path in records:
        text = path.read_text()
        assert re.match(r"\d{4}-", path.name)
        assert text.startswith(f"# {path.name[:4]}: ")
        assert re.findall(r"^## (\w+)", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
