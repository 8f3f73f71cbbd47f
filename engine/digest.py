"""The digest of a game's projections: equal if and only if every row of every ranking is.

The sum of one hash a row, so rows may come in any order and from anywhere: memory, a table, several shards.
"""

import struct
from collections.abc import Iterable
from hashlib import sha256

from engine.fold import Fold
from engine.tables import TableName

_MODULUS = 1 << 128
_HALVES = struct.Struct(">qq").unpack_from


class Digest:
    """Adds up hashes of rows."""

    def __init__(self, rows: int = 0, total: int = 0) -> None:
        self._sum = total
        self.rows = rows

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


def whole_of(high: int, low: int) -> int:
    """The hash, or the sum of hashes, of which these are the halves, or their sums."""
    return (high << 64) + low


def says_nothing(prefix: bytes | None, state: bytes, hidden: bytes | None) -> bool:
    """Whether a row is as good as missing: without a state, in a copy, and without a place."""
    return not state and prefix is None and hidden is None


def head_of(name: TableName) -> bytes:
    """What the hashes of all rows of a ranking begin with."""
    return "".join(f"{part}\0" for part in name).encode()


def row_hash(head: bytes, player: str, prefix: bytes | None, extra: bytes, state: bytes, hidden: bytes | None) -> int:
    """128 bits over everything that a row holds; lengths keep the parts apart. PostgreSQL has to come to the same, and has only
    integers of 64 bits with a sign: the halves are two of them."""
    place = b"-" if prefix is None else b"+%b%b" % (len(prefix).to_bytes(4), prefix)
    covered = b"-" if hidden is None else b"+%b%b" % (len(hidden).to_bytes(4), hidden)
    content = b"".join((head, player.encode(), b"\0", place, covered, len(extra).to_bytes(4), extra, state))
    return whole_of(*_HALVES(sha256(content).digest()))


def digest_of(state: Fold) -> Digest:
    """The digest of a fold in memory."""
    digest = Digest()
    for name, table in state.tables.items():
        head, dump, hashes = head_of(name), table.shape.dump, []
        for player, row in table.rows.items():
            state_bytes = dump(row.state)
            if not says_nothing(row.prefix, state_bytes, row.hidden):
                hashes.append(row_hash(head, player, row.prefix, row.extra, state_bytes, row.hidden))
        digest.add_hashes(hashes)
    return digest
