"""Surrogates: who gets which, what a rewritten event says, and what is refused."""

from typing import Any

import pytest

from engine.erasure import Erasures, erases, is_surrogate, reserved, surrogate, without, without_in_text
from schemas.codec import decode, encode
from schemas.events import Adjustment, Fixture, Pick, Placement, Player, Result, Score
from schemas.position import Position
from tests.given import given, player, result, rules, score

AT = Position(1, 0, 1_000, 0)
ANN = surrogate(AT)
NAMES = {"ann": ANN}
COMMON: Any = {"id": "e", "game": "g"}


def test_the_surrogate_follows_from_the_position() -> None:
    assert ANN == "erased-1.0.1000-0"
    assert is_surrogate(ANN)
    for other in ("erased-", "erased-1.0.1000", "erased-1.0.01-0", "ann", "erased-1.0.1-0x"):
        assert not is_surrogate(other)


@pytest.mark.parametrize("policy", ["stand", "close"])
def test_the_others_close_up_or_not(policy: str) -> None:
    events = [score("a", points=5), score("b", points=4), score("c", points=3), player("a", "erased")]
    board = given(rules(head=f'erased = "{policy}"')).events(*events).then.board()
    if policy == "stand":
        board.ranks((1, "erased-1.0.4-0"), (2, "b"), (3, "c"))
    else:
        board.ranks((1, "b"), (2, "c"))


def test_an_id_may_be_erased_again_as_another_player() -> None:
    log = [
        score("a", points=5),
        player("a", "erased"),
        score("a", points=3),
        player("a", "erased"),
        score("a", points=1),
    ]
    board = given(rules()).events(*log).then.board()
    board.is_([(1, "erased-1.0.2-0", 5), (2, "erased-1.0.4-0", 3), (3, "a", 1)])


def test_a_correction_may_name_the_surrogate() -> None:
    text = rules(declared='[metrics.points]\n[sources.race]\norigin = "placements"\npoints = [3, 2, 1]')
    log = [result("f", "a", "b"), player("a", "erased"), result("f", "b", "erased-1.0.2-0", revision=2)]
    given(text).events(*log).then.board().is_([(1, "b", 3), (2, "erased-1.0.2-0", 2)])


def test_who_is_erased_may_be_banned_by_his_surrogate() -> None:
    log = [score("a", points=5), score("b", points=4), player("a", "erased"), player("erased-1.0.3-0", "banned")]
    given(rules()).events(*log).then.board().order("b")
    given(rules()).events(*log, player("erased-1.0.3-0", "erased")).then.board().order("erased-1.0.3-0", "b")


def test_which_surrogate_an_event_has_to_name() -> None:
    later = Position(1, 0, 2_000, 0)
    erasures = Erasures([(later, "ann"), (AT, "ann"), (later, "bob")])
    assert sorted(erasures.players) == ["ann", "bob"]
    assert erasures.names(AT) == {"ann": ANN, "bob": surrogate(later)}
    assert erasures.names(AT._replace(seq=1)) == {"ann": surrogate(later), "bob": surrogate(later)}
    assert erasures.names(later._replace(seq=1)) == {}
    assert erasures.names(later._replace(seq=1), duplicate=True) == {"ann": surrogate(later), "bob": surrogate(later)}


REWRITTEN = [
    (Score(player="ann", values={"points": 1}, **COMMON), {"player": ANN}),
    (Adjustment(player="ann", values={"points": 1}, reason="ann asked", **COMMON), {"player": ANN, "reason": "erased"}),
    (
        Player(player="ann", name="Ann", attributes={"country": "no"}, reason="ann asked", status="erased", **COMMON),
        {"player": ANN, "name": None, "attributes": None, "reason": None},
    ),
    (Pick(player="ann", fixture="f", choice="2-1", **COMMON), {"player": ANN}),
    (Pick(player="bob", fixture="f", choice=["ann", "cid"], **COMMON), {"choice": [ANN, "cid"]}),
    (Pick(player="bob", fixture="f", choice="ann", **COMMON), {"choice": ANN}),
    (Fixture(fixture="f", round=1, starts_at=1, sides=["bob", "ann"], **COMMON), {"sides": ["bob", ANN]}),
    (
        Result(fixture="f", placements=[Placement(player="ann", position=1)], outcomes={"winner": ["ann"]}, **COMMON),
        {"placements": [Placement(player=ANN, position=1)], "outcomes": {"winner": [ANN]}},
    ),
]


@pytest.mark.parametrize(("event", "changed"), REWRITTEN)
def test_a_rewritten_event_is_the_same_but_for_the_name(event: Any, changed: dict[str, Any]) -> None:
    found = without(event, NAMES, {"f"})
    assert {name: getattr(found, name) for name in changed} == changed
    assert {name: getattr(found, name) for name in event.__struct_fields__ if name not in changed} == {
        name: getattr(event, name) for name in event.__struct_fields__ if name not in changed
    }
    assert decode(encode(found)) == found
    assert without(found, NAMES, {"f"}) is found
    assert without(event, {"zoe": ANN}, {"f"}) is event


def test_choices_are_names_only_in_contests_that_he_took_part_in_and_never_numbers() -> None:
    pick = Pick(player="bob", fixture="f", choice="ann", **COMMON)
    assert without(pick, NAMES) is pick
    for choice in ("7", "2-1", "home"):
        guess = Pick(player="bob", fixture="f", choice=choice, **COMMON)
        assert without(guess, {choice: ANN}, {"f"}) is guess


def test_words_are_replaced_whole() -> None:
    assert without_in_text("ann is banned, anna is not; (ann)", NAMES) == f"{ANN} is banned, anna is not; ({ANN})"
    assert without_in_text(r"a\1 and a", {"a": r"\g<0>"}) == r"\g<0>\1 and \g<0>"


def test_nobody_can_pass_for_one_who_will_be_erased() -> None:
    event = Score(player=ANN, values={"points": 1}, **COMMON)
    assert reserved(event, 999, 0) == ANN
    assert reserved(event, 1_000, 0) == ANN
    assert reserved(event, 1_000, 1) is None
    lines = [Placement(player="bob", position=1), Placement(player=ANN, position=2)]
    assert reserved(Result(fixture="f", placements=lines, **COMMON), 1, 0) == ANN
    assert reserved(Fixture(fixture="f", round=1, starts_at=1, sides=["a", ANN], **COMMON), 1, 0) == ANN
    assert reserved(Score(player="erased-by-me", values={"points": 1}, **COMMON), 1, 0) is None


def test_which_events_erase() -> None:
    assert erases(Player(player="ann", status="erased", **COMMON))
    assert not erases(Player(player=ANN, status="erased", **COMMON))
    assert not erases(Player(player="ann", status="banned", **COMMON))
    assert not erases(Score(player="ann", values={}, **COMMON))
