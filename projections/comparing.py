"""Two states of a ranking side by side: who stands where in each, and who moved."""

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from engine.boards import BoardPlan
from engine.places import entries_of
from engine.tables import TableName

Line = tuple[bytes, bytes]
"""(prefix, extra) of a player who is shown."""

Lines = dict[str, Line]
LAST = 1 << 62


class Standing(msgspec.Struct, frozen=True):
    """A place: rank and metrics."""

    rank: int
    metrics: dict[str, int | str | None]


class Move(msgspec.Struct, frozen=True):
    """A player whose place would be another one; `before` or `after` is null where he has none. `moved` counts ranks upwards.

    `changed` says that his own metrics or standing differ; others only make room.
    """

    board: str
    period: str
    segment: str
    player: str
    name: str | None
    before: Standing | None
    after: Standing | None
    moved: int | None
    changed: bool


Pair = tuple[TableName, BoardPlan, Lines, Lines]
"""A ranking, how it is ordered afterwards, and who is shown before and afterwards."""


async def compare(
    pairs: Sequence[Pair],
    changed: Mapping[TableName, set[str]],
    limit: int,
    *,
    plans_before: Mapping[str, BoardPlan] | None = None,
) -> tuple[list[Move], int]:
    """The first `limit` moves, by board, period, segment and new rank, and how many there are.

    Those whose own metrics differ come before those who only make room, when not all can be listed. `changed` names them,
    by ranking; where it does not, the metrics tell. `plans_before` are those by which the earlier states are ordered.
    """
    found: list[Move] = []
    total = 0
    for name, plan, before, after in sorted(pairs, key=lambda pair: pair[0]):
        earlier = plan if plans_before is None else plans_before[name[0]]
        moves = await asyncio.to_thread(_moves, name, earlier, plan, before, after, changed.get(name))
        total += len(moves)
        found = sorted([*found, *moves], key=_urgency)[:limit]
    return sorted(found, key=_order), total


def _urgency(move: Move) -> tuple[bool, tuple[str, str, str, int, str]]:
    return not move.changed, _order(move)


def _order(move: Move) -> tuple[str, str, str, int, str]:
    return move.board, move.period, move.segment, LAST if move.after is None else move.after.rank, move.player


def _moves(
    name: TableName, earlier: BoardPlan, later: BoardPlan, before: Lines, after: Lines, changed: set[str] | None
) -> list[Move]:
    was, now = _ranks(earlier.style, before), _ranks(later.style, after)
    found = []
    for player in was.keys() | now.keys():
        if earlier is later and was.get(player) == now.get(player) and before.get(player) == after.get(player):
            continue
        old = Standing(was[player], earlier.decode(*before[player])) if player in was else None
        new = Standing(now[player], later.decode(*after[player])) if player in now else None
        if old == new:
            continue
        own = player in changed if changed is not None else (old and old.metrics) != (new and new.metrics)
        moved = old.rank - new.rank if old is not None and new is not None else None
        found.append(Move(*name, player, None, old, new, moved, own))
    return found


def _ranks(style: str, lines: Lines) -> dict[str, int]:
    ordered = sorted((prefix, player, b"") for player, (prefix, _) in lines.items())
    return {entry.player: entry.rank for entry in entries_of(style, ordered, 0, 0, 0, len(ordered))}
