"""AsyncAPI 3.0 of the log's streams: FastStream describes the subscribers, the structs of the events what they read.

The subscribers of the consumer itself are made when it has a lease, and see raw bytes; these here stand for them.
"""

import inspect
from typing import Any

from faststream.redis import RedisBroker, StreamSub
from faststream.specification import AsyncAPI

from projections.names import stream_key
from schemas.events import AnyEvent
from schemas.jsonschema import IDENTIFIERS, components

TITLE = "Rankfold's log"
ABOUT = """Facts, one a stream entry. An entry has one field, `event`, which holds an event as JSON or MessagePack.

A game lives on one shard, which the shard number of GET /v1/games/{game} names. XADD is full trust: whoever may write to a
stream may publish anything, so untrusted publishers get HTTP only."""
REFERENCE = "#/components/schemas/{name}"


def document(shards: int) -> dict[str, Any]:
    """The document for a log of so many shards, as a value for JSON."""
    broker = RedisBroker("redis://localhost:6379", apply_types=False)
    for shard in range(shards):
        stream = StreamSub(stream_key(shard), batch=True)
        title, about = f"shard-{shard}", f"The events of the games of shard {shard}."
        broker.subscriber(stream=stream, title=title, description=about)(_read)
    described = AsyncAPI(broker, title=TITLE, description=ABOUT, version="1", schema_version="3.0.0")
    made: dict[str, Any] = described.to_specification().to_jsonable()
    for channel in made["channels"].values():
        # What stands in braces is a parameter to AsyncAPI; here they are part of the key, and keep it on one node.
        number = channel["address"].partition("{")[2].partition("}")[0]
        channel["parameters"] = {
            number: {"enum": [f"{{{number}}}"], "description": "Stands for itself, with its braces."}
        }
    for message in made["components"]["messages"].values():
        del message["correlationId"]
        message["payload"] = {"$ref": REFERENCE.format(name="Entry")}
    made["components"]["schemas"] = _schemas()
    return made


async def _read(entries: list[Any]) -> None:
    """Stands for the consumer's handler."""


def _schemas() -> dict[str, Any]:
    (event,), definitions = components([AnyEvent], REFERENCE)
    for definition in definitions.values():
        definition["description"] = inspect.cleandoc(definition["description"])
        definition["properties"] |= {
            name: limits for name, limits in IDENTIFIERS.items() if name in definition["properties"]
        }
    entry = {
        "type": "object",
        "description": "A stream entry: field `event`, the event's bytes.",
        "properties": {"event": {"$ref": REFERENCE.format(name="Event")}},
        "required": ["event"],
    }
    return {"Entry": entry, "Event": event, **definitions}
