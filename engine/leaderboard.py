"""A ranking in memory, on sortedcontainers: the same answers as the rankings in Redis and PostgreSQL."""

from sortedcontainers import SortedKeyList, SortedList

from engine.keys import PREFIX_END, member, split
from engine.places import Answer, Lookup, Place, Window, entries_of, rank_of


class Leaderboard:
    """Players in the order of their sort keys. All operations are O(log n), windows O(log n + length)."""

    def __init__(self, style: str = "competition") -> None:
        self.style = style
        self.version = 0
        self._members: SortedList = SortedList()
        self._places: dict[str, tuple[bytes, bytes]] = {}
        self._distinct: SortedKeyList = SortedKeyList(key=lambda item: item)
        self._hidden: dict[str, tuple[bytes, bytes]] = {}

    def __len__(self) -> int:
        return len(self._members)

    def set(self, player: str, prefix: bytes | None, extra: bytes = b"", hidden: bytes | None = None) -> None:
        """Moves a player to the place of `prefix`; None removes him. `hidden` is the prefix of one who is not shown."""
        self._hidden.pop(player, None)
        if hidden is not None:
            self._hidden[player] = (hidden, extra)
        held = self._places.pop(player, None)
        if held is not None:
            self._members.remove(member(held[0], player))
            if self._count_tied(held[0]) == 0:
                self._distinct.remove(held[0])
        if prefix is not None:
            if self._count_tied(prefix) == 0:
                self._distinct.add(prefix)
            self._members.add(member(prefix, player))
            self._places[player] = (prefix, extra)

    def _ahead(self, prefix: bytes) -> int:
        return int(self._members.bisect_left(prefix))

    def _through(self, prefix: bytes) -> int:
        return int(self._members.bisect_left(prefix + PREFIX_END))

    def _count_tied(self, prefix: bytes) -> int:
        return self._through(prefix) - self._ahead(prefix)

    def place(self, player: str, around: int = 0) -> Place | None:
        """A player's place, or None when he is not ranked."""
        held = self._places.get(player)
        if held is None:
            absent = self._hidden.get(player)
            return None if absent is None else self._absent_place(player, *absent, around)
        prefix, extra = held
        ordinal = int(self._members.index(member(prefix, player)))
        ahead = self._ahead(prefix)
        tied = self._through(prefix) - ahead
        rank = rank_of(self.style, ordinal, ahead, tied, int(self._distinct.bisect_left(prefix)))
        first = max(0, ordinal - around)
        window = self.window(first, ordinal + around - first + 1) if around else None
        return Place(player, prefix, extra, ordinal, rank, tied, len(self), window)

    def _absent_place(self, player: str, prefix: bytes, extra: bytes, around: int) -> Place:
        """The place that somebody would have among those who are shown."""
        ordinal = int(self._members.bisect_left(member(prefix, player)))
        ahead = self._ahead(prefix)
        tied = self._through(prefix) - ahead + 1
        rank = rank_of(self.style, ordinal, ahead, tied, int(self._distinct.bisect_left(prefix)))
        first = max(0, ordinal - around)
        window = self.window(first, ordinal + around - first) if around else None
        return Place(player, prefix, extra, ordinal, rank, tied, len(self) + 1, window, hidden=True)

    def window(self, first: int, limit: int) -> Window:
        """`limit` entries from the 0-based ordinal `first` on."""
        lines = []
        for data in self._members[first : first + limit] if limit > 0 else ():
            prefix, player = split(data)
            lines.append((prefix, player, self._places[player][1]))
        if not lines:
            return Window(first, len(self), [])
        ahead = self._ahead(lines[0][0])
        dense = int(self._distinct.bisect_left(lines[0][0]))
        entries = entries_of(self.style, lines, first, ahead, dense, self._through(lines[-1][0]))
        return Window(first, len(self), entries)

    def lookup(self, lookups: list[Lookup]) -> Answer:
        """Answers as the stores do."""
        return Answer(self.version, len(self), [self._find(lookup) for lookup in lookups])

    def _find(self, lookup: Lookup) -> Place | Window | None:
        kind, what, number = lookup
        if isinstance(what, str):
            return self.place(what, number)
        if isinstance(what, int):
            return self.window(what if kind == "at" else 0, number)
        if kind == "guest":
            prefix, player = split(what)
            return self._absent_place(player, prefix, b"", number)
        if kind == "after":
            return self.window(int(self._members.bisect_right(what)), number)
        ahead = int(self._members.bisect_left(what))
        first = max(0, ahead - number)
        return self.window(first, ahead - first)

    def check(self) -> None:
        """Raises AssertionError when the structures disagree with each other."""
        self._members._check()  # noqa: SLF001 - sortedcontainers offers its check for tests
        self._distinct._check()  # noqa: SLF001
        assert len(self._members) == len(self._places)
        assert {split(data) for data in self._members} == {(held[0], who) for who, held in self._places.items()}
        assert self._hidden.keys().isdisjoint(self._places)
        assert list(self._distinct) == sorted({held[0] for held in self._places.values()})
