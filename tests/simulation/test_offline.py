"""Spread games without servers: folds of parts, one fold of all, and the auditor's words on both."""

import pytest

from engine.spread import Owns
from tests.simulation import offline
from tests.simulation.rulesets import spread_texts
from tests.simulation.spreading import part_of


@pytest.mark.parametrize("game", sorted(spread_texts()))
def test_parts_are_what_one_fold_is(game: str) -> None:
    for seed in range(3):
        entries = offline.log_of(f"{seed} {game}", game, 120, spread_texts()[game])
        assert offline.spread_differences(game, entries, 3) == []


def test_a_part_that_takes_others_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def greedy(part: int, parts: int) -> Owns:
        return lambda player: part == 0 or part_of(player, parts) == part

    entries = offline.log_of("0 nfl", "nfl", 120, spread_texts()["nfl"])
    assert offline.spread_differences("nfl", entries, 3) == []
    monkeypatch.setattr(offline, "owner", greedy)
    assert offline.spread_differences("nfl", entries, 3)
