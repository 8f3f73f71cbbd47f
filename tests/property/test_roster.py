"""Status of players: only the last one shows, whatever came between, and a hidden player's place is the one he would have."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from engine.digest import digest_of
from engine.fold import Fold, fold
from schemas.events import AnyEvent, Player, PlayerStatus
from schemas.position import Position
from tests.given import ranking
from tests.property.test_fold import RULES, START_MS, logs, players

statuses = st.sampled_from(["active", "hidden", "banned"])
Log = list[tuple[Position, AnyEvent]]
END = Position(1, 0, START_MS + 10_000, 0)


@st.composite
def sanctioned(draw: st.DrawFn) -> tuple[Log, dict[str, PlayerStatus]]:
    """A log with changes of status in between, and the last status of each player who has one."""
    events = [event for event in draw(logs()) if not isinstance(event, Player)]
    last: dict[str, PlayerStatus] = {}
    found: Log = []
    for at, event in enumerate(events):
        found.append((Position(1, 0, START_MS + 10 * at, 0), event))
        for seq in range(draw(st.integers(0, 2))):
            who, status = draw(players), draw(statuses)
            last[who] = status
            found.append((Position(1, 0, START_MS + 10 * at, 1 + seq), said(f"p{at}.{seq}", who, status)))
    return found, last


def said(id_: str, who: str, status: PlayerStatus) -> Player:
    """A change of status."""
    return Player(id=id_, game="g", player=who, status=status)


def plain(log: Log) -> Log:
    """The log without what is said of players."""
    return [(position, event) for position, event in log if not isinstance(event, Player)]


def from_the_start(log: Log, last: dict[str, PlayerStatus]) -> Fold:
    """The fold of a log in which every player had his last status before anything else happened."""
    first: Log = [
        (Position(1, 0, START_MS - 99, seq), said(f"s{seq}", who, status))
        for seq, (who, status) in enumerate(last.items())
    ]
    return fold(RULES, first + plain(log))


@given(sanctioned())
def test_only_the_last_status_shows(found: tuple[Log, dict[str, PlayerStatus]]) -> None:
    log, last = found
    assert str(digest_of(fold(RULES, log))) == str(digest_of(from_the_start(log, last)))


@given(sanctioned(), players, st.sampled_from(["stand", "close"]))
def test_nothing_of_an_earlier_status_is_left_when_somebody_is_erased(
    found: tuple[Log, dict[str, PlayerStatus]], who: str, policy: Any
) -> None:
    rules = msgspec.structs.replace(RULES, erased=policy)
    log, _ = found
    others: Log = [(position, event) for position, event in log if not isinstance(event, Player) or event.player != who]
    erasing: Log = [(END, said("end", who, "erased"))]
    assert str(digest_of(fold(rules, log + erasing))) == str(digest_of(fold(rules, others + erasing)))


@given(sanctioned())
def test_a_hidden_player_has_the_place_that_he_would_have(found: tuple[Log, dict[str, PlayerStatus]]) -> None:
    log, last = found
    state = fold(RULES, log)
    for who, status in last.items():
        shown = from_the_start(log, {**last, who: "active"})
        without = from_the_start(log, {**last, who: "banned"})
        for board, period, _ in state.tables:
            ranked = ranking(state, board, period)
            if status == "hidden":
                mine, public = ranked.place(who), ranking(shown, board, period).place(who)
                assert (mine is None) == (public is None)
                if mine is not None and public is not None:
                    assert mine == msgspec.structs.replace(public, hidden=True)
            if status != "active":
                others = ranking(without, board, period)
                assert ranked.window(0, 99) == others.window(0, 99)
