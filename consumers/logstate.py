"""What a shard's log says of itself, and whether it can be the log that was archived: judged without any server.

One of the two may be older than the other: the log's Redis was emptied or rewound, PostgreSQL was restored from a backup,
somebody trimmed the stream. What may be lost stops the shard, with the command that accepts the loss.
"""

from typing import NamedTuple

from projections.names import epoch_key, floor_key, holes_key, stream_key
from schemas.errors import LogBroken
from schemas.position import SEQ_MAX

Entry = tuple[int, int]
NOWHERE: Entry = (0, 0)
LATER = "Restore a later backup of PostgreSQL, or roll this one forward."


class LogState(NamedTuple):
    """What a shard's log says of itself.

    `floor`: nothing from it on was trimmed; None in a log that no consumer has seen. `holes`: nothing behind it was erased.
    `first`: its first entry. `at`: whether it has the entry of the archived position. `generated`: its newest id, deleted or
    not. `deleted`: the newest id that was deleted, where Redis (7 or newer) tells.
    """

    epoch: int | None
    floor: Entry | None
    holes: Entry
    first: Entry | None
    at: bool
    generated: Entry
    deleted: Entry = NOWHERE


def adopted(reached: Entry, found: LogState) -> Entry:
    """The floor of a log that has none: what it still has is whole, if it has the entry of the archived position."""
    return found.first if found.at and found.first is not None else reached


def trouble(shard: int, epoch: int, reached: Entry, found: LogState) -> LogBroken | None:
    """Why a log cannot be the one that was archived up to `reached`, if so."""
    return _of_epoch(shard, epoch, reached, found) or _of_position(shard, reached, found)


def _of_epoch(shard: int, epoch: int, reached: Entry, found: LogState) -> LogBroken | None:
    if found.epoch == epoch:
        return None
    if found.epoch == epoch - 1:
        return LogBroken(
            f"The log of shard {shard} is in epoch {found.epoch}, its archive in epoch {epoch}: a change of "
            "the number of shards was broken off.",
            "Run `rankfold reshard` again with the same number.",
        )
    if found.epoch is not None and found.epoch > epoch:
        return LogBroken(
            f"The log of shard {shard} is in epoch {found.epoch}, its archive in epoch {epoch}: PostgreSQL was restored from a "
            "backup that is older than the last change of the number of shards.",
            LATER,
        )
    return LogBroken(
        f"The log of shard {shard} has lost its epoch key {epoch_key(shard)}: its Redis was emptied or replaced.",
        "What was archived is safe. Restore the log's data, or, if what was not yet archived is gone for good, "
        f"run: redis-cli MSET {epoch_key(shard)} {epoch} {floor_key(shard)} {written(reached)}",
    )


def _of_position(shard: int, reached: Entry, found: LogState) -> LogBroken | None:
    floor = found.floor
    if floor is None and found.first is None:
        # Emptied, and told by its epoch that it is to go on.
        return None
    here, accept = written(reached), f"redis-cli SET {floor_key(shard)} {written(reached)}"
    if found.generated == NOWHERE < reached and floor is not None and floor < reached:
        return LogBroken(
            f"The stream {stream_key(shard)} was deleted. What was archived, up to {here}, is safe.",
            f"Restore the log's data. If what was not yet archived is gone for good, run: {accept}",
        )
    if found.generated < reached and not (found.first is None and floor is not None and floor >= reached):
        return LogBroken(
            f"The log of shard {shard} ends before the archived position {here}: it was rewound.",
            "Restore the newer data of the log's Redis. If that is gone for good, what was archived is safe, and the rest has "
            f"to be published again; run: redis-cli XSETID {stream_key(shard)} {here} && {accept}",
        )
    behind = written(found.first) if found.first is not None and found.first > reached else "the end"
    if found.holes > reached:
        return LogBroken(
            f"PostgreSQL is at {here} of shard {shard}, and entries up to {written(found.holes)} were rewritten by an erasure "
            "since and are no longer in the log: it was restored from an older backup.",
            f"{LATER} If there is none, the events that named the erased are lost; run: redis-cli DEL {holes_key(shard)}",
        )
    if floor is not None and floor > reached and (found.first is None or found.first > reached):
        return LogBroken(
            f"PostgreSQL is at {here} of shard {shard}, and the log begins at {behind}: it was restored from a backup that is "
            f"older than what the log keeps (RANKFOLD_KEEP_LOG_S). Missing: what lies behind {here} and before {behind}.",
            f"{LATER} If there is none, what is missing is lost unless it is published again; to go on without, run: {accept}",
        )
    if reached != NOWHERE and not found.at and floor is not None and max(floor, found.holes) < reached:
        return LogBroken(
            f"The entry of the archived position {here} is no longer in the log of shard {shard}, and not trimmed by Rankfold: "
            f"older data of the log's Redis is running, or somebody else trims it. What lies before {behind} may be missing.",
            f"Restore the newer data of the log's Redis. If nothing is missing, or it is gone for good, run: {accept}",
        )
    return None


def written(entry: tuple[int, ...]) -> str:
    return f"{min(entry[0], SEQ_MAX)}-{min(entry[1], SEQ_MAX)}"
