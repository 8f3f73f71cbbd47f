"""JSON Schema of what Rankfold reads and writes, made from the structs. The commands print it, the API serves it."""

from collections.abc import Iterable
from typing import Any

import msgspec

from schemas.checks import ID_BYTES_MAX, NAME
from schemas.events import AnyEvent
from schemas.language import Ruleset

DIALECT = "https://json-schema.org/draft/2020-12/schema"
NAME_SCHEMA = {"type": "string", "pattern": f"^{NAME.pattern.removesuffix('Z').removesuffix(chr(92))}$"}
ID_SCHEMA = {"type": "string", "minLength": 1, "maxLength": ID_BYTES_MAX}
DECIMAL_SCHEMA = {"type": ["number", "string"], "format": "decimal"}
"""Exact either way: the digits of a JSON number are read as they stand."""

IDENTIFIERS = {"id": ID_SCHEMA, "player": ID_SCHEMA, "fixture": ID_SCHEMA, "event": ID_SCHEMA, "game": NAME_SCHEMA}


def events_schema() -> dict[str, Any]:
    """One event; `type` tells which."""
    return with_identifiers(_document("Rankfold event", AnyEvent))


def rulesets_schema() -> dict[str, Any]:
    """A ruleset, as the value that its TOML stands for."""
    return _document("Rankfold ruleset", Ruleset)


def components(types: Iterable[Any], ref_template: str) -> tuple[list[Any], dict[str, Any]]:
    """(the schema of each type, the definitions that these refer to by `ref_template`)."""
    schemas, definitions = msgspec.json.schema_components(tuple(types), ref_template=ref_template)
    return _with_decimals(list(schemas)), _with_decimals(dict(sorted(definitions.items())))


def with_identifiers(document: dict[str, Any]) -> dict[str, Any]:
    """Events with the limits of their ids and names, which the structs' types do not say."""
    for definition in document["$defs"].values():
        for name, limits in IDENTIFIERS.items():
            if name in definition["properties"]:
                definition["properties"][name] = limits
    return document


def _document(title: str, type_: Any) -> dict[str, Any]:
    (schema,), definitions = components([type_], "#/$defs/{name}")
    return {"$schema": DIALECT, "title": title, **schema, "$defs": definitions}


def _with_decimals(node: Any) -> Any:
    if isinstance(node, dict):
        if node.get("format") == "decimal":
            return DECIMAL_SCHEMA
        return {key: _with_decimals(value) for key, value in node.items()}
    return [_with_decimals(item) for item in node] if isinstance(node, list) else node
