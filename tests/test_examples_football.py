"""The football league: what the engine shows against what a plain script counts and sorts."""

from pathlib import Path
from typing import Any

import pytest

from engine.fold import Fold, number
from engine.rules import compile_ruleset
from examples.football_league.season import FANS, ROUNDS, Season
from examples.football_league.standings import Log, badges, half, predictions, regulars, table
from schemas.codec import encode
from schemas.ruleset import parse
from tests.given import ranking

RULES = Path(__file__).parents[1] / "examples" / "football_league" / "league.toml"
SEEDS = [17, 7, 24, 26, 47]


def folded(seed: int) -> Fold:
    fold = Fold(compile_ruleset(parse(RULES.read_text("utf-8"))))
    for position, event in number(Season(seed).events()):
        assert not fold.game.check(event)
        fold.apply(event, position)
        fold.pass_time(position.ms)
    fold.settle()
    return fold


def lines_of(seed: int) -> list[str]:
    return [encode(event).decode() for event in Season(seed).events()]


def shown(fold: Fold, board: str, period: str = "all") -> list[dict[str, Any]]:
    decode = fold.game.boards[board].decode
    entries = ranking(fold, board, period).window(0, 100).entries
    return [{"rank": entry.rank, "player": entry.player, **decode(entry.prefix, entry.extra)} for entry in entries]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_tables_are_those_of_the_rules_in_words(seed: int) -> None:
    fold, log = folded(seed), Log(lines_of(seed))
    assert shown(fold, "table") == table(log)
    assert shown(fold, "home") == half(log, "home")
    assert shown(fold, "away") == half(log, "away")


@pytest.mark.parametrize("seed", SEEDS)
def test_the_predictions_are_those_of_the_rules_in_words(seed: int) -> None:
    fold, log = folded(seed), Log(lines_of(seed))
    assert shown(fold, "predictions") == predictions(log)
    for round_ in range(1, ROUNDS + 1):
        assert shown(fold, "predictions", f"round:{round_}") == predictions(log, round_), f"round {round_}"


@pytest.mark.parametrize("seed", SEEDS)
def test_who_came_how_many_days_in_a_row(seed: int) -> None:
    assert shown(folded(seed), "regulars") == regulars(Log(lines_of(seed)))


@pytest.mark.parametrize("seed", SEEDS)
def test_badges_are_earned_once_and_kept(seed: int) -> None:
    awarded = [(award.player, award.badge) for award in folded(seed).awards if award.period == "all"]
    assert len(awarded) == len(set(awarded))
    assert set(awarded) == badges(lines_of(seed))


def test_the_season_holds_what_its_readme_tells_of() -> None:
    lines, log = lines_of(17), Log(lines_of(17))
    assert lines == lines_of(17)
    assert lines != lines_of(7)
    by_difference = sorted(table(log), key=lambda line: (-line["points"], -line["difference"], -line["scored"]))
    assert [line["player"] for line in table(log)] != [line["player"] for line in by_difference]
    assert len(regulars(log)) == len(FANS) - 1
    assert any(line["streak"] > 7 for line in regulars(log))
    assert {badge for _, badge in badges(lines)} == {"oracle", "on-fire", "week"}


def test_predictions_that_came_too_late_are_rejections() -> None:
    fold = folded(17)
    assert len(fold.rejections) > 10
    reasons = [rejection.reason for rejection in fold.rejections]
    assert sum("lock" in reason for reason in reasons) > 10
    assert any("banned" in reason for reason in reasons)
