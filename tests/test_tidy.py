"""The rules of the house that a linter does not know: layers, purity, sizes, and words that must not appear."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINES_MAX = 400

# Each layer and what it may import of the others; `consumers` and `api` never meet.
LAYERS: dict[str, set[str]] = {
    "schemas": set(),
    "engine": {"schemas"},
    "projections": {"schemas", "engine"},
    "consumers": {"schemas", "engine", "projections"},
    "api": {"schemas", "engine", "projections"},
    "cli": {"schemas", "engine", "projections", "consumers", "api"},
}
# Clocks, chance, surroundings and the outside world: the fold gets everything as arguments.
IMPURE = set(
    """
    aiohttp asyncio asyncpg concurrent ctypes faststream glob http io locale logging multiprocessing os pathlib
    prometheus_client random redis secrets shutil signal socket sqlite3 ssl structlog subprocess sys tempfile threading
    time urllib uuid uvloop
    """.split()
)
CLOCK_CALLS = {"now", "utcnow", "today"}
ENVIRONMENT_READER = Path("cli/settings.py")
# Joined here so that this file does not contain them.
REGISTRIES = ["py" + "pi.org", "python" + "hosted.org", "docker" + ".io", "gh" + "cr.io", "qu" + "ay.io"]
LOCKS = ["constraints.txt", "deploy/requirements.txt", "tests/browser/requirements.txt"]
LEFTOVERS = ["TO" + "DO", "FIX" + "ME"]


def tracked(*patterns: str) -> list[Path]:
    """The files that git tracks or would: what is ignored is not the project's."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode != 0:
        pytest.skip("not a git checkout")
    return [Path(line) for line in listing.stdout.splitlines() if (ROOT / line).is_file()]


def modules() -> list[Path]:
    return [path for path in tracked("*.py") if path.parts[0] in LAYERS]


def parse(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(), str(path))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of each import, wherever it stands; relative ones are resolved."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.parts[: len(path.parts) - node.level] if node.level else ()
            yield node.lineno, ".".join([*package, *([node.module] if node.module else [])])


def test_layers_import_only_leftwards() -> None:
    wrong = []
    for path in modules():
        layer = path.parts[0]
        forbidden = {*LAYERS, "tests", "bench", "examples"} - {layer} - LAYERS[layer]
        wrong += [f"{path}:{line} imports {name}" for line, name in imports(path) if name.split(".")[0] in forbidden]
    assert wrong == []


def test_engine_has_no_clock_chance_surroundings_or_io() -> None:
    wrong = []
    for path in (path for path in modules() if path.parts[0] == "engine"):
        wrong += [f"{path}:{line} imports {name}" for line, name in imports(path) if name.split(".")[0] in IMPURE]
        for node in ast.walk(parse(path)):
            match node:
                case ast.AsyncFunctionDef() | ast.Await() | ast.AsyncFor() | ast.AsyncWith():
                    wrong.append(f"{path}:{node.lineno} is asynchronous")
                case ast.Call(func=ast.Attribute(attr=name)) if name in CLOCK_CALLS:
                    wrong.append(f"{path}:{node.lineno} reads the clock: {name}()")
                case ast.Call(func=ast.Name(id="open" | "print" | "input" as name)):
                    wrong.append(f"{path}:{node.lineno} does I/O: {name}()")
    assert wrong == []


def test_the_environment_is_read_in_one_place() -> None:
    wrong = []
    for path in modules():
        for node in ast.walk(parse(path)):
            match node:
                case ast.Attribute(value=ast.Name(id="os"), attr="environ" | "environb" | "getenv" | "putenv"):
                    wrong.append(f"{path}:{node.lineno}")
                case ast.ImportFrom(module="os", names=names) if {n.name for n in names} & {"environ", "getenv"}:
                    wrong.append(f"{path}:{node.lineno}")
    assert [place for place in wrong if not place.startswith(f"{ENVIRONMENT_READER}:")] == []


def test_modules_are_short() -> None:
    lengths = {str(path): len((ROOT / path).read_text().splitlines()) for path in tracked("*.py")}
    assert {path: lines for path, lines in lengths.items() if lines > LINES_MAX} == {}


def test_every_module_says_what_it_is_for() -> None:
    assert [str(path) for path in tracked("*.py") if not ast.get_docstring(parse(path))] == []


@pytest.mark.parametrize("words", [REGISTRIES, LEFTOVERS], ids=["registries", "leftovers"])
def test_words_that_must_not_appear(words: list[str]) -> None:
    wrong = []
    for path in tracked():
        try:
            lines = (ROOT / path).read_text().splitlines()
        except UnicodeDecodeError:
            continue  # a picture
        wrong += [f"{path}:{number}: {word}" for number, line in enumerate(lines, 1) for word in words if word in line]
    assert wrong == []


@pytest.mark.parametrize("path", LOCKS)
def test_dependencies_are_pinned_with_hashes(path: str) -> None:
    requirements = [line for line in (ROOT / path).read_text().replace("\\\n", "").splitlines() if line]
    assert [line for line in requirements if "==" not in line or "--hash=sha256:" not in line] == []


def test_the_image_installs_what_was_tested() -> None:
    pins = [set(re.findall(r"^[a-z][^ ;]*==[^ ;]+", (ROOT / path).read_text(), re.MULTILINE)) for path in LOCKS]
    assert pins[1] < pins[0]
