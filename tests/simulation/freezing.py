"""Frozen and closed boards: since which position, and what the public is shown of them. Part of the auditor."""

from collections.abc import Callable

from schemas.events import Close, Freeze, Thaw
from schemas.language import Ruleset
from tests.simulation.accepting import Account, History
from tests.simulation.auditor import Boards, audit

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


def pinned(account: Account, rules_at: Callable[[Entry], Ruleset]) -> Boards:
    """The rankings that stand still, as they stood then, by the rules that were live then.

    Who was erased since then is called as he is now.
    """
    found = held(account)
    history = History(account)
    for said in account.said:
        history.take(said)
    boards: Boards = {}
    for entry in set(found.values()):
        for name, lines in audit(account.under(rules_at(entry), entry)).items():
            if since(found, *name[:2]) == entry:
                boards[name] = [one._replace(player=history.name(one.player, entry)) for one in lines]
    return boards
