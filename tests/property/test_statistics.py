"""Streaks by verdict and the order of rounds against their definitions."""

import re

from hypothesis import given
from hypothesis import strategies as st

from engine.marks import Mark
from engine.statistics import extremes, in_order, runs, tally

VERDICTS = {"w": "win", "l": "loss", "d": "draw", "p": "push", "v": "void", ".": None}


def marks(words: str) -> list[Mark]:
    return [Mark(at, 0, 0, {}, at // 3, {"verdict": VERDICTS[word]}, f"f{at}") for at, word in enumerate(words)]


@given(st.text("wldpv.", max_size=60))
def test_a_streak_is_the_longest_stretch_of_one_letter(words: str) -> None:
    found = runs(marks(words))
    told = re.sub(r"[pv.]", "", words)
    for letter, name in (("w", "win"), ("l", "loss")):
        stretches = re.findall(f"{letter}+", told)
        assert found[f"longest_{name}"] == max(map(len, stretches), default=0)
        assert found[name] == len(told) - len(told.rstrip(letter))


@given(st.text("wldpv.", max_size=60))
def test_every_verdict_is_counted_once(words: str) -> None:
    found = tally(marks(words))
    assert tuple(found) == tuple(words.count(letter) for letter in "wldpv")
    wins, losses = words.count("w"), words.count("l")
    if wins + losses:
        assert found.percentage is not None
        whole, _, digits = found.percentage.partition(".")
        assert len(digits) == 4
        # Rounded to the nearest: off by half a digit at most.
        assert abs(int(whole + digits) * (wins + losses) - 10_000 * wins) * 2 <= wins + losses
    else:
        assert found.percentage is None


@given(st.lists(st.tuples(st.one_of(st.integers(-5, 20), st.sampled_from("abc")), st.integers(0, 50)), max_size=20))
def test_rounds_come_in_an_order_that_keeps_the_numbers(played: list[tuple[int | str, int]]) -> None:
    seen = sorted((Mark(at, 0, 0, {}, round_, None, f"f{at}-{round_}") for round_, at in played), key=lambda m: m.order)
    ids = {f"round:{mark.round}": number for number, mark in enumerate(seen)}
    ordered = in_order(ids, seen)
    assert sorted(ordered) == sorted(ids)
    numbers = [int(period[6:]) for period in ordered if period[6:] not in "abc"]
    assert numbers == sorted(numbers)
    first: dict[str, int] = {}
    for mark in seen:
        first.setdefault(f"round:{mark.round}", mark.occurred_ms)
    names = [first[period] for period in ordered if period[6:] in "abc"]
    assert names == sorted(names)


@given(st.lists(st.binary(max_size=2), min_size=1))
def test_of_equal_rounds_the_earlier_one_is_named(merits: list[bytes]) -> None:
    found = extremes(merits)
    assert found is not None
    best, worst = found
    assert all(merits[best] < merit if at < best else merits[best] <= merit for at, merit in enumerate(merits))
    assert all(merits[worst] > merit if at < worst else merits[worst] >= merit for at, merit in enumerate(merits))
