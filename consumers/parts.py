"""What a shard consumer takes at once: how much, and which entries can be folded together."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from consumers.folding import CACHE_GAMES
from consumers.intake import Entry, Mixed, Plain, Taken
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


def parts(stretches: Iterable[Taken]) -> Iterator[tuple[Entry | None, list[Taken]]]:
    """What can be folded together; with the first entry of it where that has to stand apart from all others.

    A change of rules, the erasing of a player and what freezes or closes a board stand alone, corrections with their kind.
    """
    together: list[Taken] = []
    for stretch in stretches:
        if isinstance(stretch, Plain):
            together.append(stretch)
            continue
        for kind, group in groupby(stretch, company):
            entries = Mixed(group)
            if kind is None:
                together.append(entries)
                continue
            if together:
                yield None, together
            together = []
            yield entries[0], [entries]
    if together:
        yield None, together


def company(entry: Entry) -> object:
    """What the entries of a stretch have in common; None for those that most others may follow."""
    event = entry.event
    kind = type(event)
    if kind not in APART or (isinstance(event, Player) and not erases(event)):
        return None
    return kind if kind in CORRECTIONS else (entry.ms, entry.seq)
