"""How shards are shared out: evenly, all of them, and with as few moves as possible."""

import random
from collections import Counter

import pytest

from consumers.leases import shared_out

FOUR = range(4)


def test_one_process_takes_everything() -> None:
    assert shared_out(FOUR, {"a": FOUR}, {}, "a") == dict.fromkeys(FOUR, "a")


def test_a_second_one_gets_half_and_the_first_one_keeps_the_rest() -> None:
    held = dict.fromkeys(FOUR, "a")
    for me in "ab":
        assert shared_out(FOUR, {"a": FOUR, "b": FOUR}, held, me) == {0: "a", 1: "a", 2: "b", 3: "b"}


def test_what_a_dead_process_held_goes_to_those_with_the_fewest() -> None:
    members = {"a": range(6), "b": range(6)}
    given = shared_out(range(6), members, {0: "a", 1: "a", 2: "b"}, "a")
    assert Counter(given.values()) == {"a": 3, "b": 3}
    assert (given[0], given[1], given[2]) == ("a", "a", "b")


def test_more_processes_than_shards_leave_some_idle_and_move_nothing() -> None:
    members = {name: range(2) for name in "abc"}
    assert shared_out(range(2), members, {0: "c", 1: "b"}, "a") == {0: "c", 1: "b"}


def test_a_free_shard_is_sought_by_each_of_equals() -> None:
    members = {"a": range(1), "b": range(1)}
    assert shared_out(range(1), members, {}, "a") == {0: "a"}
    assert shared_out(range(1), members, {}, "b") == {0: "b"}


def test_only_shards_that_a_process_may_take_are_given_to_it() -> None:
    members = {"a": {0}, "b": {0, 1}, "c": {2}}
    assert shared_out(range(4), members, {}, "a") == {0: "a", 1: "b", 2: "c"}
    # b may take shard 0 from a, but has as many.
    assert shared_out(range(3), {"a": {0, 1, 2}, "b": {0}}, dict.fromkeys(range(3), "a"), "b") == {
        0: "b",
        1: "a",
        2: "a",
    }


def test_a_holder_that_is_not_announced_is_let_alone() -> None:
    assert shared_out(range(2), {"a": range(2)}, {0: "older"}, "a") == {1: "a"}


@pytest.mark.parametrize("seed", range(20))
def test_it_comes_to_rest_evenly(seed: int) -> None:
    """Processes come and go, each acts on what it sees in its turn; then all is shared out, and nothing moves any more."""
    drawn = random.Random(seed)
    shards = range(drawn.randrange(1, 17))
    alive: list[str] = []
    held: dict[int, str] = {}
    for turn in range(60):
        if turn < 40 and drawn.random() < 0.3:
            if alive and drawn.random() < 0.5:
                alive.remove(drawn.choice(alive))
            else:
                alive.append(f"p{turn}")
            held = {shard: owner for shard, owner in held.items() if owner in alive}
        if not alive:
            alive.append(f"p{turn}")
        me = drawn.choice(alive)
        _act(me, shards, alive, held)
    for me in alive * 3:
        _act(me, shards, alive, held)
    assert held.keys() == set(shards)
    loads = [list(held.values()).count(name) for name in alive]
    assert max(loads) - min(loads) <= 1
    before = dict(held)
    for me in alive:
        _act(me, shards, alive, held)
    assert held == before


def _act(me: str, shards: range, alive: list[str], held: dict[int, str]) -> None:
    given = shared_out(shards, dict.fromkeys(alive, shards), held, me)
    for shard in shards:
        if held.get(shard) == me and given[shard] != me:
            del held[shard]
        elif shard not in held and given[shard] == me:
            held[shard] = me
