"""Until when picks count, and what becomes of those that do not."""

import pytest

from tests.given import Fields, fixture, given, pick, player, result, rules

MINUTE = 60_000
NOON = 100 * MINUTE
POINTS = 'points = { op = "sum", of = "points" }'


def pool(lock: str = "", *, more: str = "") -> str:
    """Rules with picks of winners, worth a point each."""
    source = f'[sources.p]\norigin = "picks"\ngrades = [{{}}]\nwrong = -1\n{lock}\n{more}'
    return rules(declared=f"[metrics.points]\n{source}")


def won(of: str = "f", *, at: int = 2 * NOON, **fields: str | int) -> Fields:
    return result(of, occurred_at=at, **({"outcomes": {"winner": ["x"]}} | fields))


def points(text: str, *events: Fields) -> dict[str, int]:
    return {line[1]: line[2] for line in given(text).events(*events).then.board().lines}


def reasons(text: str, *events: Fields) -> list[tuple[str | None, str, str]]:
    """Player, field and the first word of the reason."""
    then = given(text).events(*events).then
    return [(found.player, found.field, found.reason.split()[0].rstrip(":")) for found in then.state.rejections]


def test_the_last_pick_before_the_lock_counts() -> None:
    events = [fixture("f", 1, NOON), *(pick("a", "f", choice, at=at) for choice, at in (("y", 1000), ("x", NOON - 1)))]
    assert points(pool(), *events, won()) == {"a": 1}
    late = pick("a", "f", "y", at=NOON)
    assert points(pool(), *events, late, won()) == {"a": 1}
    assert reasons(pool(), *events, late, won()) == [("a", "fixture", "late")]


def test_a_late_pick_says_when_it_was_recorded_and_when_the_lock_was() -> None:
    then = given(pool()).events(fixture("f", 1, NOON), pick("a", "f", "x", at=NOON + 500)).then
    [rejection] = then.state.rejections
    assert rejection.event == "e2"
    assert rejection.reason == (
        "late: fixture f locked at 1970-01-01T01:40:00.000Z, this was recorded at 1970-01-01T01:40:00.500Z"
    )


@pytest.mark.parametrize(("recorded", "expected"), [(NOON - 5 * MINUTE - 1, {"a": 1}), (NOON - 5 * MINUTE, {})])
def test_so_many_minutes_before_the_start(recorded: int, expected: dict[str, int]) -> None:
    text = pool("lock = { minutes = 5 }")
    assert points(text, fixture("f", 1, NOON), pick("a", "f", "x", at=recorded), won()) == expected


@pytest.mark.parametrize("lock", ["", "lock = { minutes = 5 }", 'lock = { at = "round" }', 'lock = { at = "never" }'])
def test_a_lock_of_the_fixture_goes_first(lock: str) -> None:
    planned = fixture("f", 1, NOON, locks_at=NOON + MINUTE)
    picks = pick("a", "f", "x", at=NOON + MINUTE - 1), pick("b", "f", "x", at=NOON + MINUTE)
    assert points(pool(lock), fixture("e", 1, 10), planned, *picks, won()) == {"a": 1}


def test_the_first_start_of_the_round_locks_all_of_it() -> None:
    text = pool('lock = { at = "round", minutes = 1 }')
    planned = fixture("e", 1, NOON), fixture("f", 1, 2 * NOON), fixture("g", 2, 3 * NOON)
    in_time = [pick("a", name, "x", at=NOON - MINUTE - 9) for name in "efg"]
    late = [pick("b", name, "x", at=NOON - MINUTE) for name in "efg"]
    results = [won(name, at=4 * NOON) for name in "efg"]
    assert points(text, *planned, *in_time, *late, *results) == {"a": 3, "b": 1}
    assert reasons(text, *planned, *in_time, *late) == [("b", "fixture", "late")] * 2


def test_an_earlier_fixture_of_the_round_regrades_the_ones_that_are_settled() -> None:
    text = pool('lock = { at = "round" }')
    log = [fixture("f", 1, NOON), pick("a", "f", "y"), pick("a", "f", "x", at=NOON - 1), won(at=NOON + 1)]
    assert points(text, *log) == {"a": 1}
    earlier = fixture("e", 1, NOON // 2)
    assert points(text, *log, earlier) == {"a": -1}
    assert points(text, *log, earlier, fixture("e", 2, NOON // 2)) == {"a": 1}
    assert points(text, *log, fixture("e", 2, NOON // 2)) == {"a": 1}


def test_a_fixture_that_moves_forward_loses_later_picks_and_one_that_moves_back_opens_again() -> None:
    log = [fixture("f", 1, NOON), pick("a", "f", "y"), pick("a", "f", "x", at=NOON - 1)]
    assert points(pool(), *log, fixture("f", 1, NOON // 2), won()) == {"a": -1}
    assert points(pool(), *log, won(), fixture("f", 1, NOON // 2)) == {"a": -1}
    assert points(pool(), *log, fixture("f", 1, NOON // 2), fixture("f", 1, NOON), won()) == {"a": 1}
    postponed = fixture("f", 1, 3 * NOON)
    again = pick("a", "f", "y", at=2 * NOON)
    assert points(pool(), *log, postponed, again, won(at=3 * NOON)) == {"a": -1}
    assert points(pool(), *log, again, postponed, won(at=3 * NOON)) == {"a": 1}


@pytest.mark.parametrize(("recorded", "expected"), [(499, 1), (500, -1)])
def test_a_lock_that_moves_is_as_sharp_as_one_that_stays(recorded: int, expected: int) -> None:
    log = [fixture("f", 1, NOON), pick("a", "f", "y"), pick("a", "f", "x", at=recorded), fixture("f", 1, 500)]
    assert points(pool(), *log, won()) == {"a": expected}


def test_who_lost_his_pick_to_an_earlier_lock_has_missed_the_fixture_if_he_took_part_before() -> None:
    text = pool('missing = "lose"')
    log = [fixture("e", 1, NOON), fixture("f", 1, NOON), pick("a", "e", "x", at=100), pick("b", "f", "x", at=600)]
    moved = [pick("a", "f", "x", at=700), fixture("f", 1, 500), won()]
    assert points(text, *log, *moved) == {"a": -1}


def test_an_abandoned_fixture_may_be_picked_again_until_it_is_played() -> None:
    abandoned = result("f", status="abandoned", occurred_at=NOON + 1)
    log = [fixture("f", 1, NOON), pick("a", "f", "x"), abandoned, fixture("f", 1, 3 * NOON)]
    assert points(pool(), *log) == {}
    then = [pick("a", "f", "y", at=2 * NOON), pick("b", "f", "x"), won(revision=2, at=4 * NOON)]
    assert points(pool(), *log, *then) == {"a": -1, "b": 1}
    assert points(pool('abandoned = "lose"'), *log) == {"a": -1}
    assert points(pool('abandoned = "lose"'), *log, then[1]) == {"a": -1, "b": -1}


def test_a_known_result_closes_a_fixture_before_its_lock() -> None:
    log = [fixture("f", 1, NOON), pick("a", "f", "x"), won(at=100), pick("b", "f", "x"), pick("a", "f", "y")]
    assert points(pool(), *log) == {"a": 1}
    assert reasons(pool(), *log) == [("b", "fixture", "late"), ("a", "fixture", "late")]


def test_what_never_locks_may_be_picked_even_afterwards() -> None:
    text = pool('lock = { at = "never" }')
    log = [fixture("f", 1, 1), won(), pick("a", "f", "y"), pick("b", "f", "x"), pick("a", "f", "x")]
    assert points(text, *log) == {"a": 1, "b": 1}


def test_only_picks_of_planned_fixtures_by_players_in_good_standing_count() -> None:
    log = [
        pick("a", "f", "x"),
        won("f", at=1),
        pick("a", "f", "x"),
        fixture("g", 1, NOON),
        player("b", "banned"),
        pick("b", "g", "x"),
        player("c", "hidden"),
        pick("c", "g", "x"),
        player("b", "active"),
        pick("b", "g", "x"),
        won("g"),
    ]
    assert reasons(pool(), *log) == [("a", "fixture", "unknown")] * 2 + [("b", "player", "b")]
    assert points(pool(), *log) == {"b": 1}


def test_a_fixture_that_is_planned_later_takes_no_earlier_picks() -> None:
    assert points(pool(), pick("a", "f", "x"), fixture("f", 1, NOON), won()) == {}


STAKES = 'stakes = { max = 3, default = 1, unique = "round" }'


def test_each_confidence_number_once_a_round() -> None:
    planned = [fixture("e", 1, NOON), fixture("f", 1, NOON), fixture("g", 2, NOON)]
    log = [
        pick("a", "e", "x", stake=3),
        pick("a", "f", "x", stake=3),
        pick("a", "g", "x", stake=3),
        pick("b", "f", "x", stake=3),
        pick("a", "e", "x", stake=2),
        pick("a", "f", "x", stake="3.0"),
        pick("a", "f", "y", stake=3),
        pick("a", "e", "x", stake="3.00"),
    ]
    assert reasons(pool(STAKES), *planned, *log) == [("a", "stake", "used")] * 2
    assert points(pool(STAKES), *planned, *log, *map(won, "efg")) == {"a": 2 - 3 + 3, "b": 3}


def test_a_stake_is_free_again_when_its_pick_does_not_count_any_more() -> None:
    planned = [fixture("e", 1, NOON), fixture("f", 1, NOON)]
    log = [pick("a", "e", "x", stake=3, at=1000), pick("a", "f", "x", stake=3)]
    assert reasons(pool(STAKES), *planned, log[0], fixture("e", 1, 500), log[1]) == []
    assert reasons(pool(STAKES), *planned, log[0], fixture("e", 2, NOON), log[1]) == []
    assert reasons(pool(STAKES), *planned, *log) == [("a", "stake", "used")]


def test_picks_without_a_stake_use_the_default_once() -> None:
    planned = [fixture("e", 1, NOON), fixture("f", 1, NOON)]
    picks = [pick("a", "e", "x"), pick("a", "f", "x"), pick("a", "f", "x", stake=1), pick("a", "f", "x", stake=2)]
    assert reasons(pool(STAKES), *planned, *picks) == [("a", "stake", "used")] * 2


def test_sources_of_one_market_may_lock_differently() -> None:
    more = '[sources.q]\norigin = "picks"\ngrades = [{ points = 10 }]\nlock = { minutes = 10 }'
    log = [fixture("f", 1, NOON), pick("a", "f", "y", at=1000), pick("a", "f", "x", at=NOON - MINUTE), won()]
    # One counts the second pick, the other still the first.
    assert points(pool(more=more), *log) == {"a": 1}
    assert reasons(pool(more=more), *log) == []


def test_a_moved_start_moves_the_marks_with_it() -> None:
    text = pool().replace("[boards.b]", '[boards.b]\nperiods = ["daily", "round"]')
    log = [fixture("f", 1, NOON), pick("a", "f", "x"), won()]
    then = given(text).events(*log, fixture("f", 2, NOON + 24 * 60 * MINUTE)).then
    assert then.periods() == ["daily:1970-01-02", "round:2"]
