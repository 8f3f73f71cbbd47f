"""The same log folded in memory and audited: no servers, so that many seeds can be tried in little time."""

import random
from typing import Any

from engine.fold import Fold
from engine.places import entries_of
from engine.rules import Game
from schemas.position import Position
from tests.simulation.accepting import RawEntry, accounts
from tests.simulation.auditor import Boards, Line, audit
from tests.simulation.awarding import Award, Awarder, Awards
from tests.simulation.rulesets import texts
from tests.simulation.workload import Workload

START_MS = 1_770_000_000_000


def log_of(seed: str, name: str, events: int) -> list[RawEntry]:
    """A seeded log of one ruleset's game."""
    chance = random.Random(seed)
    text = texts()[name]
    game = Game(_parse(text))
    workload = Workload(chance, name, game.rules)
    entries = [RawEntry(START_MS, 0, workload.rules_event(text))]
    ms = START_MS
    while len(entries) < events:
        ms += chance.choice((0, 1, 50, 60_000, 3_600_000))
        for number, body in enumerate(workload.take(chance.randrange(1, 4), ms), 1):
            if (ms, number) > entries[-1][:2]:
                entries.append(RawEntry(ms, number, body))
    return entries


def _parse(text: str) -> Any:
    from schemas.ruleset import parse

    return parse(text)


def folded(fold: Fold) -> Boards:
    """What the rankings of a fold show."""
    boards: Boards = {}
    for name, table in fold.tables.items():
        members = sorted(
            (row.prefix, player, row.extra) for player, row in table.rows.items() if row.prefix is not None
        )
        entries = entries_of(table.plan.style, members, 0, 0, 0, len(members))
        tiers, total = table.plan.tiers, len(members)
        lines = [
            Line(
                one.rank,
                one.player,
                table.plan.decode(one.prefix, one.extra),
                None if tiers is None else tiers.of(one, total),
            )
            for one in entries
        ]
        if lines:
            boards[name] = lines
    return boards


def differences(name: str, entries: list[RawEntry]) -> list[str]:
    """How the fold and the auditor differ about a log."""
    games, _ = accounts(entries)
    account = games[name]
    fold = Fold(Game(account.rules))
    awards: Awards = {}
    for said in account.said:
        fold.apply(said.event, Position(1, 0, *said.entry))
    fold.settle()
    words = compared(folded(fold), audit(account))
    for table in fold.tables.values():
        for player, row in table.rows.items():
            for badge, moment in getattr(row.state, "badges", {}).items():
                awards[Award(table.name[0], table.name[1], player, badge)] = (moment.ms, moment.seq)
    return words + awards_compared(awards, Awarder(account).upto(account.said))


def awards_compared(found: Awards, wanted: Awards) -> list[str]:
    """The differences between what was awarded and what should have been, in words."""
    return [
        f"{award}: awarded at {found.get(award)}, audited {wanted.get(award)}"
        for award in sorted(found.keys() | wanted.keys())
        if found.get(award) != wanted.get(award)
    ]


def compared(found: Boards, wanted: Boards) -> list[str]:
    """The differences between what is shown and what should be, in words."""
    words = []
    for name in sorted(found.keys() | wanted.keys()):
        shown, right = found.get(name, []), wanted.get(name, [])
        if shown != right:
            place = next(
                (at for at, (one, two) in enumerate(zip(shown, right, strict=False)) if one != two),
                min(len(shown), len(right)),
            )
            one = shown[place] if place < len(shown) else None
            two = right[place] if place < len(right) else None
            words.append(
                f"{'/'.join(name)} line {place + 1} of {len(shown)} and {len(right)}: shown {one}, audited {two}"
            )
    return words
