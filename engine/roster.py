"""The roster: what the log says of players themselves: profiles, and who is hidden, banned or erased."""

import msgspec

from schemas.events import Player, PlayerStatus
from schemas.language import Ruleset


class Roster:
    """Profiles and sanctions of a fold.

    `profiles` holds the players that events said something of (live: since the last batch), `sanctions` everybody whose
    status is not active, `restated` those whose places must be settled anew.
    """

    def __init__(self, rules: Ruleset) -> None:
        self.profiles: dict[str, Player] = {}
        self.sanctions: dict[str, PlayerStatus] = {}
        self.restated: set[str] = set()
        self._stands = rules.erased == "stand"

    def stage(self, event: Player) -> None:
        """Takes over what an event says; absent fields stay as they were."""
        earlier = self.profiles.get(event.player)
        merged = event
        if earlier is not None:
            attributes = {**(earlier.attributes or {}), **(event.attributes or {})}
            merged = msgspec.structs.replace(event, name=event.name or earlier.name, attributes=attributes)
        self.profiles[event.player] = merged
        if event.status is None:
            return
        if event.status == "active":
            self.sanctions.pop(event.player, None)
        else:
            self.sanctions[event.player] = event.status
        self.restated.add(event.player)

    def rename(self, before: str, after: str, event: Player) -> None:
        """Takes over that an event erases a player: of his profile nothing stays but the status, under another id."""
        self.profiles.pop(before, None)
        self.restated.discard(before)
        self.sanctions.pop(before, None)
        self.stage(msgspec.structs.replace(event, player=after, name=None, attributes=None, reason=None))

    def placed(self, player: str, prefix: bytes | None) -> tuple[bytes | None, bytes | None]:
        """(the sort key's prefix that is shown, the one that only he himself is ranked by) of a sanctioned player."""
        status = self.sanctions[player]
        if status == "hidden":
            return None, prefix
        return (prefix if status == "erased" and self._stands else None), None
