"""Positions: an order, a text form that reads back, and nothing else accepted."""

import itertools

import pytest

from schemas.position import EPOCH_MAX, SEQ_MAX, Position, parse_entry

ASCENDING = [
    Position(1, 0, 0, 0),
    Position(1, 0, 0, 1),
    Position(1, 0, 9, 5),
    Position(1, 0, 10, 0),
    Position(1, 1, 0, 0),
    Position(2, 0, 0, 0),
    Position(10, 0, 0, SEQ_MAX),
    Position(EPOCH_MAX, EPOCH_MAX, 0, 0),
]


@pytest.mark.parametrize(("earlier", "later"), list(itertools.pairwise(ASCENDING)))
def test_positions_are_ordered_by_number_and_not_by_text(earlier: Position, later: Position) -> None:
    assert earlier < later


@pytest.mark.parametrize("position", ASCENDING)
def test_the_text_form_reads_back(position: Position) -> None:
    assert Position.parse(str(position)) == position


def test_the_text_form() -> None:
    position = Position.parse("1.0.1763840000000-7")
    assert position == (1, 0, 1_763_840_000_000, 7)
    assert (str(position), position.entry) == ("1.0.1763840000000-7", "1763840000000-7")


@pytest.mark.parametrize(
    "text",
    [
        "", "-", "1", "1-0", "1.0-0", "1.0.5", "1.0.5-", "1.0.-5", ".0.5-0", "1..5-0", "1.0.0.5-0", "1.0.5-0-0", "a.0.5-0",
        "-1.0.5-0", "+1.0.5-0", "1.0.5-0 ", " 1.0.5-0", "1.0.5-0\n", "1.0.5-0x", "1_0.0.5-0", "².0.5-0", "1.0.5.5-0",
        "01.0.5-0", "1.0.5-00", "\u0661.0.5-0", f"1.0.{SEQ_MAX + 1}-0", f"1.0.5-{SEQ_MAX + 1}", "1.0.5-" + "9" * 5_000,
        f"{EPOCH_MAX + 1}.0.5-0", f"1.{EPOCH_MAX + 1}.5-0",
    ],
)  # fmt: skip
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Position.parse(text)


def test_stream_entry_ids() -> None:
    assert parse_entry(b"1763840000000-3") == (1_763_840_000_000, 3)
    assert parse_entry(b"1763840000000") == (1_763_840_000_000, 0)
