"""Makes the Markdown tables: one per struct, and one of the operations of metrics."""

import re
import typing
from decimal import Decimal
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin

import msgspec

from schemas import language as lang
from schemas.rulecheck import DERIVED, OVER_NOTHING, TAKES
from tests.rulesetdoc.keys import OPERATIONS, TABLES

MARKER = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
WORDS = {int: "whole number", str: "text", bool: "true or false", Decimal: "number"}
NAMED: list[tuple[Any, str]] = [
    (lang.Number, "number"),
    (lang.Where, "conditions"),
    (lang.RankBy, "text or table"),
    (lang.Source, "[source](#sources)"),
]


def filled(text: str) -> str:
    """The document with every table between its markers written anew."""
    return MARKER.sub(lambda found: f"{found[1]}{table(found[2])}{found[3]}", text)


def named(text: str) -> list[str]:
    """The tables that the document has, in order."""
    return [found[2] for found in MARKER.finditer(text)]


def table(name: str) -> str:
    """One table by the name of its struct, or `operations`."""
    if name == "operations":
        return _operations()
    struct = next(struct for struct in TABLES if struct.__name__ == name)
    lines = ["| key | type | default | meaning | example |", "|---|---|---|---|---|"]
    kinds = typing.get_type_hints(struct)
    for field in msgspec.structs.fields(struct):
        meaning, example = TABLES[struct][field.name]
        cells = (f"`{field.name}`", kind(kinds[field.name]), _default(field), meaning, f"`{example}`")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def kind(annotation: Any) -> str:
    """A type in words."""
    for known, words in NAMED:
        if annotation == known:
            return words
    arguments = get_args(annotation)
    origin = get_origin(annotation)
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in arguments)
    if origin in (UnionType, typing.Union):
        kinds = [argument for argument in arguments if argument is not NoneType]
        if {int, Decimal} <= set(kinds):
            kinds.remove(int)
        return " or ".join(kind(argument) for argument in kinds)
    if origin is list:
        return f"list of {kind(arguments[0])}"
    if origin is dict:
        return f"table of {kind(arguments[1])}"
    return WORDS.get(annotation) or f"[{annotation.__name__}](#{annotation.__name__.lower()})"


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    value = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    if value is None or value in ({}, []) or (isinstance(value, dict) and field.name == "sources"):
        return "none" if field.name != "sources" else "see meaning"
    if isinstance(value, msgspec.Struct):
        return "its defaults"
    return f"`{msgspec.json.encode(value).decode()}`"


def _operations() -> str:
    lines = ["| op | of | further keys | gives |", "|---|---|---|---|"]
    for op, gives in OPERATIONS.items():
        of = "-" if op in OVER_NOTHING else "metrics of the board" if op in DERIVED else "a declared metric"
        keys = ", ".join(f"`{key}`" for key in sorted(TAKES.get(op, ()))) or "-"
        lines.append(f"| `{op}` | {of} | {keys} | {gives} |")
    return "\n".join(lines) + "\n"
