"""The files of the cold archive: a stretch as gzipped JSON lines, and a manifest beside it that says what they hold.

A line is an entry as the archive has it: position, verdict, and the body as it was published: JSON as it is, anything else as
base64. What is read back is the same byte by byte.
"""

import gzip
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from schemas.errors import InvalidInput, Problem

LINES_MAX = 5_000


class Line(msgspec.Struct, omit_defaults=True):
    """One entry. Of `event` and `raw` (base64) one is there."""

    game: str | None
    game_id: int
    epoch: int
    shard: int
    ms: int
    seq: int
    verdict: int
    subject: int | None = None
    event: msgspec.Raw = msgspec.Raw()
    raw: bytes | None = None

    def record(self) -> tuple[Any, ...]:
        """The entry as a row of the archive."""
        body = bytes(self.event) if self.raw is None else self.raw
        return self.game_id, self.epoch, self.shard, self.ms, self.seq, self.verdict, self.subject, body


class Manifest(msgspec.Struct, frozen=True):
    """What a stretch's file holds. `sha256` is that of the lines, before they were compressed."""

    name: str
    from_ms: int
    to_ms: int
    entries: int
    games: dict[str, int]
    sha256: str


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Line).decode


def line_of(row: Any) -> bytes:
    """A row of the archive as a line, with its end."""
    *place, body = row
    line = Line(*place)
    if _is_plain(body):
        line.event = msgspec.Raw(body)
    else:
        line.raw = body
    return _encode(line) + b"\n"


def _is_plain(body: bytes) -> bool:
    """Whether a body can stand in a line and be read back as it is."""
    if b"\n" in body or b"\r" in body or body != body.strip():
        return False
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


class Writer:
    """Writes a stretch. Nothing stands under its name before `finish`."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._beside = folder / f"{name}.jsonl.gz.part"
        self._file = self._beside.open("wb")
        # Without name and time in its head, the same lines give the same file.
        self._zip = gzip.GzipFile("", "wb", 6, self._file, mtime=0)
        self._hash = hashlib.sha256()
        self.entries = 0
        self.games: dict[str, int] = {}

    def add(self, row: Any) -> None:
        """Writes an entry."""
        line = line_of(row)
        self._zip.write(line)
        self._hash.update(line)
        self.entries += 1
        game = row[0] or ""
        self.games[game] = self.games.get(game, 0) + 1

    def finish(self, from_ms: int, to_ms: int) -> Manifest:
        """Puts the file and its manifest in their places, once it has been read back."""
        self._zip.close()
        _close(self._file)
        manifest = Manifest(self._name, from_ms, to_ms, self.entries, self.games, self._hash.hexdigest())
        _check(self._beside, manifest)
        beside = self._folder / f"{self._name}.json.part"
        with beside.open("wb") as file:
            file.write(msgspec.json.format(_encode(manifest)) + b"\n")
            _close(file)
        self._beside.replace(file_of(self._folder, self._name))
        beside.replace(self._folder / f"{self._name}.json")
        return manifest


def _close(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()


def file_of(folder: Path, name: str) -> Path:
    """Where a stretch's lines are."""
    return folder / f"{name}.jsonl.gz"


def manifest_of(folder: Path, name: str) -> Manifest:
    """The manifest of a stretch. Raises InvalidInput when it is not there or none."""
    try:
        return msgspec.json.decode((folder / f"{name}.json").read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise InvalidInput(Problem(f"{folder / name}.json", f"the manifest of a stretch: {error}")) from error


def verified(folder: Path, name: str) -> Manifest:
    """Reads a stretch's file and holds it to its manifest. Raises InvalidInput when it is damaged."""
    manifest = manifest_of(folder, name)
    _check(file_of(folder, name), manifest)
    return manifest


def _check(path: Path, manifest: Manifest) -> None:
    digest, entries = hashlib.sha256(), 0
    try:
        with gzip.open(path, "rb") as file:
            for line in file:
                digest.update(line)
                entries += 1
    except (OSError, EOFError) as error:
        raise InvalidInput(Problem(str(path), f"gzipped lines: {error}")) from error
    if (entries, digest.hexdigest()) != (manifest.entries, manifest.sha256):
        raise InvalidInput(
            Problem(str(path), f"the {manifest.entries} lines that the manifest tells of; it is damaged")
        )


def records(folder: Path, name: str) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of a stretch, some thousands at a time."""
    with gzip.open(file_of(folder, name), "rb") as file:
        rows = []
        for line in file:
            rows.append(_decode(line).record())
            if len(rows) == LINES_MAX:
                yield rows
                rows = []
        if rows:
            yield rows
