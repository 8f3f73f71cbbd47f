"""CSV that a spreadsheet can open without running anything. RFC 4180: CRLF, quotes doubled inside quotes, UTF-8.

A text that a spreadsheet would take for a formula gets an apostrophe in front, and so does one that begins with an
apostrophe. So taking one leading apostrophe off every cell gives back what was exported. Plain numbers stay as they are.
"""

import re
from collections.abc import Iterable

# The full-width forms count as well: some spreadsheets take them for the others.
_STARTS = "=+\\-@＝＋－＠"  # noqa: RUF001 - these are the characters that are meant
_RISKY = re.compile(rf"[\s\x00-\x20\ufeff\u200b]*[{_STARTS}]|[\t\r\n']")
_HARMLESS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ .:-]*")
_BEGINS_NUMBERS = frozenset("+-0123456789")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def row(values: Iterable[int | str | None]) -> str:
    """A line with its end."""
    return ",".join(map(cell, values)) + "\r\n"


def cell(value: int | str | None) -> str:
    """A value as it stands in a line. Numbers are bare, texts quoted, and what is missing is empty."""
    if value is None:
        return ""
    if isinstance(value, int) or (value[:1] in _BEGINS_NUMBERS and _NUMBER.fullmatch(value)):
        return str(value)
    if _HARMLESS.fullmatch(value):
        return f'"{value}"'
    guard = "'" if _RISKY.match(value) else ""
    return '"' + guard + value.replace('"', '""') + '"'


def original(text: str) -> str:
    """What was exported, out of a cell as a CSV reader gives it."""
    return text.removeprefix("'")
