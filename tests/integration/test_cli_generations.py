"""`rankfold generations` and the builds of `rankfold replay`, as a user runs them."""

import msgspec
import pytest

from tests.harness import score
from tests.integration.test_cli_stack import Up, make_game, up
from tests.services import eventually_sync

__all__ = ["up"]
pytestmark = pytest.mark.services


def first(up: Up, game: str) -> str:
    """Who leads the board."""
    player: str = up.json("board", game, "total")["entries"][0]["player"]
    return player


def scores(game: str, *points: tuple[str, int]) -> str:
    """Lines of scores, each of another player."""
    return "".join(
        msgspec.json.encode(score(f"{player}-{number}", player, number, game=game)).decode() + "\n"
        for player, number in points
    )


def test_a_shadow_under_other_rules_goes_live_and_back(up: Up) -> None:
    rules = make_game(up, "shadowed")
    up.done("publish", "-", "--wait", stdin=scores("shadowed", ("ann", 5), ("bob", 7)))
    rules.write_text(rules.read_text().replace('["points desc"]', '["points asc"]'))
    result = up.run("replay", "shadowed", "--shadow", "upside-down", "--rules", str(rules))
    assert "this is version 2 of the rules" in result.stderr
    assert "follows as 'upside-down'" in result.stdout
    assert up.run("replay", "shadowed", "--shadow", "upside-down").returncode == 2
    up.done("publish", "-", "--wait", stdin=scores("shadowed", ("cid", 1), ("dan", 9)))
    listed = up.json("generations", "list", "shadowed")["generations"]
    assert [(one["status"], one["name"], one["ruleset_version"]) for one in listed] == [
        ("live", None, 1),
        ("shadow", "upside-down", 2),
    ]
    assert listed[0]["position"] == listed[1]["position"]
    assert "upside-down" in up.done("generations", "list", "shadowed")
    assert up.json("replay", "shadowed", "--verify", "--generation", "upside-down")["same"]
    assert first(up, "shadowed") == "dan"
    up.done("generations", "swap", "shadowed", "upside-down")
    eventually_sync(lambda: first(up, "shadowed") == "cid", what="readers see the swap")
    up.done("publish", "-", "--wait", stdin=scores("shadowed", ("eve", 10)))
    back = up.json("generations", "swap-back", "shadowed")
    assert back["generation"] == listed[0]["generation"]
    eventually_sync(lambda: first(up, "shadowed") == "eve", what="readers see the old rules again")
    assert up.run("generations", "drop", "shadowed", str(back["generation"])).returncode == 2
    up.done("generations", "drop", "shadowed", "upside-down")
    assert len(up.json("generations", "list", "shadowed")["generations"]) == 1
    assert up.json("replay", "shadowed", "--verify")["same"]


def test_a_build_up_to_a_position_is_there_to_look_at(up: Up) -> None:
    make_game(up, "until")
    up.done("publish", "-", "--wait", stdin=scores("until", ("ann", 5)))
    half = up.json("generations", "list", "until")["generations"][0]["position"]
    up.done("publish", "-", "--wait", stdin=scores("until", ("ann", 6)))
    built = up.json("replay", "until", "--until", half)
    assert (built["events"], built["position"]) == (2, half)
    result = up.run("replay", "until", "--until", half, "--verify")
    assert result.returncode == 0, result.stderr
    assert "live equals replay" not in result.stdout
    assert up.run("replay", "until", "--until", "2999-01-01T00:00:00Z").returncode == 2
    assert up.run("replay", "until", "--until", "noon").returncode == 2


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--verify", "--swap"),
        ("--swap", "--shadow", "s"),
        ("--verify", "--rules", __file__),
        ("--swap", "--generation", "1"),
    ],
)
def test_options_that_exclude_each_other(up: Up, arguments: tuple[str, ...]) -> None:
    assert up.run("replay", "first", *arguments).returncode == 2
