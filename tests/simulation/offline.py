"""The same log folded in memory and audited: no servers, so that many seeds can be tried in little time."""

import random
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import msgspec

from engine.fold import Fold
from engine.movement import BEFORE
from engine.places import entries_of
from engine.rules import Game
from engine.spread import owner
from schemas.codec import decode
from schemas.errors import InvalidEvent
from schemas.position import Position
from tests.simulation.accepting import Account, RawEntry, accounts
from tests.simulation.auditor import Boards, Copies, Line, audit, copies, in_order
from tests.simulation.discrepancy import compared
from tests.simulation.rulesets import texts
from tests.simulation.spreading import home_of
from tests.simulation.workload import Workload

START_MS = 1_770_000_000_000


def log_of(seed: str, name: str, events: int, text: str | None = None) -> list[RawEntry]:
    """A seeded log of one ruleset's game, or of one with the rules of `text`."""
    chance = random.Random(seed)
    text = text or texts()[name]
    game = Game(_parse(text))
    workload = Workload(chance, name, game.rules)
    entries = [(START_MS, 0, workload.rules_event(text))]
    ms = START_MS
    while len(entries) < events:
        ms += chance.choice((0, 1, 50, 60_000, 3_600_000))
        for number, body in enumerate(workload.take(chance.randrange(1, 4), ms), 1):
            if (ms, number) > entries[-1][:2]:
                entries.append((ms, number, body))
    return entries


def _parse(text: str) -> Any:
    from schemas.ruleset import parse

    return parse(text)


def folded(fold: Fold) -> Boards:
    """What the rankings of a fold show."""
    boards: Boards = {}
    for name, table in fold.tables.items():
        if name[2].startswith(BEFORE):
            continue
        members = sorted(
            (row.prefix, player, row.extra) for player, row in table.rows.items() if row.prefix is not None
        )
        entries = entries_of(table.plan.style, members, 0, 0, 0, len(members))
        lines = [Line(one.rank, one.player, table.plan.decode(one.prefix, one.extra)) for one in entries]
        if lines:
            boards[name] = lines
    return boards


def differences(name: str, entries: list[RawEntry]) -> list[str]:
    """How the fold and the auditor differ about a log."""
    games, _ = accounts(entries)
    return compared(folded(_fold(games[name])), audit(games[name]))


def spread_differences(name: str, entries: list[RawEntry], parts: int) -> list[str]:
    """How the folds of so many parts and the auditor differ about a spread game, and the parts together and one fold of all."""
    logs: list[list[RawEntry]] = [[] for _ in range(parts)]
    late = _late(name, entries[-1][0])
    for entry in [*entries, late]:
        home = _home(entry, parts)
        for log in logs if home is None else (logs[home],):
            log.append(entry)
    found = [accounts(log, part, parts)[0][name] for part, log in enumerate(logs)]
    whole = accounts([*entries, late])[0][name]
    words = [word for each in (*found, whole) for word in compared(folded(_fold(each)), audit(each))]
    lines = [in_order(whole.rules, _anywhere(each)) for each in (map(copies, found), [copies(whole)])]
    return words + compared(*lines)


def _late(name: str, ms: int) -> RawEntry:
    """After which it is as late in all parts."""
    return ms, 1_000, msgspec.json.encode({"type": "tick", "id": "late", "game": name, "at": ms})


def _home(entry: RawEntry, parts: int) -> int | None:
    try:
        return home_of(decode(entry[2]), parts)
    except InvalidEvent:
        return 0


def _anywhere(parts: Iterable[Copies]) -> Copies:
    """Parts as one, with ids of erased players that do not say on which shard that was."""
    found: Copies = {}
    for part in parts:
        for name, (sheet, rows) in part.items():
            called = [replace(row, player=re.sub(r"^erased-1\.\d+\.", "erased-1.0.", row.player)) for row in rows]
            found.setdefault(name, (sheet, []))[1].extend(called)
    return found


def _fold(account: Account) -> Fold:
    fold = Fold(Game(account.rules), owner(account.shard, account.parts))
    for said in account.said:
        fold.apply(said.event, Position(1, account.shard, *said.entry))
    fold.settle()
    return fold
