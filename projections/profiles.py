"""Profiles in PostgreSQL: what events have said of players, and the status that holds for each."""

import msgspec

from engine.fold import Fold

ProfileLine = tuple[int, str, str | None, str, str, int]
"""(generation, player, name, attributes as JSON, status, version of the publication)."""

_encode = msgspec.json.Encoder().encode


def profile_rows(generation_id: int, fold: Fold, version: int) -> list[ProfileLine]:
    """Lines for `upsert_players`: what the staged events say of players, and the status that holds for each."""
    return [
        (
            generation_id,
            name,
            player.name,
            _encode(player.attributes or {}).decode(),
            fold.sanctions.get(name, "active"),
            version,
        )
        for name, player in fold.profiles.items()
    ]
