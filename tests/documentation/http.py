"""The HTTP reference, written from the gateway's OpenAPI description."""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from prometheus_client import CollectorRegistry

from prequel.services.gateway import app
from prequel.services.gateway.assembly import Dependencies
from prequel.shared.environment import from_environment
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.store.sqlite import SqliteStore

Schema = dict[str, Any]

SAYS_NOTHING = ("OK", "Successful Response")
"""What FastAPI writes where nothing was said of an answer."""


@cache
def description() -> Schema:
    """What the gateway serves at /openapi.json; the gateway is made, but not started."""
    with TemporaryDirectory() as folder:
        log, store = SqliteLog(Path(folder) / "log"), SqliteStore(Path(folder) / "store.sqlite")
        try:
            dependencies = Dependencies(
                settings=from_environment({}),
                log=log,
                store=store,
                metrics=Metrics(CollectorRegistry()),
                health=Health(),
                clock=lambda: 0.0,
                new_id=lambda: "",
            )
            return app.create(dependencies).openapi()
        finally:
            log.close()
            store.close()


def calls() -> str:
    """A list of the calls, each of them, and every object that they take and give."""
    found = description()
    each = [(method, path, one) for path, methods in found["paths"].items() for method, one in methods.items()]
    shapes = [shape(name, one) for name, one in sorted(found["components"]["schemas"].items())]
    return "\n\n".join([contents(each), *(call(*one) for one in each), "## Objects", *shapes])


def contents(each: Sequence[tuple[str, str, Schema]]) -> str:
    rows = [f"| `{method.upper()} {path}` | {link(described['summary'])} |" for method, path, described in each]
    return "\n".join(["| call | |", "| --- | --- |", *rows])


def link(heading: str) -> str:
    anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
    return f"[{heading}](#{anchor})"


def call(method: str, path: str, described: Schema) -> str:
    lines = [f"### {described['summary']}", "", f"`{method.upper()} {path}`", ""]
    if text := described.get("description", ""):
        lines += [paragraphs(text), ""]
    lines += ["| parameter or answer | type | meaning |", "| --- | --- | --- |"]
    lines += [row(f"`{each['name']}` ({each['in']})", each["schema"], text_of(each)) for each in parameters(described)]
    lines += [row(f"body `{kind}`", body.get("schema", {}), "") for kind, body in bodies(described)]
    lines += [answer(code, each) for code, each in sorted(described["responses"].items())]
    return "\n".join(lines)


def parameters(described: Schema) -> list[Schema]:
    found: list[Schema] = described.get("parameters", [])
    return [each for each in found if each["name"] != "stream"]


def bodies(described: Schema) -> Iterator[tuple[str, Schema]]:
    yield from described.get("requestBody", {}).get("content", {}).items()


def text_of(parameter: Schema) -> str:
    return str(parameter.get("description") or parameter["schema"].get("description") or "")


def answer(code: str, described: Schema) -> str:
    shapes = [kind(body.get("schema", {})) for body in described.get("content", {}).values()]
    text = described.get("description", "")
    return f"| {code} | {cell(' or '.join(filter(None, shapes)))} | {'' if text in SAYS_NOTHING else cell(text)} |"


def shape(name: str, described: Schema) -> str:
    lines = [f"### {name} object", ""]
    if text := described.get("description", ""):
        lines += [paragraphs(text), ""]
    lines += ["| field | type | meaning |", "| --- | --- | --- |"]
    fields = described.get("properties", {}).items()
    return "\n".join([*lines, *(row(f"`{field}`", each, each.get("description", "")) for field, each in fields)])


def row(name: str, schema: Schema, text: str) -> str:
    return f"| {name} | {cell(kind(schema))} | {cell(text)} |"


def cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def paragraphs(text: str) -> str:
    """Lines that a docstring wraps, joined."""
    return "\n\n".join(" ".join(each.split()) for each in re.split(r"\n\s*\n", text))


def kind(schema: Schema) -> str:
    """A schema in a few words: a link to a shape, a list, or alternatives."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()}-object)"
    if several := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(kind(each) for each in several)
    if parts := schema.get("prefixItems"):
        return "[" + ", ".join(kind(each) for each in parts) + "]"
    if schema.get("type") == "array":
        return f"list of {kind(schema.get('items', {}))}"
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    return str(schema.get("format") or schema.get("type", ""))
