"""CSV as spreadsheets read it: whatever a name or an id holds, nothing is a formula, and what comes back is what went in."""

import csv
import io
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.spreadsheet import cell, original, row

FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]")  # noqa: RUF001 - full-width forms that some spreadsheets take for the others
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
TEXTS = st.text(max_size=40) | st.from_regex(r"\A[\s'=+@,\";|\-0-9.]{0,12}\Z")
CELLS = st.none() | st.integers() | TEXTS


def parsed(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


@given(st.lists(CELLS, min_size=1, max_size=8))
@example(["=HYPERLINK(1)", "+1+1", "-2-3", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''", "-5", "+5.50", " =1"])
def test_nothing_that_a_spreadsheet_reads_is_a_formula(values: list[int | str | None]) -> None:
    (cells,) = parsed(row(values)) or [[""]]
    for text in cells:
        assert not FORMULA.match(text) or NUMBER.fullmatch(text)
        assert text[:1] not in ("\t", "\r", "\n")


@given(st.lists(st.lists(CELLS, min_size=2, max_size=5), min_size=1, max_size=5))
def test_what_is_read_back_is_what_was_written(lines: list[list[int | str | None]]) -> None:
    written = "".join(map(row, lines))
    assert [[original(text) for text in cells] for cells in parsed(written)] == [
        ["" if value is None else str(value) for value in line] for line in lines
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""),
        (7, "7"),
        (-7, "-7"),
        ("-12.50", "-12.50"),
        ("+5", "+5"),
        ("ann", '"ann"'),
        ("=1+1", '"\'=1+1"'),
        ("-1+1", '"\'-1+1"'),
        ("@ann", '"\'@ann"'),
        ("'quoted", "\"''quoted\""),
        ('say "hi", ann', '"say ""hi"", ann"'),
        ("-", '"\'-"'),
        ("1e5", '"1e5"'),
    ],
)
def test_cells(value: int | str | None, expected: str) -> None:
    assert cell(value) == expected


def test_lines_end_as_the_standard_says() -> None:
    assert row([1, "ann", None]) == '1,"ann",\r\n'
