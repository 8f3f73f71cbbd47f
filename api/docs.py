"""GET /openapi.json, and GET /docs: the same to read, as one plain page without scripts that asks for nothing else."""

import base64
import hashlib
from html import escape
from typing import Any

from aiohttp import web

from api.negotiate import unchanged
from api.openapi import document, encoded
from api.response import JSON, NO_CACHE, Ready

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1, h2 { line-height: 1.2; }
p, li, td { overflow-wrap: anywhere; }
code { font: 0.9em ui-monospace, monospace; overflow-wrap: anywhere; }
details { border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: 0.4rem; margin: 0.4rem 0; }
summary { padding: 0.5rem 0.75rem; cursor: pointer; }
details > div { padding: 0 0.75rem 0.75rem; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.25rem 0.75rem 0.25rem 0; }
th { font-weight: 600; }
.method { display: inline-block; min-width: 3.5rem; font-weight: 700; }
"""
POLICY = "; ".join(
    [
        "default-src 'none'",
        f"style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
_HTML = (
    f"Content-Type: text/html; charset=utf-8\r\nContent-Security-Policy: {POLICY}\r\n"
    "X-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Resource-Policy: same-origin\r\n"
).encode()


class Docs:
    """The handlers. Both are made at the first request: most processes are never asked."""

    def __init__(self) -> None:
        self._json: bytes | None = None
        self._page: bytes | None = None

    async def openapi(self, request: web.Request) -> Ready:
        """GET /openapi.json"""
        if self._json is None:
            self._json = encoded()
        return _answer(request, JSON, self._json)

    async def docs(self, request: web.Request) -> Ready:
        """GET /docs"""
        if self._page is None:
            self._page = page(document()).encode()
        return _answer(request, _HTML, self._page)


def _answer(request: web.Request, headers: bytes, body: bytes) -> Ready:
    # Weak, because the body may be sent packed or not.
    tag = f'W/"{hashlib.sha256(body).hexdigest()[:16]}"'.encode()
    headers += NO_CACHE + b"ETag: " + tag + b"\r\n"
    if unchanged(request, tag):
        return Ready(304, headers)
    return Ready(200, headers, body)


def page(made: dict[str, Any]) -> str:
    """An OpenAPI document as HTML."""
    operations = [
        (method, path, operation) for path, methods in made["paths"].items() for method, operation in methods.items()
    ]
    parts = [f"<h1>{escape(made['info']['title'])} API</h1>", *_paragraphs(made["info"]["description"])]
    parts.append('<p>For programs: <a href="/openapi.json">/openapi.json</a> (OpenAPI 3.1).</p>')
    for tag in made["tags"]:
        parts.append(f"<h2>{escape(tag['name'].title())}</h2>")
        parts += _paragraphs(tag["description"])
        parts += [_operation(*each) for each in operations if tag["name"] in each[2]["tags"]]
    parts.append("<h2>Schemas</h2>")
    parts += [_schema(name, schema) for name, schema in made["components"]["schemas"].items()]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Rankfold API</title>'
        f"<style>{STYLE}</style></head><body><main>{''.join(parts)}</main></body></html>"
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    rows = [
        [f"<code>{escape(item['name'])}</code>", escape(item["in"]), _type(item["schema"]), _text(item["description"])]
        for item in operation["parameters"]
    ]
    answers = [
        [escape(status), _text(answer["description"]), _media(answer.get("content", {}))]
        for status, answer in operation["responses"].items()
    ]
    body = operation.get("requestBody", {}).get("content", {})
    return (
        f'<details id="{escape(operation["operationId"])}"><summary><span class="method">{method.upper()}</span> '
        f"<code>{escape(path)}</code> {escape(operation['summary'])}</summary><div>"
        + (_table(["parameter", "in", "type", ""], rows) if rows else "")
        + (f"<p>Body: {_media(body)}</p>" if body else "")
        + _table(["status", "means", "body"], answers)
        + "</div></details>"
    )


def _schema(name: str, schema: dict[str, Any]) -> str:
    required = schema.get("required", [])
    rows = [
        [
            f"<code>{escape(field)}</code>",
            _type(of),
            "" if field in required else "optional",
            _text(of.get("description", "")),
        ]
        for field, of in schema.get("properties", {}).items()
    ]
    inner = _table(["field", "type", "", ""], rows) if rows else f"<p>{_type(schema)}</p>"
    about = "".join(_paragraphs(schema.get("description", "")))
    summary = f"<summary><code>{escape(name)}</code></summary>"
    return f'<details id="schema-{escape(name)}">{summary}<div>{about}{inner}</div></details>'


def _media(content: dict[str, Any]) -> str:
    return "<br>".join(f"{escape(media)}: {_type(each['schema'])}" for media, each in content.items())


def _type(schema: dict[str, Any]) -> str:
    """A schema in a few words; what has a name is linked."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#schema-{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    kind = schema.get("type", "any")
    if kind == "array":
        return f"array of {_type(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'])}"
    limits = [f"{word} {schema[key]}" for key, word in _LIMITS.items() if key in schema]
    return escape(" ".join([kind if isinstance(kind, str) else " or ".join(kind), *limits]))


_LIMITS = {"minimum": "from", "maximum": "to", "maxLength": "up to", "format": "as", "pattern": "like"}


def _table(heads: list[str], rows: list[list[str]]) -> str:
    head = "".join(f"<th scope=col>{each}</th>" for each in heads)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(map(_row, rows))}</tbody></table>"


def _row(cells: list[str]) -> str:
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _paragraphs(text: str) -> list[str]:
    return [f"<p>{_text(part)}</p>" for part in text.split("\n\n") if part]


def _text(text: str) -> str:
    """Prose in which backquotes mark code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if at % 2 else part for at, part in enumerate(parts))
