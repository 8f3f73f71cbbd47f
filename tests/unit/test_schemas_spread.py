"""What the rules of a spread game may have."""

import pytest

from engine.spread import part_of
from schemas.errors import InvalidRuleset
from schemas.ruleset import parse

RULES = """
game = "cup"
spread = true

[metrics.points]

[sources.score]
origin = "score"

[sources.picks]
origin = "picks"
grades = [{ when = "exact" }]

[sources.officials]
origin = "adjustment"

[sources.race]
origin = "placements"
points = [10, 6]

[boards.total]
rank_by = ["points desc", "reached", { countback = "position" }, { lot = 7 }]
segments = { country = "player" }
tiers = [{ name = "gold", percent = 1 }]
windows = [7]

[boards.total.metrics.points]
op = "sum"
of = "points"

[boards.total.badges.first]
where = { points = { min = 1 } }
"""
DENSE = "dense ranks cannot be added up over shards; a spread game has competition, ordinal or modified ones"
TEAM = "the marks that make it up come from players of many shards; a spread game has it in sources of results"


def test_a_board_that_orders_players_by_their_own_marks() -> None:
    assert parse(RULES).spread


def test_teams_of_results() -> None:
    assert parse(RULES.replace('"placements"', '"placements"\nentrant = "team"')).spread


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('origin = "score"', 'origin = "score"\nentrant = "team"', f"sources.score.entrant: {TEAM}"),
        ('origin = "adjustment"', 'origin = "adjustment"\nentrant = "team"', f"sources.officials.entrant: {TEAM}"),
        (
            "{ lot = 7 }",
            '{ head_to_head = ["points"] }',
            "boards.total.rank_by[3]: head_to_head needs the others' marks; a spread game has none",
        ),
        (
            "windows = [7]",
            'ranks = "dense"',
            f"boards.total.ranks: {DENSE}",
        ),
        (
            "windows = [7]",
            'movement = "daily"',
            "boards.total.movement: where a round or day stands depends on all players; a spread game has none",
        ),
    ],
)
def test_what_it_may_not_have(old: str, new: str, problem: str) -> None:
    text = RULES.replace(old, new)
    if "dense" in new:
        text = text.replace("percent = 1", "top = 1")
    if "head_to_head" in new:
        text = text.replace("windows = [7]\n", "")
    if "movement" in new:
        text = text.replace("tiers = ", 'periods = ["all", "daily"]\ntiers = ')
    with pytest.raises(InvalidRuleset) as caught:
        parse(text)
    told = [f"{each.field}: {each.rule}" for each in caught.value.problems]
    assert any(problem in line for line in told), told
    assert parse(text.replace("spread = true", "")).boards


def test_players_are_spread_evenly_and_always_the_same() -> None:
    counts = [0] * 4
    for number in range(4_000):
        counts[part_of(f"player-{number}", 4)] += 1
    assert min(counts) > 800
    assert [part_of(player, 4) for player in ("ann", "bob", "čeněk", "ann")] == [3, 0, 0, 3]
