"""The names of keys in Redis, and the shard of a game. Braces are hash tags: what belongs together stays together."""

import zlib

FIELD = b"event"
"""The one field of a stream entry; it holds the event as JSON or MessagePack."""

REBUILD_KEY = "rankfold:rebuild"
"""A set of ranking ids that a reader missed; whoever writes the rankings rebuilds them."""


def shard_of(game: str, shards: int) -> int:
    """The shard that a game lives on, by the CRC-32 of its name."""
    return zlib.crc32(game.encode()) % shards


def stream_key(shard: int) -> str:
    """The stream of a shard."""
    return f"rankfold:log:{{{shard}}}"


def epoch_key(shard: int) -> str:
    """Holds the epoch of a shard; it is missing only when the log's Redis has lost its data."""
    return f"rankfold:log:{{{shard}}}:epoch"


def closed_key(shard: int) -> str:
    """Is there while nothing may be appended to a shard over HTTP, because the number of shards is being changed."""
    return f"rankfold:log:{{{shard}}}:closed"


def floor_key(shard: int) -> str:
    """Holds the entry id up to which entries may have been trimmed from a shard's stream: all of them were archived."""
    return f"rankfold:log:{{{shard}}}:floor"


def holes_key(shard: int) -> str:
    """Holds the last entry id that an erasure has deleted from a shard's stream."""
    return f"rankfold:log:{{{shard}}}:holes"


def archived_key(shard: int) -> str:
    """Holds "<epoch> <entry id> <version>": how far a shard was archived at least."""
    return f"rankfold:log:{{{shard}}}:archived"


def reservation_key(shard: int, game: str, event_id: str) -> str:
    """Holds what an event id was used for, until the archive knows it."""
    return f"rankfold:log:{{{shard}}}:id:{game}:{event_id}"


def ranking_keys(ranking_id: int, suffix: str = "") -> tuple[str, str, str, str]:
    """(members, places, distinct prefixes, hidden places) of a ranking; `suffix` marks copies that are being built."""
    tag = f"rankfold:{{{ranking_id}}}"
    return f"{tag}:z{suffix}", f"{tag}:h{suffix}", f"{tag}:d{suffix}", f"{tag}:x{suffix}"


def snapshot_suffix(version: int) -> str:
    """Marks the copy of a ranking as it was displayed in a version."""
    return f"@{version}"


def applied_key(shard: int) -> str:
    """Holds "<version> <position> <profiles>": what every ranking of the shard shows at least."""
    return f"rankfold:applied:{shard}"


def circuit_key(shard: int) -> str:
    """Holds, while a shard's consumer cannot fold, why that is; in the rankings' Redis, and gone soon after its last word."""
    return f"rankfold:circuit:{shard}"
