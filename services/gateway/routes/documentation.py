"""The calls described for people at /docs: plain HTML made from /openapi.json, so that it works without a network."""

from html import escape
from typing import Any

from fastapi import APIRouter, FastAPI, Response

from prequel.services.gateway.http.answers import ProblemAnswer

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem}"
    ":root{color-scheme:light dark;background:#fff;color:#1a1a1a}a{color:#0b57d0}"
    "@media(prefers-color-scheme:dark){:root{background:#121212;color:#e8e8e8}a{color:#8ab4f8}}"
    "code{font-family:ui-monospace,monospace}h2,h3{margin-top:2.5rem;border-top:1px solid #8888;padding-top:1rem}"
    "code,td{overflow-wrap:anywhere}"
    "table{border-collapse:collapse}td,th{text-align:left;padding:.15rem 1rem .15rem 0;vertical-align:top}"
)
POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
Schema = dict[str, Any]


class DescribedApi(FastAPI):
    """An application whose description holds what its routes do not say themselves: problems and keys."""

    def openapi(self) -> Schema:
        description = super().openapi()
        description["components"]["schemas"]["ProblemAnswer"] = ProblemAnswer.model_json_schema()
        description["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
        description["security"] = [{}, {"bearer": []}, {"key": []}]
        return description


def routes(app: FastAPI) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/docs")
    async def docs() -> Response:
        return Response(page(app.openapi()), media_type="text/html", headers={"Content-Security-Policy": POLICY})

    return router


def page(description: Schema) -> str:
    """The whole description as one HTML document."""
    calls = [
        _call(method, path, call) for path, methods in description["paths"].items() for method, call in methods.items()
    ]
    schemas = [_schema(name, schema) for name, schema in description["components"]["schemas"].items()]
    title = escape(description["info"]["title"])
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}: HTTP calls</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style><main><h1>{title}: HTTP calls</h1>'
        '<p>For tools: <a href="openapi.json">openapi.json</a>. Errors are problem+json (RFC 9457).</p>'
        f'{"".join(calls)}<h2 id="shapes">Shapes</h2>{"".join(schemas)}</main></html>'
    )


def _call(method: str, path: str, call: Schema) -> str:
    rows = [_row(f"{each['name']} ({each['in']})", each) for each in call.get("parameters", [])]
    for kind, body in call.get("requestBody", {}).get("content", {}).items():
        rows.append(f"<tr><td>body<td><code>{escape(kind)}</code> {_type(body.get('schema', {}))}")
    for code, answer in call.get("responses", {}).items():
        rows.append(f"<tr><td>{escape(code)}<td>{_answer(answer)}")
    text = escape(call.get("description", ""))
    return (
        f"<h2><code>{method.upper()} {escape(path)}</code></h2><p><b>{escape(call.get('summary', ''))}.</b> {text}</p>"
        f"<table>{''.join(rows)}</table>"
    )


def _answer(answer: Schema) -> str:
    shapes = [_type(body.get("schema", {})) for body in answer.get("content", {}).values()]
    return " ".join(filter(None, [*shapes, escape(answer.get("description", ""))]))


def _row(name: str, field: Schema) -> str:
    text = escape(field.get("description") or field.get("schema", {}).get("description") or "")
    return f"<tr><td><code>{escape(name)}</code><td>{_type(field.get('schema', field))} {text}"


def _schema(name: str, schema: Schema) -> str:
    rows = [_row(each, field) for each, field in schema.get("properties", {}).items()]
    text = escape(schema.get("description", ""))
    return f'<h3 id="{escape(name)}"><code>{escape(name)}</code></h3><p>{text}</p><table>{"".join(rows)}</table>'


def _type(schema: Schema) -> str:
    """A schema in a few words: a link, ``list of ...``, or alternatives."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema or "oneOf" in schema:
        return " or ".join(_type(each) for each in schema.get("anyOf") or schema["oneOf"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return f"<i>{escape(str(schema.get('format') or schema.get('type', '')))}</i>"
