"""Head-to-head: who did better in the marks between those who are level on everything before.

That depends on the other players of the table, so it is no part of a player's own state: whenever a table with such a
criterion is settled, this pass goes over all of it and writes the criterion's slot into every key.
"""

from typing import TYPE_CHECKING

from engine.badges import bare
from engine.kept import Kept
from engine.marks import Mark
from engine.numbers import NONE_KEY, decode_int, encode_int
from engine.shapes import Row

if TYPE_CHECKING:
    from engine.boards import BoardPlan

PLAYERS_MAX = 1_000
"""With more ranked players than this in a table the criterion decides nothing there: the next one does."""

Criteria = list[tuple[bool, int]]
"""(whether descending, which of the board's metrics), in their order."""


def neutral(criteria: Criteria) -> bytes:
    """What stands in the slot of a player who is level with nobody."""
    return NONE_KEY * len(criteria)


def names(plan: "BoardPlan") -> list[str]:
    """What the numbers that decided are called where metrics are shown, each once."""
    metrics = [plan.metrics[metric].name for criteria in plan.head_to_heads for _, metric in criteria]
    return [f"head_to_head.{name}" for name in dict.fromkeys(metrics)]


def shown(plan: "BoardPlan", prefix: bytes) -> dict[str, int | str | None]:
    """The numbers in a key's slots as JSON shows them; null for who is level with nobody.

    Of a metric that two slots hold, the first one's.
    """
    found: dict[str, int | str | None] = {}
    for at, (kind, number) in enumerate(plan.order):
        if kind == "head_to_head":
            start = plan.start_of(at, prefix)
            for descending, metric in plan.head_to_heads[number]:
                value, start = decode_int(prefix, start)
                value = -value if descending and value is not None else value
                found.setdefault(f"head_to_head.{plan.metrics[metric].name}", plan.metrics[metric].shown(value))
    return found


def break_ties(plan: "BoardPlan", rows: dict[str, Row]) -> None:
    """Brings the head-to-head slots of all keys of a table up to date, in place. Players without a key are left out."""
    keys = {player: row.prefix for player, row in rows.items() if row.prefix is not None}
    for at, (kind, number) in enumerate(plan.order):
        if kind == "head_to_head":
            _break_ties_at(plan, at, plan.head_to_heads[number], rows, keys)
    for player, key in keys.items():
        rows[player].prefix = key


def _break_ties_at(
    plan: "BoardPlan", at: int, criteria: Criteria, rows: dict[str, Row], keys: dict[str, bytes]
) -> None:
    """One criterion: groups the keys by what stands before its slot, which earlier slots are part of."""
    level: dict[bytes, dict[str, bytes]] = {}
    for player, key in keys.items():
        start = plan.start_of(at, key)
        level.setdefault(key[:start], {})[player] = key[plan.behind(at, key, start) :]
    for before, group in level.items():
        for player, after in group.items():
            slot = neutral(criteria)
            if len(group) > 1 and len(keys) <= PLAYERS_MAX:
                slot = _slot(plan, criteria, rows[player], group)
            keys[player] = before + slot + after


def _slot(plan: "BoardPlan", criteria: Criteria, row: Row, group: dict[str, bytes]) -> bytes:
    assert isinstance(plan.shape, Kept)
    values = plan.shape.values([mark for mark in bare(row.state) if _opponent(mark) in group])
    parts = []
    for descending, metric in criteria:
        value = values[metric]
        parts.append(encode_int(-value if descending and value is not None else value))
    return b"".join(parts)


def _opponent(mark: Mark) -> str | None:
    """Whom the mark was made against. Adjustments are made against nobody."""
    if mark.adjusts or mark.attributes is None:
        return None
    opponent = mark.attributes.get("opponent")
    return None if opponent is None else str(opponent)
