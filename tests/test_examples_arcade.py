"""The arcade: the engine's boards against those that a plain script works out from the rules in words."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.fold import Fold, number
from engine.rules import compile_ruleset
from examples.arcade.players import Arcade
from examples.arcade.standings import standings
from schemas.codec import decode, encode
from schemas.ruleset import parse
from tests.given import ranking

RULES = Path(__file__).parents[1] / "examples" / "arcade" / "arcade.toml"
# Two weeks around the night in which Berlin's clocks go back.
START, END = datetime(2025, 10, 18, tzinfo=UTC), datetime(2025, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize("seed", [7, 8])
def test_every_board_of_every_period_is_that_of_the_rules_in_words(seed: int) -> None:
    bodies = [encode(run) for run in Arcade(seed, 60).past(2_000, START, END)]
    fold = Fold(compile_ruleset(parse(RULES.read_text("utf-8"))))
    for position, event in number(map(decode, bodies)):
        fold.apply(event, position)
    fold.settle()
    lines = [body.decode() for body in bodies]
    periods = {(board, period) for board, period, _ in fold.tables}
    assert len(periods) == 2 * (1 + 3 + 15)
    for board, period in periods:
        decoded = fold.game.boards[board].decode
        shown = [
            (entry.rank, entry.player, *decoded(entry.prefix, entry.extra).values())
            for entry in ranking(fold, board, period).window(0, 1_000).entries
        ]
        assert shown == standings(lines, board, period), f"{board} {period}"
