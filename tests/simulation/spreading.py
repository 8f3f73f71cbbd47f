"""Spread games, for the auditor: where a player belongs, and which shard an event is for.

A second implementation for checking the first: nothing here may come from `engine`.
"""

import zlib

from schemas.events import Adjustment, AnyEvent, Pick, Player, Score

ELSEWHERE = "erased-elsewhere-"
"""How a part calls an erased player who does not belong to it."""


def part_of(player: str, parts: int) -> int:
    """The part that a player belongs to who has not been erased."""
    return zlib.crc32(player.encode()) % parts


def belongs(player: str, part: int, parts: int) -> bool:
    """Whether a part has the marks of a player as it calls him: erased ones have got their ids from the part itself."""
    if parts == 1:
        return True
    if player.startswith("erased-"):
        return not player.startswith(ELSEWHERE)
    return part_of(player, parts) == part


def home_of(event: AnyEvent, parts: int) -> int | None:
    """The only part that may have an event; None when it is for all, as in a game of one part."""
    if parts == 1 or not isinstance(event, Score | Pick | Adjustment | Player):
        return None
    if isinstance(event, Player) and event.status == "erased":
        return None
    return part_of(event.player, parts)
