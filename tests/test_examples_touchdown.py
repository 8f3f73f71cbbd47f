"""Touchdown picks: the engine's standings against those that a plain script works out from the rules in words."""

from pathlib import Path
from typing import Any

import pytest

from engine.fold import Fold, number
from engine.leaderboard import Leaderboard
from engine.rules import compile_ruleset
from examples.touchdown_picks.season import WEEKS, Season
from examples.touchdown_picks.standings import standings
from schemas.codec import encode
from schemas.ruleset import parse

RULES = Path(__file__).parents[1] / "examples" / "touchdown_picks" / "touchdown.toml"
SHOWN = ("points", "wins", "losses", "percentage", "distance", "streak", "longest", "form")


def folded(seed: int) -> Fold:
    fold = Fold(compile_ruleset(parse(RULES.read_text("utf-8"))))
    for position, event in number(Season(seed).events()):
        assert not fold.game.check(event)
        fold.apply(event, position)
    fold.settle()
    return fold


def shown(fold: Fold, period: str) -> list[dict[str, Any]]:
    table = fold.tables["standings", period, ""]
    ranking = Leaderboard(table.plan.style)
    for player, row in table.rows.items():
        ranking.set(player, row.prefix, row.extra)
    lines = []
    for entry in ranking.window(0, 1_000).entries:
        metrics = table.plan.decode(entry.prefix, entry.extra)
        lines.append({"player": entry.player, **{name: metrics[name] for name in SHOWN}, "rank": entry.rank})
    return lines


@pytest.mark.parametrize("seed", [7, 8, 9])
def test_the_standings_are_those_of_the_rules_in_words(seed: int) -> None:
    fold = folded(seed)
    lines = [encode(event).decode() for event in Season(seed).events()]
    assert shown(fold, "all") == standings(lines)
    for week in range(1, WEEKS + 1):
        expected = [{**line, "form": line["form"] or ""} for line in standings(lines, week)]
        assert shown(fold, f"round:{week}") == expected, f"week {week}"


def test_late_picks_are_rejections() -> None:
    fold = folded(7)
    assert {rejection.reason.split(":")[0] for rejection in fold.rejections}
    assert all("lock" in rejection.reason for rejection in fold.rejections)
