"""What a shard consumer takes at once: how much, and which entries can be folded together."""

from collections.abc import Iterator
from itertools import groupby

from consumers.folding import CACHE_GAMES
from consumers.intake import Entry
from engine.corrections import CORRECTIONS
from engine.erasure import erases
from schemas.events import Close, Freeze, Player, RulesetChange, Thaw

APART = frozenset((RulesetChange, Player, Freeze, Thaw, Close, *CORRECTIONS))


class Limits:
    """How much a shard consumer takes at once and keeps."""

    def __init__(
        self, *, batch_events_max: int, cache_rows: int, keep_log_s: int, cache_games: int = CACHE_GAMES
    ) -> None:
        self.batch_events_max = batch_events_max
        self.cache_rows = cache_rows
        self.cache_games = cache_games
        self.keep_log_s = keep_log_s


def parts(entries: list[Entry]) -> Iterator[list[Entry]]:
    """Stretches of entries that can be folded together.

    A change of rules, the erasing of a player and what freezes or closes a board stand alone, corrections with their kind.
    """
    return (list(part) for _, part in groupby(entries, company))


def company(entry: Entry) -> object:
    """What the entries of a stretch have in common; None for those that most others may follow."""
    event = entry.event
    kind = type(event)
    if kind not in APART or (isinstance(event, Player) and not erases(event)):
        return None
    return kind if kind in CORRECTIONS else (entry.ms, entry.seq)
