"""The esports season: the boards that the ruleset gives are those of the plain script beside it."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.fold import Fold, fold, number
from engine.rules import Game
from examples.esports import expected
from examples.esports.season import Season
from schemas.codec import decode, encode
from schemas.events import Adjustment, AnyEvent, Player, Result
from schemas.ruleset import parse
from tests.given import ranking

RULES = parse((Path(expected.__file__).parent / "esports.toml").read_text())


def lines_of(state: Fold, board: str, period: str) -> list[list[Any]]:
    """[rank, team, tier, metrics ...] of a ranking."""
    plan = state.game.boards[board]
    shown = ranking(state, board, period)
    total = len(shown)
    return [
        [
            entry.rank,
            entry.player,
            plan.tiers and plan.tiers.of(entry, total),
            *plan.decode(entry.prefix, entry.extra).values(),
        ]
        for entry in shown.window(0, total).entries
    ]


def season(seed: int) -> tuple[list[AnyEvent], list[dict[str, Any]]]:
    """The events as the log has them, and as plain JSON."""
    bodies = [encode(event) for event in Season(seed).events()]
    return [decode(body) for body in bodies], [json.loads(body) for body in bodies]


@pytest.mark.parametrize("seed", range(12))
def test_every_board_is_what_a_plain_reading_of_the_rules_gives(seed: int) -> None:
    events, plain = season(seed)
    game = Game(RULES)
    assert [game.check(event) for event in events if game.check(event)] == []
    state = fold(RULES, number(events))
    assert state.rejections == []
    wanted = expected.standings(plain)
    assert {" ".join(name[:2]) for name in state.tables} == set(wanted)
    for name, lines in wanted.items():
        board, period = name.split(" ")
        assert lines_of(state, board, period) == lines, name


@pytest.mark.parametrize("seed", range(3))
def test_badges_are_those_that_somebody_ever_earned(seed: int) -> None:
    events, plain = season(seed)
    state = fold(RULES, number(events))
    assert {(f"{award.board} {award.period}", award.player, award.badge) for award in state.awards} == expected.badges(
        plain
    )


def test_a_season_has_everything_that_its_rules_speak_of() -> None:
    events, plain = season(7)
    results = [event for event in events if isinstance(event, Result)]
    assert {event.author for event in results if event.reason} == {"referee-1", "referee-2", "referee-3"}
    assert any(line.status == "DSQ" for event in results for line in event.placements or ())
    assert any(event.score is not None and event.revision > 3 for event in results)
    assert any(isinstance(event, Adjustment) for event in events)
    assert any(isinstance(event, Player) and event.status == "banned" for event in events)
    assert expected.badges(plain) >= {("season all", "cobra", "double")}
    assert [encode(event) for event in Season(7).events()] == [encode(event) for event in events]
