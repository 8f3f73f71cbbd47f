"""`rankfold preview` and `rankfold rulesets preview`, as a user runs them."""

import json

import pytest

from tests.integration.test_cli_stack import Up, make_game, scores, up

__all__ = ["up"]
pytestmark = pytest.mark.services


def test_a_correction_is_previewed_and_not_published(up: Up) -> None:
    make_game(up, "previewed")
    up.done("publish", "-", "--wait", stdin=scores("previewed", ("ann", 5), ("bob", 7), ("cid", 6)))
    before = up.json("board", "previewed", "total")
    ruling = {"id": "r1", "type": "adjustment", "game": "previewed", "player": "bob", "reason": "glitch"}
    lines = json.dumps(ruling | {"values": {"points": -4}}) + "\n"
    shown = up.done("preview", "-", "--board", "total", stdin=lines)
    assert "▼ 2" in shown
    assert "7 → 3" in shown
    assert "nothing was written" in shown
    answer = json.loads(up.done("preview", "-", "--json", stdin=lines))
    bob = next(one for one in answer["changes"] if (one["player"], one["board"]) == ("bob", "total"))
    assert (bob["before"]["rank"], bob["after"]["rank"], bob["moved"]) == (1, 3, -2)
    assert up.json("board", "previewed", "total") == before


def test_rules_are_previewed(up: Up) -> None:
    rules = make_game(up, "tried")
    up.done("publish", "-", "--wait", stdin=scores("tried", ("ann", 5), ("bob", 7)))
    rules.write_text(rules.read_text().replace('["points desc"]', '["points asc"]'))
    shown = up.done("rulesets", "preview", str(rules), "--board", "total")
    assert "▲ 1" in shown
    assert "▼ 1" in shown


@pytest.mark.parametrize("text", ["", "{}\n", "not json\n", '{"game": "a"}\n{"game": "b"}\n'])
def test_bad_files_are_refused(up: Up, text: str) -> None:
    result = up.run("preview", "-", stdin=text)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


def test_bad_events_are_named(up: Up) -> None:
    make_game(up, "bad")
    result = up.run(
        "preview", "-", stdin='{"game": "bad", "id": "x", "type": "score", "player": "ann", "values": {"goals": 1}}'
    )
    assert result.returncode == 2
    assert "values.goals" in result.stderr
