"""Places in a ranking: rank, ties and windows, by the rank style, from ordinals and counts.

The stores (memory, Redis, PostgreSQL) answer with counts; here, and only here, they become ranks.
competition 1 2 2 4, dense 1 2 2 3, ordinal 1 2 3 4, modified 1 3 3 4.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import msgspec

LookupKind = Literal["player", "top", "after", "before", "at"]


class Lookup(NamedTuple):
    """One question to a ranking.

    player: his place, with `number` entries on each side; top: the first `number` entries; after / before: `number` entries
    behind or in front of the member `what`; at: `number` entries from the 0-based ordinal `what` on.
    """

    kind: LookupKind
    what: str | bytes | int
    number: int


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One line of a window. `ordinal` is 0-based, `rank` 1-based, `tied` whether others share the sort key's prefix."""

    player: str
    prefix: bytes
    extra: bytes
    ordinal: int
    rank: int
    tied: bool


class Window(msgspec.Struct, frozen=True):
    """A stretch of a ranking. `first` is the ordinal of its first entry, `total` the size of the ranking."""

    first: int
    total: int
    entries: list[Entry]


class Place(msgspec.Struct, frozen=True, gc=False):
    """A player's place. `tied` counts those with the same prefix, himself included.

    A hidden player's place is the one that he would have: he counts in `tied` and `total`, and the entries `around` are
    those that everybody sees, without him.
    """

    player: str
    prefix: bytes
    extra: bytes
    ordinal: int
    rank: int
    tied: int
    total: int
    around: Window | None
    hidden: bool = False


class Answer(NamedTuple):
    """What a ranking answers to several look-ups; `version` is that of the last publication that changed it.

    One that was merged has the sum of its parts' versions, and them in `versions`.
    """

    version: int
    total: int
    found: list[Place | Window | None]
    versions: tuple[int, ...] = ()

    def seen(self, beside: int = 0) -> tuple[int, ...]:
        """What it was read at, and how much else was `beside` it: as long as none of these grows, nothing is new."""
        if not self.versions:
            return (self.version + beside,)
        return (self.versions[0] + beside, *self.versions[1:])


def rank_of(style: str, ordinal: int, ahead: int, tied: int, dense: int) -> int:
    """The 1-based rank. `ahead` counts smaller prefixes, `tied` equal ones, `dense` the distinct smaller prefixes."""
    if style == "competition":
        return ahead + 1
    if style == "ordinal":
        return ordinal + 1
    return dense + 1 if style == "dense" else ahead + tied


def entries_of(
    style: str, members: Sequence[tuple[bytes, str, bytes]], first: int, ahead: int, dense: int, through: int
) -> list[Entry]:
    """Ranks of a window's (prefix, player, extra) lines.

    `ahead` and `dense` are those of the first line's prefix; `through` counts the entries up to and with those that share
    the last line's prefix, inside the window or behind it.
    """
    entries: list[Entry] = []
    index, count = 0, len(members)
    while index < count:
        prefix = members[index][0]
        end = index + 1
        while end < count and members[end][0] == prefix:
            end += 1
        start = ahead if index == 0 else first + index
        stop = through if end == count else first + end
        for at in range(index, end):
            rank = rank_of(style, first + at, start, stop - start, dense)
            _, player, extra = members[at]
            entries.append(Entry(player, prefix, extra, first + at, rank, stop - start > 1))
        index = end
        dense += 1
    return entries
