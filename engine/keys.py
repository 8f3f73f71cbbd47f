"""Members: a sort key's prefix, the player id and the prefix's length, as one byte string.

Smaller bytes rank higher. The two bytes of length at the end let whoever reads a member split it; they cannot change the
order, since ids hold no byte below 32 and no prefix is longer than PREFIX_BYTES_MAX.
"""

PREFIX_BYTES_MAX = 0x1FFF
PREFIX_END = b"\xff"
"""Behind every member with a prefix: UTF-8 never holds this byte."""


def member(prefix: bytes, player: str) -> bytes:
    """The member of a ranking for a player whose sort key starts with `prefix`."""
    return b"%b%b%b" % (prefix, player.encode(), len(prefix).to_bytes(2, "big"))


def split(data: bytes) -> tuple[bytes, str]:
    """(prefix, player) of a member; raises ValueError when it is none."""
    size = int.from_bytes(data[-2:], "big")
    if len(data) < 2 or size > len(data) - 2:
        raise ValueError("not a member of a ranking")
    return data[:size], data[size:-2].decode()


def split_all(members: list[bytes]) -> tuple[list[bytes], list[str]]:
    """(prefixes, players) of the members of a ranking. Written out because every line of every page comes by here."""
    sizes = [data[-2] << 8 | data[-1] for data in members]
    prefixes = [data[:size] for data, size in zip(members, sizes, strict=True)]
    return prefixes, [data[size:-2].decode() for data, size in zip(members, sizes, strict=True)]
