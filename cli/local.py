"""Where a running `rankfold up` is found: it leaves a note in its data folder, which the other commands read.

So `rankfold board ...` or `rankfold replay ...` beside it need no configuration. What the environment says goes first.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import msgspec

from cli import settings
from cli.embedded_process import is_running
from cli.settings import Settings

NOTE = "running.json"


class Note(msgspec.Struct, frozen=True):
    """The addresses of a running `up`, and its process."""

    pid: int
    url: str
    redis_log_url: str
    redis_rankings_url: str
    database_url: str


def load() -> Settings:
    """The settings of the environment; what it leaves open comes from an `up` that runs in the data folder."""
    found = settings.load()
    note = _read(found.data / NOTE)
    if note is None:
        return found
    if not found.url_is_set:
        found = replace(found, url=note.url)
    if found.external():
        return found
    return replace(
        found,
        redis_log_url=note.redis_log_url,
        redis_rankings_url=note.redis_rankings_url,
        database_url=note.database_url,
    )


@contextmanager
def announced(folder: Path, note: Note) -> Iterator[None]:
    """Leaves the note for as long as the block runs."""
    path = folder / NOTE
    # Written beside and renamed: who finds the note finds all of it.
    beside = path.with_suffix(".new")
    beside.write_bytes(msgspec.json.encode(note))
    beside.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _read(path: Path) -> Note | None:
    try:
        note = msgspec.json.decode(path.read_bytes(), type=Note)
    except (OSError, msgspec.DecodeError):
        return None
    return note if is_running(note.pid) else None
