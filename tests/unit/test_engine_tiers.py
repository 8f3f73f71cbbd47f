"""Tiers against their definition, and conditions on a board's metrics."""

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st

from api.encode import MarkedLine, lines_of
from engine.boards import BoardPlan
from engine.places import Window
from engine.rules import Game
from schemas.errors import InvalidRuleset
from schemas.language import Tier
from schemas.ruleset import parse
from tests.given import given, ranking, rules, score

AVERAGE = 'points = { op = "sum", of = "points" }\nmean = { op = "average", of = "points", scale = 1 }'
HALVES = "[metrics.points]\nscale = 1"


def plan_of(tiers: str, **more: Any) -> BoardPlan:
    return Game(parse(rules(f"tiers = {tiers}", **more))).boards["b"]


def shown(text: str, *points: int | str) -> list[str | None]:
    """The tiers of the lines of a board in which so many points were scored, one player each."""
    events = [score(f"p{at:03d}", points=value) for at, value in enumerate(points)]
    state = given(text).events(*events).then.state
    plan = state.game.boards["b"]
    entries = ranking(state, "b").window(0, 999).entries
    assert plan.tiers is not None
    return [plan.tiers.of(entry, len(points)) for entry in entries]


def test_the_first_tier_that_fits_is_the_one() -> None:
    text = rules('tiers = [{ name = "gold", top = 1 }, { name = "silver", top = 3 }]')
    assert shown(text, 9, 8, 7, 6) == ["gold", "silver", "silver", None]


def test_who_shares_a_rank_shares_the_tier() -> None:
    text = rules('tiers = [{ name = "gold", top = 2 }]')
    assert shown(text, 9, 8, 8, 8, 7) == ["gold"] * 4 + [None]


def test_modified_ranks_leave_the_tied_out_who_do_not_all_fit() -> None:
    text = rules('ranks = "modified"\ntiers = [{ name = "gold", top = 2 }]')
    assert shown(text, 9, 8, 8, 8, 7) == ["gold"] + [None] * 4


def test_per_cent_are_rounded_up_to_whole_players() -> None:
    text = rules('tiers = [{ name = "top 10 %", percent = 10 }, { name = "top half", percent = 50 }]')
    assert shown(text, 9) == ["top 10 %"]
    assert shown(text, 9, 8, 7) == ["top 10 %", "top half", None]
    assert shown(text, *range(11, 0, -1)) == ["top 10 %"] * 2 + ["top half"] * 4 + [None] * 5


def test_conditions_are_written_in_the_metrics_own_unit() -> None:
    tiers = 'tiers = [{ name = "a", where = { points = { min = 8.5 } } }, { name = "b", where = { points = { above = 7 } } }]'
    assert shown(rules(tiers, declared=HALVES), "8.5", "8.4", 7) == ["a", "b", None]


def test_conditions_see_metrics_that_no_rank_depends_on() -> None:
    metrics = 'points = { op = "sum", of = "points" }\nruns = { op = "count" }'
    text = rules('tiers = [{ name = "busy", where = { runs = { min = 2 } } }]', metrics=metrics)
    state = given(text).events(score("ann", points=1), score("ann", points=1), score("bob", points=5)).then.state
    tiers = state.game.boards["b"].tiers
    assert tiers is not None
    assert [(e.player, tiers.of(e, 2)) for e in ranking(state, "b").window(0, 9).entries] == [
        ("bob", None),
        ("ann", "busy"),
    ]


@hypothesis_given(
    st.lists(st.integers(0, 20), min_size=1, max_size=40),
    st.decimals("0.001", 100, places=3).map(lambda value: value.normalize()),
    st.sampled_from(["competition", "ordinal", "modified"]),
)
def test_per_cent_are_as_defined(points: list[int], percent: Decimal, style: str) -> None:
    text = rules(f'ranks = "{style}"\ntiers = [{{ name = "t", percent = {percent:f} }}]')
    state = given(text).events(*(score(f"p{at:03d}", points=value) for at, value in enumerate(points))).then.state
    tiers = state.game.boards["b"].tiers
    assert tiers is not None
    most = math.ceil(Fraction(percent) * len(points) / 100)
    for entry in ranking(state, "b").window(0, 999).entries:
        assert tiers.of(entry, len(points)) == ("t" if entry.rank <= most else None)


def test_lines_have_a_tier_only_on_boards_with_tiers() -> None:
    with_tiers, without = plan_of('[{ name = "gold", top = 1 }]'), Game(parse(rules())).boards["b"]
    entries = ranking(given(rules()).events(score("ann", points=3)).then.state, "b").window(0, 9).entries
    [line] = lines_of(with_tiers, Window(0, 1, entries), {})
    assert isinstance(line, MarkedLine)
    assert msgspec.json.decode(msgspec.json.encode(line))["tier"] == "gold"
    [line] = lines_of(without, Window(0, 1, entries), {})
    assert "tier" not in msgspec.json.decode(msgspec.json.encode(line))


def test_the_language_knows_what_a_tier_is() -> None:
    assert Tier(name="gold", top=3).where == {}
    with pytest.raises(InvalidRuleset, match="dense ranks do not tell"):
        parse(rules('ranks = "dense"\ntiers = [{ name = "t", percent = 10 }]'))
