"""Problems name the key that is wrong, wherever it stands among others."""

from typing import Any

import msgspec
import pytest

from schemas.codec import convert, decode
from schemas.errors import InvalidEvent, InvalidRuleset
from schemas.ruleset import parse

SCORE: dict[str, Any] = {"type": "score", "id": "e", "game": "g", "player": "ann", "values": {"points": 1}}
RESULT: dict[str, Any] = {"type": "result", "id": "e", "game": "g", "fixture": "f"}
MANY = {f"a{number}": number for number in range(64)}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({**SCORE, "values": {"a": 1, "b": "2.5", "c": "many", "d": None}}, "values.c"),
        ({**SCORE, "attributes": {"a": "x", "b.c": None, "d": []}}, "attributes.b.c"),
        ({**SCORE, "attributes": {**MANY, "a63": None}}, "attributes.a63"),
        ({**SCORE, "attributes": {**MANY, "more": None}}, "attributes[...]"),
        ({**SCORE, "attributes": {"x" * 100: None}}, f"attributes.{'x' * 64}"),
        ({**RESULT, "outcomes": {"winner": ["a"], "scorer": ["b", 7]}}, "outcomes.scorer[1]"),
        (
            {**RESULT, "placements": [{"player": "a"}, {"player": "b", "values": {"a": 1, "b": True}}]},
            "placements[1].values.b",
        ),
    ],
)
def test_of_an_event(fields: dict[str, Any], field: str) -> None:
    bodies = msgspec.json.encode(fields), msgspec.msgpack.encode(fields)
    for read in (lambda: decode(bodies[0]), lambda: decode(bodies[1]), lambda: convert(fields)):
        with pytest.raises(InvalidEvent) as caught:
            read()
        assert [problem.field for problem in caught.value.problems] == [field]


def test_of_a_table_with_a_key_that_is_no_text() -> None:
    with pytest.raises(InvalidEvent) as caught:
        decode(msgspec.msgpack.encode({**SCORE, "values": {"points": 1, 2: 2}}))
    assert [problem.field for problem in caught.value.problems] == ["values"]


RULES = """
game = "g"
[metrics.points]
[metrics.laps]

[boards.one]
rank_by = ["points desc"]
[boards.one.metrics.points]
op = "sum"
of = "points"

[boards.two]
rank_by = ["points desc"]
[boards.two.metrics.laps]
op = "sum"
of = "laps"
[boards.two.metrics.points]
op = "sum"
of = "points"
"""


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("scale = 1.5", "boards.two.metrics.points.scale: expected `int | null`, got `str` (line 20)"),
        ("colour = 1", "boards.two.metrics.points.colour: object contains unknown field `colour` (line 20)"),
        (
            "[boards.two.keep]\nmode = 'some'",
            "boards.two.keep.mode: invalid enum value 'some'; one of all, best, first, latest (line 21)",
        ),
        ("[metrics.kills]\nbig = 1", "metrics.kills.big: expected `bool`, got `int` (line 21)"),
    ],
)
def test_of_a_ruleset_with_its_line(more: str, problem: str) -> None:
    with pytest.raises(InvalidRuleset) as caught:
        parse(RULES + more)
    assert [str(each) for each in caught.value.problems] == [problem]
