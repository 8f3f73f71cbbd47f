"""Intake: stream entries to events, each with what is wrong about it. Looks at one entry at a time and nothing else."""

from typing import Any

import msgspec

from projections.hashing import body_hash, id_hash
from projections.names import FIELD
from schemas.codec import decode, encode
from schemas.errors import InvalidEvent, Problem
from schemas.events import AnyEvent
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
