"""A repository's history as score events. `git` runs as a program, never through a shell, and is read as it writes.

Who wrote a commit is what `git shortlog -sn HEAD` would say: the author's name, replaced by .mailmap, byte for byte.
"""

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, NamedTuple

from schemas.checks import ID_BYTES_MAX, TIME_MS_MAX, good_id
from schemas.errors import InvalidInput, Problem, Unavailable
from schemas.events import Score

FIELDS = "%H%x00%aN%x00%at%x00%ct"
CHUNK_BYTES = 2**20
REPOSITORY_BYTES_MAX = ID_BYTES_MAX - 65
"""An event's id is the repository's name, an @ and a hash of 40 or 64 digits."""

ODD = "~"
"""With this begins the id of a name that cannot be an id itself, or that begins with it."""


class Commit(NamedTuple):
    """What git says of a commit. Times are seconds since 1970, as text: the commit may hold anything."""

    digest: str
    author: bytes
    authored: bytes
    committed: bytes


def count_commits(path: Path) -> int:
    """How many commits HEAD reaches; raises InvalidInput for what is no repository or has no commits."""
    with _git(path, "rev-list", "--count", "HEAD", "--") as output:
        digits = output.read()
    return int(digits)


def name_of(path: Path) -> str:
    """What the repository is called: the folder that holds .git, or a bare repository's own without its .git."""
    with _git(path, "rev-parse", "--git-common-dir") as output:
        said = output.read()
    folder = (path / os.fsdecode(said.removesuffix(b"\n"))).resolve()
    return (folder.parent if folder.name == ".git" else folder).name.removesuffix(".git")


def is_shallow(path: Path) -> bool:
    """Whether the history was cut off when the repository was cloned."""
    with _git(path, "rev-parse", "--is-shallow-repository") as output:
        return output.read().strip() == b"true"


def commits(path: Path) -> Iterator[Commit]:
    """The commits that HEAD reaches, parents before children as far as their times allow; merges are commits too."""
    options = ("--reverse", "--no-show-signature", "--no-color", "--encoding=UTF-8", "-z", f"--format={FIELDS}")
    with _git(path, "log", *options, "HEAD", "--") as output:
        fields = _fields(output)
        # A last one that is not whole means that git failed, which its status tells.
        for digest, *rest in zip(fields, fields, fields, fields, strict=False):
            yield Commit(digest.decode(), *rest)


def _fields(output: IO[bytes]) -> Iterator[bytes]:
    """The parts of a stream between its NUL characters."""
    rest = b""
    while chunk := output.read(CHUNK_BYTES):
        *whole, rest = (rest + chunk).split(b"\0")
        yield from whole


@contextmanager
def _git(path: Path, *arguments: str) -> Iterator[IO[bytes]]:
    """The output of a git command in a repository; raises InvalidInput with what git says when it fails."""
    with tempfile.TemporaryFile() as complaints:
        command = ["git", "-C", str(path), *arguments]
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints, bufsize=0
            )
        except FileNotFoundError:
            raise Unavailable("git is not installed, or not on the PATH") from None
        assert process.stdout is not None
        try:
            yield process.stdout
        except BaseException:
            process.kill()
            raise
        finally:
            process.stdout.close()
            code = process.wait()
        if code != 0:
            complaints.seek(0)
            said = complaints.read(2_000).decode("utf-8", "replace").strip()
            raise InvalidInput(Problem(str(path), said or f"git ended with status {code}"))


def event_of(commit: Commit, game: str, repository: str) -> Score:
    """The score event of a commit: one for its author, on the day of authorship."""
    return Score(
        id=f"{repository}@{commit.digest}",
        game=game,
        occurred_at=_moment(commit.authored) or _moment(commit.committed),
        player=player_of(commit.author),
        values={"commits": 1},
        attributes={"repo": repository, "kind": "commit"},
    )


def _moment(seconds: bytes) -> datetime | None:
    """The time that git's digits mean; None where there are none, or where they lie behind the year 9999."""
    if not seconds.isdigit() or len(seconds) > 12 or int(seconds) * 1000 > TIME_MS_MAX:
        return None
    return datetime.fromtimestamp(int(seconds), UTC)


def player_of(name: bytes) -> str:
    r"""The player id of an author's name; other names give other ids.

    A name that can be an id is the id. Any other (empty, with control characters, not UTF-8, too long, or with `~` in front)
    becomes `~` and the name with `\\` for a backslash and `\xNN` for each byte that an id cannot hold; what is still too
    long is cut, and ends with `\#` and the first 32 hexadecimal digits of the name's SHA-256.
    """
    try:
        text = name.decode()
    except UnicodeDecodeError:
        text = ""
    if good_id(text) and not text.startswith(ODD):
        return text
    parts = [_escaped(char) for char in name.decode("utf-8", "surrogateescape")]
    whole = ODD + "".join(parts)
    if len(whole.encode()) <= ID_BYTES_MAX:
        return whole
    end = rf"\#{hashlib.sha256(name).hexdigest()[:32]}"
    room = ID_BYTES_MAX - len(ODD) - len(end)
    kept = ODD
    for part in parts:
        room -= len(part.encode())
        if room < 0:
            break
        kept += part
    return kept + end


def _escaped(char: str) -> str:
    if char == "\\":
        return r"\\"
    if good_id(char):
        return char
    return "".join(rf"\x{byte:02x}" for byte in char.encode("utf-8", "surrogateescape"))
