"""Intake: stream entries to events, each with what is wrong about it. Looks at entries and at nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from projections.hashing import body_hash, id_hash
from projections.names import FIELD
from schemas.codec import decode, decode_plain, encode
from schemas.errors import InvalidEvent, Problem
from schemas.events import AnyEvent, Score
from schemas.position import parse_entry

Fields = dict[bytes, bytes] | list[bytes]
RawEntry = tuple[bytes, Fields]
"""A stream entry: its id, and its fields, as a dict or as Redis sends them: name, value, name, value."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One entry of a stream. Either `event` with its hashes is there, or `problem` says why not."""

    ms: int
    seq: int
    body: bytes
    event: AnyEvent | None
    problem: Problem | None
    id_hash: bytes = b""
    body_hash: bytes = b""


class Mixed(list[Entry]):
    """A stretch of the stream, entry by entry."""

    @property
    def last(self) -> tuple[int, int]:
        """(ms, seq) of the last entry."""
        return self[-1].ms, self[-1].seq

    @property
    def games(self) -> set[str]:
        """The games that its events name."""
        return {entry.event.game for entry in self if entry.event is not None}

    def entries(self) -> list[Entry]:
        """One by one."""
        return self


@dataclass(slots=True)
class Plain:
    """A stretch of the stream in which every entry is a score that needs no closer look, column by column.

    Nearly all events of a busy game are such; to look at each of them by itself costs more than to decode it.
    """

    ms: list[int]
    seq: list[int]
    bodies: list[bytes]
    events: list[Score]
    id_hashes: list[bytes]
    body_hashes: list[bytes]

    def __len__(self) -> int:
        return len(self.ms)

    @property
    def last(self) -> tuple[int, int]:
        """(ms, seq) of the last entry."""
        return self.ms[-1], self.seq[-1]

    @property
    def games(self) -> set[str]:
        """The games that its events name."""
        return {event.game for event in self.events}

    def entries(self) -> list[Entry]:
        """One by one."""
        rows = zip(self.ms, self.seq, self.bodies, self.events, self.id_hashes, self.body_hashes, strict=True)
        return [Entry(ms, seq, body, event, None, known, said) for ms, seq, body, event, known, said in rows]

    def said(self, start: int, end: int) -> tuple[list[Score], list[int], list[int]]:
        """(events, ms, seq) of those from `start` up to `end`."""
        return self.events[start:end], self.ms[start:end], self.seq[start:end]

    def add(self, more: "Plain") -> None:
        """Adds what follows."""
        self.ms += more.ms
        self.seq += more.seq
        self.bodies += more.bodies
        self.events += more.events
        self.id_hashes += more.id_hashes
        self.body_hashes += more.body_hashes

    def by_game(self) -> "dict[str, Plain]":
        """Those of each game."""
        games = [event.game for event in self.events]
        found: dict[str, list[int]] = {game: [] for game in dict.fromkeys(games)}
        if len(found) == 1:
            return {games[0]: self}
        for index, game in enumerate(games):
            found[game].append(index)
        return {game: self._pick(indexes) for game, indexes in found.items()}

    def _pick(self, indexes: list[int]) -> "Plain":
        return Plain(
            [self.ms[index] for index in indexes],
            [self.seq[index] for index in indexes],
            [self.bodies[index] for index in indexes],
            [self.events[index] for index in indexes],
            [self.id_hashes[index] for index in indexes],
            [self.body_hashes[index] for index in indexes],
        )


Taken = Plain | Mixed
"""A stretch of the stream that was taken in; never an empty one."""


def take_all(raw: Sequence[RawEntry]) -> Taken:
    """Decodes entries, one or more; never raises, whatever they hold."""
    bodies = [fields[1] for _, fields in raw if type(fields) is list and len(fields) == 2 and fields[0] == FIELD]
    events = decode_plain(bodies) if len(bodies) == len(raw) else None
    if events is None:
        return Mixed(map(take_in, raw))
    numbers = list(map(int, b"-".join([entry for entry, _ in raw]).split(b"-")))
    known, said = [id_hash(event.id) for event in events], [body_hash(encode(event)) for event in events]
    return Plain(numbers[::2], numbers[1::2], bodies, events, known, said)


def join(stretches: list[Taken], taken: Taken) -> None:
    """Adds a stretch behind the others, to the last one if it is of the same kind."""
    last = stretches[-1] if stretches else None
    if isinstance(last, Plain) and isinstance(taken, Plain):
        last.add(taken)
    elif isinstance(last, Mixed) and isinstance(taken, Mixed):
        last += taken
    else:
        stretches.append(taken)


def take_in(raw: RawEntry) -> Entry:
    """Decodes one entry; never raises, whatever it holds."""
    (ms, seq), fields = parse_entry(raw[0]), raw[1]
    body = fields[1] if type(fields) is list and len(fields) == 2 and fields[0] == FIELD else _body(fields)
    if body is None:
        rule = f"an entry has the field `event`; this one has {', '.join(map(repr, list(fields)[:4])) or 'none'}"
        return Entry(ms, seq, b"", None, Problem("", rule[:500]))
    try:
        event = decode(body)
    except InvalidEvent as error:
        return Entry(ms, seq, body, None, _joined(error.problems))
    return Entry(ms, seq, body, event, None, id_hash(event.id), body_hash(encode(event)))


def _body(fields: Fields) -> bytes | None:
    if isinstance(fields, dict):
        return fields.get(FIELD)
    return dict(zip(fields[::2], fields[1::2], strict=True)).get(FIELD)


def raw_streams(response: Any, **_options: Any) -> list[tuple[bytes, list[tuple[bytes, list[RawEntry]]]]]:
    """XREAD's reply, for RESP 2 and 3: the entries of each stream as they came, all of them as one under the last one's id.

    To make a dict of each, or only to look at each of them once more, costs more than to decode it.
    """
    streams = response.items() if isinstance(response, dict) else response or ()
    return [(name, [(entries[-1][0], entries)]) for name, entries in streams if entries]


def _joined(problems: tuple[Problem, ...]) -> Problem:
    """A dead letter names its first field, and tells all rules."""
    rule = "; ".join(str(problem) for problem in problems[1:])
    return Problem(problems[0].field, problems[0].rule + (f"; {rule}" if rule else ""))


def refuse(entry: Entry, field: str, rule: str) -> Entry:
    """The same entry, with a reason why it cannot be folded."""
    return msgspec.structs.replace(entry, problem=Problem(field, rule))
