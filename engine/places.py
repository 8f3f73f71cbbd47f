"""Places in a ranking: rank, ties and windows, by the rank style, from ordinals and counts.

The stores (memory, Redis, PostgreSQL) answer with counts; here, and only here, they become ranks.
competition 1 2 2 4, dense 1 2 2 3, ordinal 1 2 3 4, modified 1 3 3 4.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import msgspec

from engine.keys import member, split_all

LookupKind = Literal["player", "guest", "top", "after", "before", "at"]


class Lookup(NamedTuple):
    """One question to a ranking.

    player: his place, with `number` entries on each side; guest: the same for the member `what`, who is in another part of the
    ranking, as if he were hidden here; top: the first `number` entries; after / before: `number` entries
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


class Columns(NamedTuple):
    """The entries of a window by what is said of them. `extras` may be empty: then there is nothing beside any key."""

    players: list[str]
    prefixes: list[bytes]
    extras: list[bytes]
    ranks: Sequence[int]
    tied: Sequence[bool]


class Told(NamedTuple):
    """A window as a store tells of it: members in order, counts as `standings_of` takes them, `extras` as columns have them."""

    style: str
    members: list[bytes]
    ahead: int
    dense: int
    through: int
    extras: list[bytes]


class Window:
    """A stretch of a ranking. `first` is the ordinal of its first entry, `total` the size of the ranking.

    It is what a store told; columns and entries are made for who asks for them.
    """

    __slots__ = ("_columns", "_entries", "first", "told", "total")

    def __init__(self, first: int, total: int, entries: list[Entry] | None = None, told: Told | None = None) -> None:
        self.first = first
        self.total = total
        self.told = told
        self._entries = entries
        self._columns: Columns | None = None

    @property
    def entries(self) -> list[Entry]:
        """One by one."""
        if self._entries is None:
            self._entries = _joined(self.columns, self.first)
        return self._entries

    @property
    def columns(self) -> Columns:
        """The same by columns."""
        if self._columns is None and self.told is not None:
            self._columns = _columns(self.told, self.first)
        if self._columns is None:
            rows = [(each.player, each.prefix, each.extra, each.rank, each.tied) for each in self._entries or ()]
            columns = map(list, zip(*rows, strict=True)) if rows else ([] for _ in Columns._fields)
            self._columns = Columns(*columns)
        return self._columns

    @property
    def members(self) -> list[bytes]:
        """The same as members of the ranking."""
        if self.told is not None:
            return self.told.members
        return [member(each.prefix, each.player) for each in self.entries]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Window):
            return NotImplemented
        return (self.first, self.total, self.entries) == (other.first, other.total, other.entries)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Window({self.first}, {self.total}, {self.entries})"


def _columns(told: Told, first: int) -> Columns:
    prefixes, players = split_all(told.members)
    return Columns(
        players, prefixes, told.extras, *standings_of(told.style, prefixes, first, told.ahead, told.dense, told.through)
    )


def _joined(columns: Columns, first: int) -> list[Entry]:
    players, prefixes, extras, ranks, tied = columns
    lines = zip(players, prefixes, extras or [b""] * len(players), ranks, tied, strict=True)
    return [
        Entry(player, prefix, extra, ordinal, rank, shares)
        for ordinal, (player, prefix, extra, rank, shares) in enumerate(lines, first)
    ]


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


def ahead_of(style: str, place: Place) -> int:
    """How many are better. Dense and ordinal ranks do not tell, so there the ordinal decides, even among the tied."""
    if style == "competition":
        return place.rank - 1
    return place.rank - place.tied if style == "modified" else place.ordinal


def standings_of(
    style: str, prefixes: Sequence[bytes], first: int, ahead: int, dense: int, through: int
) -> tuple[Sequence[int], Sequence[bool]]:
    """Of a window's prefixes: (ranks, whether others share the prefix).

    `ahead` and `dense` are those of the first prefix; `through` counts the entries up to and with those that share the last
    one, inside the window or behind it.
    """
    index, count = 0, len(prefixes)
    if ahead == first and through == first + count and len(set(prefixes)) == count:
        # Nobody is level with anybody.
        start = (dense if style == "dense" else first) + 1
        return range(start, start + count), [False] * count
    ranks: list[int] = []
    tied: list[bool] = []
    while index < count:
        prefix = prefixes[index]
        end = index + 1
        while end < count and prefixes[end] == prefix:
            end += 1
        start = ahead if index == 0 else first + index
        stop = through if end == count else first + end
        ranks += [rank_of(style, first + at, start, stop - start, dense) for at in range(index, end)]
        tied += [stop - start > 1] * (end - index)
        index = end
        dense += 1
    return ranks, tied


def entries_of(
    style: str, members: Sequence[tuple[bytes, str, bytes]], first: int, ahead: int, dense: int, through: int
) -> list[Entry]:
    """Ranks of a window's (prefix, player, extra) lines; the counts are those of `standings_of`."""
    ranks, tied = standings_of(style, [prefix for prefix, _, _ in members], first, ahead, dense, through)
    return [
        Entry(player, prefix, extra, ordinal, rank, shares)
        for ordinal, ((prefix, player, extra), rank, shares) in enumerate(zip(members, ranks, tied, strict=True), first)
    ]
