"""Half a year of contributions: the boards that the ruleset gives are those of the plain script beside it."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from engine.buckets import Bucketed
from engine.fold import Fold, fold, number
from engine.leaderboard import Leaderboard
from engine.rules import Game
from examples.contributors import expected
from examples.contributors.history import History
from schemas.codec import decode, encode
from schemas.events import AnyEvent
from schemas.ruleset import parse

RULES = parse((Path(expected.__file__).parent / "contributors.toml").read_text())


def history(seed: int) -> tuple[list[AnyEvent], list[dict[str, Any]]]:
    """The events as the log has them, and as plain JSON."""
    bodies = [encode(event) for event in History(seed).events()]
    return [decode(body) for body in bodies], [json.loads(body) for body in bodies]


def boards_of(state: Fold) -> dict[str, list[list[Any]]]:
    """The lines of every ranking that has any, as the script names and writes them."""
    found = {}
    for (board, period, segment), table in state.tables.items():
        shown = Leaderboard(table.plan.style)
        for player, row in table.rows.items():
            shown.set(player, row.prefix, row.extra)
        entries = shown.window(0, len(shown)).entries
        if entries:
            found[f"{board} {period} {segment or '-'}"] = [
                [at.rank, at.player, *table.plan.decode(at.prefix, at.extra).values()] for at in entries
            ]
    return found


@pytest.mark.parametrize("seed", range(4))
def test_every_board_is_what_a_plain_reading_of_the_rules_gives(seed: int) -> None:
    events, plain = history(seed)
    game = Game(RULES)
    assert [game.check(event) for event in events if game.check(event)] == []
    shown, wanted = boards_of(fold(RULES, number(events))), expected.standings(plain)
    assert shown.keys() == wanted.keys()
    for name, lines in wanted.items():
        assert shown[name] == lines, name


def test_the_history_has_everything_that_its_rules_speak_of(monkeypatch: pytest.MonkeyPatch) -> None:
    events, plain = history(7)
    wanted = expected.standings(plain)
    assert {kind for event in plain if (kind := expected.kind_of(event))} == set(expected.WORTH)
    assert {name.split()[2] for name in wanted} == {"-", *(f"repo:{name}" for name in expected.repositories(plain))}
    assert {name.split()[1] for name in wanted} >= {"all", "monthly:2026-03", "last:7d", "last:30d", "last:365d"}
    whole = wanted["contributors all -"]
    monkeypatch.setattr(expected, "MOST_A_DAY", {})
    uncapped = expected.standings(plain)["contributors all -"]
    assert sum(Fraction(points) for _, _, points, *_ in uncapped) > sum(Fraction(points) for _, _, points, *_ in whole)
    assert [encode(event) for event in History(7).events()] == [encode(event) for event in events]


def test_days_are_kept_not_marks() -> None:
    plan = Game(RULES).boards["contributors"]
    assert all(isinstance(shape, Bucketed) for shape in (plan.shape, *plan.windows.values()))
