"""The digest of a game's projections: equal if and only if every row of every ranking is.

The sum of one hash a row, so rows may come in any order and from anywhere: memory, a table, several shards.
"""

from collections.abc import Iterable
from hashlib import blake2b

from engine.fold import Fold
from engine.tables import TableName

_MODULUS = 1 << 128
Stored = tuple[bytes | None, bytes, bytes, bytes | None]
"""(prefix, extra, state, hidden) of a row."""


class Digest:
    """Adds up rows."""

    def __init__(self) -> None:
        self._sum = 0
        self.rows = 0

    def add(self, name: TableName, player: str, row: Stored) -> None:
        """Takes one row into account."""
        self._sum += row_hash(name, player, *row)
        self.rows += 1

    def add_hashes(self, hashes: Iterable[int]) -> None:
        """Takes rows into account whose hashes are known."""
        for value in hashes:
            self._sum += value
            self.rows += 1

    def __str__(self) -> str:
        return f"{self._sum % _MODULUS:032x}"


def total_of(digests: Iterable[str]) -> str:
    """The digest of all rows of several digests."""
    return f"{sum(int(digest, 16) for digest in digests) % _MODULUS:032x}"


def says_nothing(prefix: bytes | None, state: bytes, hidden: bytes | None) -> bool:
    """Whether a row is as good as missing: without a state, in a copy, and without a place."""
    return not state and prefix is None and hidden is None


_hasher = blake2b(digest_size=16)
# To copy one takes less time than to make one.


def row_hash(
    name: TableName, player: str, prefix: bytes | None, extra: bytes, state: bytes, hidden: bytes | None
) -> int:
    """128 bits over everything that a row holds; lengths keep the parts apart."""
    board, period, segment = name
    head = f"{board}\0{period}\0{segment}\0{player}\0".encode()
    key = b"-" if prefix is None else b"+%d:%b" % (len(prefix), prefix)
    if hidden is not None:
        key = b"~%d:%b" % (len(hidden), hidden)
    hasher = _hasher.copy()
    hasher.update(b"%b%b%d:%b%b" % (head, key, len(extra), extra, state))
    return int.from_bytes(hasher.digest())


def digest_of(state: Fold) -> Digest:
    """The digest of a fold in memory."""
    digest = Digest()
    for name, table in state.tables.items():
        dump = table.shape.dump
        for player, row in table.rows.items():
            state_bytes = dump(row.state)
            if not says_nothing(row.prefix, state_bytes, row.hidden):
                digest.add(name, player, (row.prefix, row.extra, state_bytes, row.hidden))
    return digest
