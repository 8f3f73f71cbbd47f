"""The programs in docs/quickstart.md do what stands below them. A language that is not installed is left out, and said."""

import itertools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.test_docs import BLOCK, DEFAULT_ADDRESS, ROOT, environment, folder

__all__ = ["folder"]
QUICKSTART = ROOT / "docs" / "quickstart.md"
SECONDS_MAX = 120


class Program(NamedTuple):
    """A snippet, and what it is said to print."""

    language: str
    text: str
    output: str


def programs() -> list[Program]:
    found = [(block["language"], block["body"]) for block in BLOCK.finditer(QUICKSTART.read_text())]
    pairs = itertools.pairwise(found)
    return [Program(language, text, output) for (language, text), (kind, output) in pairs if kind == "text"]


COMMANDS = {
    "python": ("main.py", [sys.executable, "main.py"]),
    "javascript": ("main.mjs", ["node", "main.mjs"]),
    "go": ("main.go", ["go", "run", "main.go"]),
}


def runnable(program: Program) -> object:
    """A parameter that is skipped before servers are started for it; in CI, where nothing may be left out, it fails then."""
    tool = COMMANDS[program.language][1][0]
    absent = shutil.which(tool) is None and os.environ.get("CI") != "true"
    missing = pytest.mark.skipif(absent, reason=f"{tool} is not installed")
    return pytest.param(program, id=program.language, marks=missing)


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.parametrize("program", [runnable(program) for program in programs()])
def test_programs_print_what_they_are_said_to(program: Program, folder: Path) -> None:
    name, command = COMMANDS[program.language]
    address = re.search(r"127\.0\.0\.1:\d+", (folder / ".rankfold" / "running.json").read_text())
    assert address is not None
    apply = [sys.executable, "-m", "cli.main", "rulesets", "apply", "examples/arcade/arcade.toml"]
    subprocess.run(apply, cwd=folder, env=environment(), check=True, timeout=SECONDS_MAX)
    (folder / name).write_text(program.text.replace(DEFAULT_ADDRESS, address[0]))
    done = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=SECONDS_MAX, check=False
    )
    assert (done.stdout, done.returncode) == (program.output, 0), done.stderr


def test_every_language_is_there() -> None:
    assert [program.language for program in programs()] == list(COMMANDS)
