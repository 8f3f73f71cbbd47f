"""Frozen and closed boards: since which position, and what the public is shown of them. Part of the auditor."""

from dataclasses import replace

from schemas.events import Close, Freeze, Thaw
from tests.simulation.accepting import Account, History
from tests.simulation.auditor import Boards, Copies, Line, RankingName, audit, copies, in_order

Entry = tuple[int, int]
Held = dict[tuple[str, str, bool], Entry]
"""(board or all of them, period or all of them, whether it is a close) to the entry since which it holds."""


def held(account: Account) -> Held:
    """What is frozen or closed in the end."""
    found: Held = {}
    for said in account.said:
        event = said.event
        if isinstance(event, Freeze | Close):
            found.setdefault((event.board or "", event.period or "", isinstance(event, Close)), said.entry)
        elif isinstance(event, Thaw):
            for board, period, final in list(found):
                if event.board in (None, board) and event.period in (None, period):
                    del found[board, period, final]
    return found


def since(found: Held, board: str, period: str) -> Entry | None:
    """Since which entry a ranking stands still; None for one that does not."""
    entries = [entry for (one, other, _), entry in found.items() if one in ("", board) and other in ("", period)]
    return min(entries, default=None)


def pinned(account: Account) -> Boards:
    """The rankings that stand still, as they stood then; who was erased since then is called as he is now."""
    found = held(account)
    history = History(account)
    for said in account.said:
        history.take(said)
    boards: Boards = {}
    for entry in set(found.values()):
        before = replace(account, said=[said for said in account.said if said.entry <= entry])
        for name, lines in audit(before).items():
            if since(found, *name[:2]) == entry:
                boards[name] = [Line(one.rank, history.name(one.player, entry), one.metrics) for one in lines]
    return boards


def together(parts: list[Account], *, public: bool) -> Boards:
    """The rankings of all parts of a spread game as one; for the public what stands still as it stood.

    Events of everyone may be frozen, or may not have come, in one part only.
    """
    whole: Copies = {}
    called: dict[tuple[RankingName, str], str] = {}
    for account in parts:
        found = held(account) if public else {}
        history = History(account)
        for said in account.said:
            history.take(said)
        for entry in (None, *set(found.values())):
            before = [said for said in account.said if entry is None or said.entry <= entry]
            for name, (sheet, rows) in copies(replace(account, said=before)).items():
                if since(found, *name[:2]) == entry:
                    whole.setdefault(name, (sheet, []))[1].extend(rows)
                    if entry is not None:
                        called |= {(name, row.player): history.name(row.player, entry) for row in rows}
    return {
        name: [one._replace(player=called.get((name, one.player), one.player)) for one in lines]
        for name, lines in in_order(parts[0].rules, whole).items()
    }
