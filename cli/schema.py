"""`rankfold schema`: JSON Schema of the events on the wire and of the rulesets."""

from typing import Annotated, Any, Literal

import msgspec
import typer

from cli.terminal import show_json
from schemas.checks import ID_BYTES_MAX, NAME
from schemas.events import AnyEvent
from schemas.language import Ruleset

DIALECT = "https://json-schema.org/draft/2020-12/schema"
NAME_SCHEMA = {"type": "string", "pattern": f"^{NAME.pattern.removesuffix('Z').removesuffix(chr(92))}$"}
ID_SCHEMA = {"type": "string", "minLength": 1, "maxLength": ID_BYTES_MAX}
DECIMAL_SCHEMA = {"type": ["number", "string"], "format": "decimal"}
"""Exact either way: the digits of a JSON number are read as they stand."""

IDENTIFIERS = {"id": ID_SCHEMA, "player": ID_SCHEMA, "fixture": ID_SCHEMA, "event": ID_SCHEMA, "game": NAME_SCHEMA}


def schema_command(
    what: Annotated[Literal["events", "rulesets"] | None, typer.Argument(help="Only this one; default: both.")] = None,
) -> None:
    """Print the JSON Schema of events and rulesets."""
    made = {"events": events_schema, "rulesets": rulesets_schema}
    show_json(made[what]() if what is not None else {name: make() for name, make in made.items()})


def events_schema() -> dict[str, Any]:
    """One event; `type` tells which."""
    document = _document("Rankfold event", AnyEvent)
    for definition in document["$defs"].values():
        for name, limits in IDENTIFIERS.items():
            if name in definition["properties"]:
                definition["properties"][name] = limits
    return document


def rulesets_schema() -> dict[str, Any]:
    """A ruleset, as the value that its TOML stands for."""
    return _document("Rankfold ruleset", Ruleset)


def _document(title: str, type_: Any) -> dict[str, Any]:
    (schema,), components = msgspec.json.schema_components((type_,), ref_template="#/$defs/{name}")
    document = {"$schema": DIALECT, "title": title, **schema, "$defs": dict(sorted(components.items()))}
    exact: dict[str, Any] = _with_decimals(document)
    return exact


def _with_decimals(node: Any) -> Any:
    if isinstance(node, dict):
        if node.get("format") == "decimal":
            return DECIMAL_SCHEMA
        return {key: _with_decimals(value) for key, value in node.items()}
    return [_with_decimals(item) for item in node] if isinstance(node, list) else node
