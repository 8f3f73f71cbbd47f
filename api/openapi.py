"""OpenAPI 3.1 of the API, made from the structs of the answers and the table in `api.operations`."""

import inspect
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from api import problems
from api.batch import EVENTS_MAX
from api.changes import Ranks
from api.dead_letters import STATUSES
from api.generations import GenerationAction
from api.jobs import Job
from api.operations import JSON, OPERATIONS, Operation, Players
from api.params import AROUND_MAX, CURSOR_CHARS_MAX, LIVE_MAX, PAGE_MAX, SEARCH_CHARS_MAX
from api.preview import LIMIT_MAX, Question
from api.problems import Details, Kind
from api.publish import WAIT_MS_MAX
from api.rulesets import MEDIA
from schemas.events import AnyEvent
from schemas.jsonschema import DIALECT, ID_SCHEMA, IDENTIFIERS, NAME_SCHEMA, components

REFERENCE = "#/components/schemas/{name}"
_ONE = r"[0-9]+\.[0-9]+\.[0-9]+-[0-9]+"
POSITION = {"type": "string", "pattern": f"^{_ONE}(,{_ONE})*$", "examples": ["1.0.1763840000000-0"]}
ALWAYS = (problems.INTERNAL, problems.UNAVAILABLE)
TAGS = {
    "games": "What exists.",
    "boards": "Rankings, and the places in them.",
    "generations": "Builds of a game's boards, one of which is live.",
    "live": "Changes as they happen.",
    "players": "Players across boards.",
    "events": "Facts: publishing them, and what became of them.",
    "jobs": "Work that takes longer than a client should wait.",
    "service": "The service itself.",
}
ABOUT = """Rankfold keeps scores, results and rulings as facts and folds them into rankings.

Every read tells the `position` in the log that it shows at least; `min_position` makes it wait for one, such as that which
publishing answers. Of a game that is spread over several shards a position is one for each of them, with commas between
them. Errors are problem details (RFC 9457) whose `type` never changes its meaning; `problems` lists what is
wrong with the input, by field. Lists have cursors: pass `next` on as `after`."""

KEY = {
    "type": "http",
    "scheme": "bearer",
    "description": "A key with a scope for the game: publish for scores and picks, officiate for fixtures, results and "
    "corrections and dead letters, admin for rulesets and players, read for private boards and rejections. What is public "
    "needs none.",
}

PARAMETERS: dict[str, tuple[dict[str, Any], str]] = {
    "game": (NAME_SCHEMA, "The game's name."),
    "board": (NAME_SCHEMA, "The board's name."),
    "player": (ID_SCHEMA, "The player's id."),
    "build": ({"type": "string"}, "Which build of the files."),
    "file": ({"type": "string"}, "The name of the file."),
    "job": ({"type": "string", "pattern": "^[A-Za-z0-9_-]{24}$"}, "The job's id, as the answer 202 gave it."),
    "id": ({"type": "integer", "minimum": 1}, "The number of the dead letter."),
    "version": ({"type": "integer", "minimum": 1}, "Default: the one that the boards go by."),
    "status": ({"enum": [*STATUSES], "default": "open"}, "Those still open, those tried again, or both."),
    "period": ({"type": "string", "examples": ["all", "round:7", "weekly:2026-02-02"]}, "Default: the present one."),
    "segment": ({"type": "string", "examples": ["country:NO"]}, "Default: the whole board."),
    "limit": ({"type": "integer", "minimum": 1, "maximum": PAGE_MAX}, "How many at most."),
    "q": (
        {"type": "string", "minLength": 1, "maxLength": SEARCH_CHARS_MAX},
        "Only players whose id begins so, or whose name does whatever the case.",
    ),
    "format": ({"enum": ["csv", "jsonl"], "default": "csv"}, "What the file is made of."),
    "around": ({"type": "integer", "minimum": 0, "maximum": AROUND_MAX}, "How many on each side, ranked with him."),
    "after": ({"type": "string", "maxLength": CURSOR_CHARS_MAX}, "A cursor: `next` of another page."),
    "before": ({"type": "string", "maxLength": CURSOR_CHARS_MAX}, "A cursor: `previous` of another page."),
    "min_position": (POSITION, "Wait until readers see this position, or all of these; 503 when that takes too long."),
    "generation": (
        {"type": "integer", "minimum": 1, "maximum": 999_999_999},
        "As this generation beside the live one shows it: for officials.",
    ),
    "known_at": (
        {"type": "string", "examples": ["2026-02-08T18:30:00Z", "1770575400000", "1.0.1770575400000-0"]},
        "What was displayed then: a time, or a position. 410 when that is kept no longer.",
    ),
    "by": ({"enum": ["change", "day", "round"]}, "Also the ranks at each change, day or round; 100 at most."),
    "view": (
        {"enum": ["public", "official"]},
        "What is seen of frozen boards: officials see on. With keys it needs, and is by default for, the scope `officiate`.",
    ),
    "effective_at": (
        {"type": "string", "examples": ["2026-02-08T18:30:00Z", "1770575400000", "1.0.1770575400000-0"]},
        "What was true then, by all that is known now: a time, or a position. 202 with a job for a game with many events.",
    ),
    "top": ({"type": "integer", "minimum": 1, "maximum": LIVE_MAX}, "How many of the first entries to follow."),
    "player*": ({"type": "array", "maxItems": LIVE_MAX, "items": ID_SCHEMA}, "Players to follow instead."),
    "last_event_id": ({"type": "string"}, "The id of the last event seen, when one comes back."),
    "wait": ({"type": "integer", "minimum": 0, "maximum": WAIT_MS_MAX}, "Milliseconds to wait until readers see it."),
}


def document(operations: Iterable[Operation] = OPERATIONS) -> dict[str, Any]:
    """The whole document, as a value for JSON."""
    schemas = _schemas()
    paths: dict[str, Any] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": DIALECT,
        "info": {"title": "Rankfold", "version": "1", "description": ABOUT, "license": {"name": "Apache-2.0"}},
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": about} for name, about in TAGS.items()],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"key": KEY}},
    }


def _operation(operation: Operation) -> dict[str, Any]:
    names = re.findall(r"{(\w+)}", operation.path)
    made: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": [
            *(_parameter(name, "path") for name in names),
            *(_parameter(name, "query") for name in operation.query),
        ],
        "responses": _responses(operation),
    }
    if operation.guarded:
        made["security"] = [{}, {"key": []}]
    if operation.body is not None:
        made["requestBody"] = {"required": True, "content": _BODIES[operation.body]}
    return made


def _parameter(name: str, place: str) -> dict[str, Any]:
    schema, about = PARAMETERS[name]
    required = {"required": True} if place == "path" else {}
    return {"name": name.removesuffix("*"), "in": place, **required, "description": about, "schema": schema}


def _responses(operation: Operation) -> dict[str, Any]:
    schema = _reference(operation.answer) if operation.answer is not None else {"type": "string"}
    answer: dict[str, Any] = {"description": operation.summary}
    if operation.status != 101:
        answer["content"] = {media: {"schema": schema} for media in operation.media.split(", ")}
    found = {str(operation.status): answer}
    if operation.job:
        found["202"] = {"description": "It goes on as a job.", "content": {JSON: {"schema": _reference(Job)}}}
    if operation.tagged:
        answer["headers"] = {"ETag": {"description": "For If-None-Match.", "schema": {"type": "string"}}}
        found["304"] = {"description": "As it was under the ETag given."}
    if operation.job:
        found["202"] = {
            "description": "It takes long: a job does it.",
            "headers": {"Location": {"description": "Where the job is told of.", "schema": {"type": "string"}}},
            "content": {JSON: {"schema": _reference(Job)}},
        }
    for status, kinds in _by_status(_kinds(operation)).items():
        found[str(status)] = _problem(kinds)
    if operation.name == "ready":
        found["503"] = {"description": "Something is away.", "content": {JSON: {"schema": schema}}}
    return dict(sorted(found.items()))


def _kinds(operation: Operation) -> tuple[Kind, ...]:
    """All problems that an operation may answer."""
    guards = (problems.UNAUTHORIZED, problems.FORBIDDEN, problems.TOO_MANY) if operation.guarded else ()
    bodies = (problems.TOO_SLOW,) if operation.body is not None else ()
    return (*operation.kinds, *bodies, *guards, *ALWAYS)


def _by_status(kinds: Iterable[Kind]) -> dict[int, list[Kind]]:
    found: dict[int, list[Kind]] = {}
    for kind in kinds:
        found.setdefault(kind.status, []).append(kind)
    return found


def _problem(kinds: list[Kind]) -> dict[str, Any]:
    about = "; ".join(f"{kind.title} (`{kind.type}`)" for kind in kinds)
    made: dict[str, Any] = {
        "description": about,
        "content": {"application/problem+json": {"schema": {"$ref": REFERENCE.format(name="Details")}}},
    }
    if kinds[0].status in (429, 503):
        made["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return made


def _reference(type_: Any) -> dict[str, Any]:
    (schema,), _ = components([type_], REFERENCE)
    found: dict[str, Any] = schema
    return found


def _schemas() -> dict[str, Any]:
    """The definitions of all structs that an answer or a body has, as they are on the wire."""
    answers = [operation.answer for operation in OPERATIONS if operation.answer is not None]
    bodies = [AnyEvent, Details, Players, Question, Ranks, GenerationAction]
    (events, *_), definitions = components([*bodies, *answers], REFERENCE)
    for name in [reference.rpartition("/")[2] for reference in events["discriminator"]["mapping"].values()]:
        # The path names the game.
        definitions[name]["required"].remove("game")
        for field, limits in IDENTIFIERS.items():
            if field in definitions[name]["properties"]:
                definitions[name]["properties"][field] = limits
    definitions["Event"] = events
    definitions["Players"]["properties"]["players"] |= {"minItems": 1, "maxItems": 1_000, "items": ID_SCHEMA}
    definitions["Question"]["properties"]["events"] = _EVENTS
    definitions["Question"]["properties"]["limit"] |= {"minimum": 1, "maximum": LIMIT_MAX}
    page = definitions["Page"]
    page["properties"] = {"position": POSITION, **page["properties"]}
    page["required"].insert(0, "position")
    definitions["Details"]["properties"]["type"] = {
        "enum": [kind.type for kind in problems.KINDS],
        "description": "What is wrong. "
        + " ".join(f"`{kind.type}` ({kind.status}): {kind.title}." for kind in problems.KINDS),
    }
    for definition in definitions.values():
        if "description" in definition:
            definition["description"] = inspect.cleandoc(definition["description"])
    return dict(sorted(definitions.items()))


_EVENT = {"$ref": REFERENCE.format(name="Event")}
_EVENTS = {"type": "array", "minItems": 1, "maxItems": EVENTS_MAX, "items": _EVENT}
_BATCH = {"type": "object", "properties": {"events": _EVENTS}, "required": ["events"], "additionalProperties": False}
_BINARY = {"description": "As JSON, in MessagePack. Numbers are integers or decimals in strings."}
_LINES = {"type": "string", "description": "JSON lines: an event each."}
_TOML = {"type": "string", "description": "The ruleset, as TOML."}
_BODIES: dict[str, dict[str, Any]] = {
    "Question": {JSON: {"schema": {"$ref": REFERENCE.format(name="Question")}}},
    "ruleset": {media: {"schema": _TOML} for media in MEDIA},
    "Players": {JSON: {"schema": {"$ref": REFERENCE.format(name="Players")}}},
    "GenerationAction": {JSON: {"schema": {"$ref": REFERENCE.format(name="GenerationAction")}}},
    "events": {
        JSON: {"schema": {"anyOf": [_EVENT, _EVENTS, _BATCH]}},
        "application/x-ndjson": {"schema": _LINES},
        "application/msgpack": {"schema": _BINARY},
    },
}


def encoded() -> bytes:
    """The document as JSON."""
    return msgspec.json.encode(document())
