"""Spread games: which part of one a player belongs to. Part p of so many is what lives on shard p.

What is about one player goes to his part. Everything else goes to every part, and each takes of it what its own players get.
"""

import zlib
from collections.abc import Callable

from engine.erasure import FOREIGN, MARK, erases, given_at
from schemas.events import Adjustment, Event, Pick, Player, Score

Owns = Callable[[str], bool]


def part_of(player: str, parts: int) -> int:
    """The part that a player belongs to, by the CRC-32 of his id; an erased one stays where he was."""
    if player.startswith(MARK) and (at := given_at(player)) is not None and at.shard < parts:
        return at.shard
    return zlib.crc32(player.encode()) % parts


def owner(part: int, parts: int) -> Owns | None:
    """Whether a player belongs to a part; None for a game that is not spread, to whose only part all belong."""
    if parts == 1:
        return None
    return lambda player: part_of(player, parts) == part and not player.startswith(FOREIGN)


def goes_with(event: Event) -> str | None:
    """The player whose part an event goes to; None when it goes to all, as whatever names several players does.

    So does what erases one: results that every part has name him.
    """
    if isinstance(event, Score | Pick | Adjustment | Player) and not erases(event):
        return event.player
    return None
