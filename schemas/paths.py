"""What msgspec has against a value, as a problem: the field by its path, and the rule.

Of a key in a table msgspec says `[...]`. Which one it was is found by leaving out the others.
"""

import re
from collections.abc import Iterator
from functools import reduce
from operator import getitem
from typing import Any

import msgspec

from schemas.allowed import allowed
from schemas.errors import Problem

KEYS_MAX = 64
"""In tables of more keys none is looked for: each is a conversion of the whole value."""

_PATH = re.compile(r" - at (`key` in )?`\$(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.(?P<name>[^.\[\]]+)|\[(?P<index>\d+|\.\.\.)\]")
Trail = list[str | int]


def problem_of(error: msgspec.ValidationError, raw: Any, shape: Any) -> Problem:
    """The field and the rule out of msgspec's message about `raw`, which is no `shape`; with what may stand there where that is
    a list of words."""
    text = str(error)
    found = _PATH.search(text)
    path = "".join(_named(raw, found["path"], shape)).lstrip(".") if found else ""
    rule = text[: found.start()] if found else text
    named = re.search(r"(?:required field|unknown field) `([^`]+)`", rule)
    if named:
        path = f"{path}.{named[1]}" if path else named[1]
    elif rule.startswith("Invalid value") and not path:
        path = "type"
    words = allowed(shape, path) if rule.startswith("Invalid") else ()
    return Problem(path, rule[:1].lower() + rule[1:] + (f"; one of {', '.join(words)}" if words else ""))


def _named(raw: Any, path: str, shape: Any) -> Iterator[str]:
    """The steps of a path, with the keys that `[...]` stands for where they can be told."""
    trail: Trail = []
    lost = False
    for step in _STEP.finditer(path):
        if step["index"] == "..." and not lost:
            key = _failing(raw, trail, path, shape)
            lost = key is None
            if key is not None:
                raw = _with(raw, trail, {key: _at(raw, trail)[key]})
                trail.append(key)
                yield f".{key[:64]}"
                continue
        elif not lost:
            trail.append(step["name"] or int(step["index"]))
        yield step[0]


def _failing(raw: Any, trail: Trail, path: str, shape: Any) -> str | None:
    """The first key of the table at `trail` with which alone the value fails at `path`."""
    table = _at(raw, trail)
    if not isinstance(table, dict) or len(table) > KEYS_MAX:
        return None
    for key, value in table.items():
        if len(table) == 1 or _fails_at(_with(raw, trail, {key: value}), shape) == path:
            return str(key)
    return None


def _fails_at(raw: Any, shape: Any) -> str | None:
    try:
        msgspec.convert(raw, shape)
    except msgspec.ValidationError as error:
        found = _PATH.search(str(error))
        return found["path"] if found else None
    return None


def _at(raw: Any, trail: Trail) -> Any:
    try:
        return reduce(getitem, trail, raw)
    except (KeyError, IndexError, TypeError):
        return None


def _with(value: Any, trail: Trail, part: dict[str, Any]) -> Any:
    """A copy of `value` with another table at `trail`."""
    if not trail:
        return part
    again = value.copy()
    again[trail[0]] = _with(value[trail[0]], trail[1:], part)
    return again
