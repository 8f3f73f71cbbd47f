"""A position: an event's place in the log. It is totally ordered within a shard and never changes once archived."""

import itertools
from collections.abc import Iterable
from typing import NamedTuple

SEQ_MAX = (1 << 63) - 1
EPOCH_MAX = (1 << 31) - 1
"""Of the number of a shard, too: the database keeps both in 32 bits."""


class Position(NamedTuple):
    """(epoch, shard, ms, seq); ms is the entry's recorded time, epoch milliseconds, as the log's Redis set it.

    Written `epoch.shard.ms-seq`, for example `1.0.1763840000000-0`.
    """

    epoch: int
    shard: int
    ms: int
    seq: int

    @property
    def entry(self) -> str:
        """The stream entry id, `ms-seq`."""
        return f"{self.ms}-{self.seq}"

    def __str__(self) -> str:
        return f"{self.epoch}.{self.shard}.{self.ms}-{self.seq}"

    @classmethod
    def parse(cls, text: str) -> "Position":
        """Reads what `str` wrote; raises ValueError on anything else."""
        head, _, seq = text.rpartition("-")
        parts = head.split(".")
        if len(parts) != 3 or not all(part.isdecimal() and part.isascii() for part in (*parts, seq)):
            raise ValueError("a position is written epoch.shard.ms-seq, such as 1.0.1763840000000-0")
        position = cls(int(parts[0]), int(parts[1]), int(parts[2]), int(seq))
        if str(position) != text:
            raise ValueError("the numbers of a position have no leading zeros")
        if max(position) > SEQ_MAX:
            raise ValueError("a part of a position is a 63-bit number at most")
        if max(position.epoch, position.shard) > EPOCH_MAX:
            raise ValueError("epoch and shard of a position are 31-bit numbers at most")
        return position


class Vector(tuple[Position, ...]):
    """Where the parts of a spread game are: positions of different shards, in their order. Of other games it is one.

    Written with commas between them: `1.0.1763840000000-0,1.1.1763840000007-0`.
    """

    __slots__ = ()

    def __str__(self) -> str:
        return ",".join(map(str, self))

    @classmethod
    def parse(cls, text: str) -> "Vector":
        """Reads what `str` wrote; raises ValueError on anything else."""
        found = cls(map(Position.parse, text.split(",")))
        if any(after.shard <= before.shard for before, after in itertools.pairwise(found)):
            raise ValueError("positions with commas between them are of different shards, in the order of the shards")
        return found

    def covers(self, others: "Vector") -> bool:
        """Whether who is here is at all of the others, or behind them."""
        if len(self) == 1:
            return self[0] >= max(others)
        mine = {position.shard: position for position in self}
        return all(position.shard in mine and mine[position.shard] >= position for position in others)

    @classmethod
    def highest(cls, positions: Iterable[Position]) -> "Vector":
        """The highest position of each shard."""
        found: dict[int, Position] = {}
        for position in positions:
            found[position.shard] = max(position, found.get(position.shard, position))
        return cls(found[shard] for shard in sorted(found))


def parse_entry(entry: bytes) -> tuple[int, int]:
    """(ms, seq) of a stream entry id such as b"1763840000000-0"."""
    ms, _, seq = entry.partition(b"-")
    return int(ms), int(seq or 0)
