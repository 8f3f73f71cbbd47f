"""Explanations as the command line tells them."""

from typing import Any

import pytest
from rich.text import Text

from cli import explain

PART: dict[str, Any] = {
    "number": 3,
    "occurred_at": "2026-02-02T02:40:00Z",
    "values": {"points": 9},
    "counts": True,
    "gives": {"points": 9, "runs": 1},
    "running": 14,
    "event": "run-3",
    "position": "1.0.1770000000000-0",
    "round": 2,
}
ANSWER: dict[str, Any] = {
    "position": "1.0.1770000000000-9",
    "game": "arcade",
    "board": "total",
    "period": "all",
    "player": "ann",
    "ruleset_version": 4,
    "rank": 2,
    "tied": 2,
    "total": 1_024,
    "keep": "the best 2 marks by points",
    "metrics": [
        {"metric": "points", "op": "sum", "value": 11},
        {"metric": "runs", "op": "count", "value": 3},
        {"metric": "share", "op": "ratio", "value": "3.667", "of": "points", "by": "runs"},
        {"metric": "days", "op": "streak", "value": 0, "lapsed": 4},
    ],
    "complete": True,
    "marks": 5,
    "older": {"marks": 2, "gives": {"points": 5, "runs": 2}, "adjustments": {"points": -3}, "averaged": {}},
    "parts": [PART],
    "newer": {"marks": 1, "gives": {}, "adjustments": {"points": 1}, "averaged": {}},
    "next": "3",
    "criteria": [],
    "ahead": {"player": "bob", "rank": 1, "metrics": {}, "words": "level on points; behind on runs 3-2"},
    "behind": None,
    "voided": [
        {"event": "run-2", "type": "score", "position": "1.0.1-0", "voided_by": "v", "reason": "\x1b[2J", "values": {}}
    ],
    "rejections": [{"event": "p", "field": "fixture", "reason": "unknown fixture"}],
}


def rows(**more: Any) -> list[list[str]]:
    answer = {**ANSWER, **more}
    metrics = [line for line in answer["metrics"] if line["op"] != "ratio"]
    return [[str(cell) for cell in row] for row in explain.rows(answer, metrics)]


def test_marks_stand_between_what_was_left_out_and_what_is_shown() -> None:
    assert rows() == [
        ["", "", "", "2 earlier marks", "5 -3", "2", "", ""],
        ["3", "2026-02-02 02:40:00", "2", "run-3", "9", "1", "", "14"],
        ["", "", "", "1 later mark", "+1", "", "", ""],
        ["", "", "", "shown", "11", "3", "0", ""],
    ]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"counts": False}, "run-3, dropped"),
        ({"adjusts": True, "reason": "left early"}, "run-3, adjustment, left early"),
        ({"event": "\x1b[2J"}, "\\x1b[2J"),
        ({"verdict": "win"}, "run-3, win"),
    ],
)
def test_what_a_mark_is(more: dict[str, Any], said: str) -> None:
    assert rows(parts=[{**PART, **more}])[1][3] == said


def test_a_contest_tells_its_revision() -> None:
    part = {name: value for name, value in PART.items() if name != "event"}
    results = [{"revision": 1, "holds": False}, {"revision": 5, "holds": True}]
    assert (
        rows(parts=[{**part, "fixture": "final", "results": results}])[1][3] == "fixture final, revision 5 of 2 results"
    )


def test_what_is_told_beside_the_marks() -> None:
    assert list(explain.notes(ANSWER)) == [
        "rank =2 of 1,024; counted: the best 2 marks by points; rules 4",
        "share 3.667: the ratio of points and runs",
        "days: 4 until time went on without a mark",
        "next ahead, bob at 1: level on points; behind on runs 3-2",
        "void: score run-2 at 1.0.1-0: \\x1b[2J",
        "rejected: p, fixture: unknown fixture",
    ]


def test_what_does_not_count_is_dim() -> None:
    metrics = ANSWER["metrics"][:1]
    row = next(iter(explain.rows({**ANSWER, "older": None, "parts": [{**PART, "counts": False}]}, metrics)))
    assert all(isinstance(cell, Text) and cell.style == "dim" for cell in row)
