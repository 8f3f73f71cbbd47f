"""Lots: a draw that is the same whenever it is asked for, because its seed is part of the rules."""

import json
from hashlib import blake2b

LOT_BYTES = 8


def draw(seed: int, board: str, period: str, player: str) -> bytes:
    """A player's lot in a board and period; smaller bytes rank higher.

    Segments have no part in it: who is drawn before another in a board is so in every segment of it.
    """
    asked = json.dumps([seed, board, period, player]).encode()
    return blake2b(asked, digest_size=LOT_BYTES).digest()
