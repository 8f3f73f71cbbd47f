"""Events out of a file of JSON lines, with errors that name the line. Knows no game and no server."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from schemas.codec import decode, encode
from schemas.errors import InvalidEvent, InvalidInput, Problem
from schemas.events import AnyEvent

LINE_PROBLEMS_MAX = 1_000
CHUNK_BYTES = 2**20


def at_line(source: str, line: int, problem: Problem) -> Problem:
    """A problem whose field starts with where it stands, such as `scores.jsonl:12: values.points`."""
    where = f"{source}:{line}"
    return Problem(f"{where}: {problem.field}" if problem.field else where, problem.rule)


def count_lines(path: Path) -> int | None:
    """How many lines a file has, for progress bars; None for what can be read only once, such as a pipe."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(CHUNK_BYTES), b""))


@dataclass
class Lines:
    """Decodes lines one after another and keeps what is wrong, so that one run shows all of it."""

    source: str
    problems: list[Problem] = field(default_factory=list)
    duplicates: int = 0
    read: int = 0
    _seen: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)

    def events(self, file: BinaryIO) -> Iterator[tuple[int, AnyEvent]]:
        """(line number, event) for each event that is not there twice; empty lines are passed over."""
        for number, line in enumerate(file, 1):
            self.read = number
            if line.strip():
                event = self._decode(number, line)
                if event is not None and self._is_new(number, event):
                    yield number, event
            if len(self.problems) >= LINE_PROBLEMS_MAX:
                break

    def add(self, line: int, problem: Problem) -> None:
        """Notes what is wrong with a line."""
        self.problems.append(at_line(self.source, line, problem))

    def finish(self) -> None:
        """Raises InvalidInput when anything was wrong."""
        if self.problems:
            raise InvalidInput(*self.problems)

    def _decode(self, number: int, line: bytes) -> AnyEvent | None:
        body = line.strip()
        if body[:1] != b"{":
            self.add(number, Problem("", "each line holds one JSON object"))
            return None
        try:
            return decode(body)
        except InvalidEvent as error:
            for problem in error.problems:
                self.add(number, problem)
            return None

    def _is_new(self, number: int, event: AnyEvent) -> bool:
        # Only hashes of the bodies are kept: they serve to tell equal from other, within one run.
        known, first = self._seen.setdefault((event.game, event.id), (hash(encode(event)), number))
        if first == number:
            return True
        if known == hash(encode(event)):
            self.duplicates += 1
        else:
            self.add(number, Problem("id", f"{event.id!r} stands for another event in line {first}"))
        return False
