"""Examples out of a request's body: features as JSON, one or several, as lines of JSON, or as rows of float32."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
import orjson
from fastapi import Request
from starlette.datastructures import UploadFile

from prequel.services.gateway.http.problems import Problem, invalid
from prequel.services.gateway.http.uploads import ID_FIELD, LABEL_FIELD, field_values, parsed_form
from prequel.shared.backbone_specs import BACKBONE_RULE, valid_backbone
from prequel.shared.events.names import ID_RULE, LABEL_RULE, normal_label, valid_id, valid_label
from prequel.shared.vectors import InvalidVector, Vector, check_vector, vector_from_numbers

MAX_EXAMPLES = 1_000
"""In one request: of 1,280 values each 5 MB, encoded and appended within some 100 ms. Ten times as many would delay
other requests noticeably; half as many would make small vectors pay the time of a request more often."""
PARSED_ON_LOOP_BYTES = 2**16
"""Larger bodies are parsed on another thread: this much takes about a millisecond."""
FLOAT32 = np.dtype("<f4")
FORM = "multipart/form-data"
LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl")
MAX_FORM_FIELDS = 2 * MAX_EXAMPLES
_FIELDS = ("features", "id", "label", "backbone")
_KINDS = (
    "send one example or a list as application/json, one a line as application/x-ndjson, or rows of little-endian "
    "float32 values as application/octet-stream or as the file of a form (multipart/form-data)"
)


class SentExample(NamedTuple):
    """An example as it was sent. ``field`` is where it stands in the request: `2.` in a list, empty for the only one.

    None: the request says nothing of it for this one; an empty label is none.
    """

    field: str
    vector: Vector
    id: str | None = None
    label: str | None = None
    backbone: str | None = None


class SentExamples(NamedTuple):
    """At least one example; ``several``: a request of this form could have had more."""

    examples: list[SentExample]
    several: bool


async def read_examples(request: Request, dim: int | None) -> SentExamples:
    """The examples in a request's body. ``dim`` is how many values rows of float32 have; None: all are one row.

    Raises Problem: 413 for too many, 415, 422 that names the example and its field.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == FORM:
        return await _read_form(request, dim)
    body = await request.body()
    if not body:
        raise invalid("body", f"is empty: {_KINDS}")
    if kind == "application/octet-stream":
        rows = [SentExample(field, row) for field, row in _rows(body, dim, "body")]
        return SentExamples(rows, dim is not None)
    if kind == "application/json":
        return await _parse(_from_json, body)
    if kind in LINES:
        return await _parse(_from_lines, body)
    raise Problem(415, f"Content-Type {kind[:100]!r} is not supported here: {_KINDS}")


async def _parse(parse: Callable[[bytes], SentExamples], body: bytes) -> SentExamples:
    return parse(body) if len(body) <= PARSED_ON_LOOP_BYTES else await asyncio.to_thread(parse, body)


async def _read_form(request: Request, dim: int | None) -> SentExamples:
    async with parsed_form(request, max_files=1, max_fields=MAX_FORM_FIELDS) as form:
        for name in form:
            if name not in ("file", ID_FIELD.name, LABEL_FIELD.name):
                raise invalid(name[:100] or "file", "unknown field: a form has file, and one id and label for each row")
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise invalid("file", "the form has no file of rows of little-endian float32 values")
        rows = _rows(await file.read(), dim, "file")
        ids, labels = (field_values(form, field, len(rows), "row") for field in (ID_FIELD, LABEL_FIELD))
        examples = [
            SentExample(field, row, id, label) for (field, row), id, label in zip(rows, ids, labels, strict=True)
        ]
        return SentExamples(examples, several=True)


def _rows(data: bytes, dim: int | None, name: str) -> list[tuple[str, Vector]]:
    """Each row with its place among them, which is empty where it is the only one."""
    size = FLOAT32.itemsize * dim if dim else max(len(data), FLOAT32.itemsize)
    if not data or len(data) % size or size % FLOAT32.itemsize:
        rule = (
            f"rows of dim={dim} little-endian float32 values, which are {size} bytes each"
            if dim
            else ("little-endian float32 values; dim says how many there are in a row")
        )
        raise invalid(name, f"has {len(data)} bytes: send {rule}")
    count = len(data) // size
    _check_count(count)
    vectors = np.frombuffer(data, FLOAT32).reshape(count, -1)
    return [(field := f"{row}." if dim else "", _checked(vector, field)) for row, vector in enumerate(vectors)]


def _checked(vector: Vector, field: str) -> Vector:
    try:
        return check_vector(vector)
    except InvalidVector as error:
        raise invalid(f"{field}features.{error.place}", str(error)) from None


def _from_json(body: bytes) -> SentExamples:
    content = _json(body, "body")
    if not isinstance(content, list):
        return SentExamples([_example("", content)], several=False)
    if not content:
        raise invalid("body", "an empty list: send at least one example")
    _check_count(len(content))
    return SentExamples([_example(f"{place}.", each) for place, each in enumerate(content)], several=True)


def _from_lines(body: bytes) -> SentExamples:
    examples = list(_examples_of_lines(body.split(b"\n")))
    if not examples:
        raise invalid("body", "has no line with an example")
    return SentExamples(examples, several=True)


def _examples_of_lines(lines: Sequence[bytes]) -> Iterator[SentExample]:
    """One for each line that is not empty; lines are numbered from 1, as editors do."""
    full = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    _check_count(len(full))
    for number, line in full:
        yield _example(f"line {number}.", _json(line, f"line {number}"))


def _json(text: bytes, field: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        # Python writes NaN and Infinity, which JSON does not have: read here, so that the answer says where they are.
        if b"NaN" in text or b"Infinity" in text:
            with suppress(ValueError, RecursionError):
                return json.loads(text)
        raise invalid(field, f"not JSON: {error}") from None


def _example(field: str, body: object) -> SentExample:
    if not isinstance(body, Mapping):
        name = field.removesuffix(".") or "body"
        raise invalid(name, 'expected an object like {"features": [0.5, 1.5], "id": "a", "label": "cat"}')
    for name in body:
        if name not in _FIELDS:
            raise invalid(f"{field}{name[:100]}", f"unknown field; an example has {', '.join(_FIELDS)}")
    return SentExample(
        field,
        _vector(field, body.get("features")),
        _text(f"{field}id", body.get("id"), valid_id, ID_RULE),
        _label(f"{field}label", body.get("label")),
        _text(f"{field}backbone", body.get("backbone"), valid_backbone, BACKBONE_RULE),
    )


def _vector(field: str, numbers: object) -> Vector:
    if numbers is None:
        raise invalid(f"{field}features", "is missing: a list of numbers")
    try:
        return vector_from_numbers(numbers)
    except InvalidVector as error:
        place = _place_of_no_number(numbers) if error.place is None else error.place
        message = "is not a number" if error.place is None and place is not None else str(error)
        raise invalid(f"{field}features" if place is None else f"{field}features.{place}", message) from None


def _place_of_no_number(numbers: object) -> int | None:
    """The first value that is no number, in a list that has one."""
    values = numbers if isinstance(numbers, list) else []
    return next((place for place, value in enumerate(values) if type(value) not in (float, int)), None)


def _label(field: str, label: object) -> str | None:
    if label in (None, ""):
        return None
    return _text(field, normal_label(label) if isinstance(label, str) else label, valid_label, LABEL_RULE)


def _text(field: str, text: object, valid: Callable[[str], bool], rule: str) -> str | None:
    if text is None or (isinstance(text, str) and valid(text)):
        return text
    raise invalid(field, f"{str(text)[:150]!r} is not valid: use {rule}")


def _check_count(count: int) -> None:
    if count > MAX_EXAMPLES:
        raise Problem(
            413, f"{count} examples in one request, which takes {MAX_EXAMPLES}: send them in several requests"
        )
