"""What a generation holds beside its standings, kind by kind, side by side with a fold: badges, contests, picks, rejections,
players, voided events, closes, and when places change by themselves. Writes nothing."""

from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from itertools import chain
from typing import Any, NamedTuple

import msgspec

from engine.digest import Digest, total_of
from engine.fold import Fold
from projections.contests import fixture_line, pick_line
from projections.database import Connection, pieces, queries
from projections.share import WHOLE, Share
from schemas.position import Position

Q = queries("ledgers")
PIECE = 5_000
Key = tuple[str, ...]
"""(board, period, player, what else tells it apart)."""

Cells = tuple[Any, ...]


class Kind(NamedTuple):
    """One kind of rows: how many a generation holds, its digest, and that of a fold."""

    name: str
    rows: int
    live_digest: str
    replayed_digest: str


class Unlike(NamedTuple):
    """A row that a generation and a fold do not have alike; "-" where one has none."""

    kind: str
    key: Key
    live: str
    replayed: str


class _Ledger(NamedTuple):
    """A table: the rows that a fold has in it, what tells a row apart, and a stored row as a fold would have it."""

    name: str
    expected: Callable[[Fold], Iterable[Cells]]
    key: Callable[[Cells], Key]
    stored: Callable[[Any], Cells] = tuple


def together(parts: Sequence[Sequence[Kind]]) -> list[Kind]:
    """The kinds of all parts of a spread game, each with the rows and digests of all."""
    found: dict[str, list[Kind]] = {}
    for kind in chain.from_iterable(parts):
        found.setdefault(kind.name, []).append(kind)
    return [
        Kind(
            name,
            sum(kind.rows for kind in kinds),
            total_of(kind.live_digest for kind in kinds),
            total_of(kind.replayed_digest for kind in kinds),
        )
        for name, kinds in found.items()
    ]


async def compare(
    connection: Connection, generation_id: int, fold: Fold, limit: int, share: Share = WHOLE
) -> tuple[list[Kind], list[Unlike]]:
    """Every kind with its digests, and the first `limit` rows of each that differ; of what a share gives account of."""
    kinds, unlike = [], []
    for ledger in _LEDGERS:
        kind, found = await _compare(connection, generation_id, fold, ledger, limit, share)
        kinds.append(kind)
        unlike += found
    return kinds, unlike


async def _compare(
    connection: Connection, generation_id: int, fold: Fold, ledger: _Ledger, limit: int, share: Share
) -> tuple[Kind, list[Unlike]]:
    keyed = ((ledger.key(cells), cells) for cells in ledger.expected(fold))
    expected = {key: cells for key, cells in keyed if share.tells(key[2])}
    replayed, live = Digest(), Digest()
    replayed.add_hashes(_hash(cells) for cells in expected.values())
    found: list[Unlike] = []
    async for rows in pieces(connection, Q[ledger.name], generation_id, size=PIECE):
        for cells in map(ledger.stored, rows):
            key = ledger.key(cells)
            if not share.tells(key[2]):
                continue
            live.add_hashes((_hash(cells),))
            mine = expected.pop(key, None)
            if mine != cells and len(found) < limit:
                found.append(Unlike(ledger.name, key, _words(cells), "-" if mine is None else _words(mine)))
    for key, cells in expected.items():
        if len(found) >= limit:
            break
        found.append(Unlike(ledger.name, key, "-", _words(cells)))
    return Kind(ledger.name, live.rows, str(live), str(replayed)), found


def _hash(cells: Cells) -> int:
    return int.from_bytes(blake2b(_encode(cells), digest_size=16).digest())


_encode = msgspec.json.Encoder().encode


def _words(cells: Cells) -> str:
    shown = (cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell) for cell in cells)
    return " ".join(shown)[:200]


def _badges(fold: Fold) -> Iterable[Cells]:
    return ((award.board, award.period, award.player, award.badge, *award.moment) for award in fold.awards)


def _fixtures(fold: Fold) -> Iterable[Cells]:
    return (fixture_line(0, contest)[1:] for contest in fold.contests.values())


def _picks(fold: Fold) -> Iterable[Cells]:
    return (pick_line(0, line)[1:] for line in fold.settlement.book.lines())


def _rejections(fold: Fold) -> Iterable[Cells]:
    return ((*one.position, one.event, one.player, one.field, one.reason) for one in fold.rejections)


def _players(fold: Fold) -> Iterable[Cells]:
    joined = fold.settlement.book.joined
    for player in fold.profiles.keys() | joined.keys():
        said = fold.profiles.get(player)
        name, attributes = (None, None) if said is None else (said.name, said.attributes)
        yield player, name, _ordered(attributes or {}), fold.sanctions.get(player, "active"), joined.get(player)


def _player_row(row: Cells) -> Cells:
    return (*row[:2], _ordered(msgspec.json.decode(row[2])), *row[3:])


def _ordered(attributes: dict[str, Any]) -> str:
    return _encode(sorted(attributes.items())).decode()


def _voided(fold: Fold) -> Iterable[Cells]:
    return ((event,) for event in fold.corrections.voided)


def _closes(fold: Fold) -> Iterable[Cells]:
    return ((*copy, *position) for copy, position in fold.closes.held.items())


def _dues(fold: Fold) -> Iterable[Cells]:
    for table in fold.tables.values():
        if table.shape.clocked:
            yield from ((*table.name, player, row.due) for player, row in table.rows.items() if row.due is not None)


_LEDGERS = (
    _Ledger("badges", _badges, lambda cells: (cells[0], cells[1], cells[2], cells[3])),
    _Ledger("fixtures", _fixtures, lambda cells: ("", "", "", cells[0])),
    _Ledger(
        "picks", _picks, lambda cells: ("", "", cells[1], f"{cells[0]} {cells[2]} {Position(cells[3], 0, *cells[4:6])}")
    ),
    _Ledger("rejections", _rejections, lambda cells: ("", "", cells[5] or "", str(Position(*cells[:4])))),
    _Ledger("players", _players, lambda cells: ("", "", cells[0], ""), _player_row),
    _Ledger("voids", _voided, lambda cells: ("", "", "", cells[0])),
    _Ledger("closes", _closes, lambda cells: (cells[0], cells[1], "", "")),
    _Ledger("dues", _dues, lambda cells: (cells[0], cells[1], cells[3], cells[2])),
)
