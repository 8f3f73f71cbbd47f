"""`rankfold schema`: JSON Schema of the events on the wire and of the rulesets, and AsyncAPI of the log's streams."""

from typing import Annotated, Literal

import typer

from cli import settings
from cli.terminal import show_json
from schemas.errors import InvalidInput, Problem
from schemas.jsonschema import events_schema, rulesets_schema


def schema_command(
    what: Annotated[Literal["events", "rulesets"] | None, typer.Argument(help="Only this one; default: both.")] = None,
    asyncapi: Annotated[bool, typer.Option("--asyncapi", help="The log's streams as AsyncAPI 3.0 instead.")] = False,
) -> None:
    """Print the JSON Schema of events and rulesets, or what the log's streams hold as AsyncAPI."""
    if asyncapi:
        if what is not None:
            raise InvalidInput(Problem("--asyncapi", "describes the streams: leave events and rulesets out"))
        from consumers.asyncapi import document

        show_json(document(settings.load().shards))
        return
    made = {"events": events_schema, "rulesets": rulesets_schema}
    show_json(made[what]() if what is not None else {name: make() for name, make in made.items()})
