"""Images out of a request's body: the body itself, or every ``file`` of a form, with an id and label each if given."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple

from fastapi import Request
from starlette.datastructures import FormData, UploadFile

from prequel.services.gateway.http.cloud_events import from_body, from_headers
from prequel.services.gateway.http.problems import Problem, invalid, unavailable
from prequel.shared.events.attributes import NO_ATTRIBUTES, Attributes
from prequel.shared.events.names import ID_RULE, LABEL_RULE, normal_label, valid_id, valid_label
from prequel.shared.events.structured import STRUCTURED
from prequel.shared.images.formats import detect_format, media_type
from prequel.shared.images.unsupported import describe_unsupported

MAX_FILES = 100
"""In one form. They are appended together or not at all; of more, one bad file would cost too much work."""
FORM_IMAGES = 4
"""A form may be this many times the size of the largest image: all of it is in memory at once."""

_IMAGE_TYPE = re.compile(r"image/[a-z0-9.+-]{1,64}")
UNKNOWN_TYPE = "application/octet-stream"


class Upload(NamedTuple):
    """An encoded image as it was sent, not yet decoded. ``content_type`` is what the client says it is.

    ``id`` and ``label`` come from a form's field or a CloudEvent. None: the request's own header or parameter counts;
    "" as a label: none. ``attributes`` are a CloudEvent's that are not Prequel's own.
    """

    data: bytes
    content_type: str
    id: str | None = None
    label: str | None = None
    attributes: Attributes = NO_ATTRIBUTES


@dataclass(frozen=True)
class FormField:
    """A field of a form that may be there once for each file. ``rule`` says in words what ``valid`` accepts."""

    name: str
    rule: str
    valid: Callable[[str], bool]
    normalize: Callable[[str], str] = str


def _empty_or_valid_label(label: str) -> bool:
    return not label or valid_label(label)


ID_FIELD = FormField("id", ID_RULE, valid_id)
LABEL_FIELD = FormField("label", LABEL_RULE, _empty_or_valid_label, normal_label)


async def read_uploads(request: Request, max_bytes: int) -> list[Upload]:
    """At least one image. Raises Problem: 413, 415, or 422 where there is none."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _read_form(request, max_bytes)
    body = await request.body()
    if kind == STRUCTURED:
        event, data, data_type = from_body(body)
        _check_size("data_base64", data, max_bytes)
        return [Upload(data, _image_type(data_type), event.id, event.label, event.attributes)]
    if not _IMAGE_TYPE.fullmatch(kind):
        raise Problem(415, f"Content-Type {kind[:100]!r} is not an image: {_remedy(body)}")
    event = from_headers(request.headers.items())
    _check_size("body", body, max_bytes)
    return [Upload(body, kind, event.id, event.label, event.attributes)]


def _remedy(body: bytes) -> str:
    """What to send instead of a body whose Content-Type is no image, depending on what the bytes are."""
    format = detect_format(body)
    if format:
        return f"the bytes are one, so send them with Content-Type: {media_type(format)}"
    how = "with Content-Type: image/jpeg (image/png, ...), or a form (multipart/form-data) with it as file"
    return f"the body is {describe_unsupported(body)}, {how}" if body else f"send the bytes of one {how}"


async def _read_form(request: Request, max_bytes: int) -> list[Upload]:
    async with parsed_form(request, max_files=MAX_FILES, max_fields=2 * MAX_FILES) as form:
        uploads = [
            await _read_file(file, f"file {number} ({(file.filename or '')[:100]})", max_bytes)
            for number, file in enumerate(_files(form), 1)
        ]
        ids, labels = (field_values(form, field, len(uploads), "file") for field in (ID_FIELD, LABEL_FIELD))
        return [upload._replace(id=id, label=label) for upload, id, label in zip(uploads, ids, labels, strict=True)]


@asynccontextmanager
async def parsed_form(request: Request, *, max_files: int, max_fields: int) -> AsyncIterator[FormData]:
    """The form; Starlette writes its large files to the folder of temporary files."""
    try:
        async with request.form(max_files=max_files, max_fields=max_fields) as form:
            yield form
    except OSError as error:
        raise unavailable(
            f"the gateway cannot write to its folder of temporary files ({error.strerror}): free some disk space there "
            "(TMPDIR), or send each image as a body of its own; then send the request again"
        ) from error


def field_values(form: FormData, field: FormField, count: int, unit: str) -> list[str] | list[None]:
    """One value for each of ``count`` files or rows (``unit``), in their order, or none at all."""
    values = [field.normalize(str(value)) for value in form.getlist(field.name)]
    if values and len(values) != count:
        raise invalid(
            field.name, f"found {len(values)} times with {count} {unit}s; send it once for each {unit}, in their order"
        )
    for number, value in enumerate(values, 1):
        if not field.valid(value):
            raise invalid(f"{field.name} {number}", f"{value[:150]!r} is not a valid {field.name}: use {field.rule}")
    return values or [None] * count


def _files(form: FormData) -> list[UploadFile]:
    for name, value in form.multi_items():
        if name in (ID_FIELD.name, LABEL_FIELD.name) and isinstance(value, str):
            continue
        if name != "file" or not isinstance(value, UploadFile):
            raise invalid(
                name[:100] or "file", "unknown field: a form may have any number of file, and one id and label for each"
            )
    files = [value for value in form.getlist("file") if isinstance(value, UploadFile)]
    if not files:
        raise invalid("file", "the form has no file")
    return files


async def _read_file(file: UploadFile, name: str, max_bytes: int) -> Upload:
    data = await file.read()
    _check_size(name, data, max_bytes)
    return Upload(data, _image_type(file.content_type or ""))


def _image_type(content_type: str) -> str:
    """Anything but a plain image type is stored as unknown: it would be sent to browsers as it is."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind if _IMAGE_TYPE.fullmatch(kind) else UNKNOWN_TYPE


def _check_size(name: str, data: bytes, max_bytes: int) -> None:
    if not data:
        raise invalid(name, "is empty")
    if len(data) > max_bytes:
        raise Problem(413, f"{name} has {len(data)} bytes; PREQUEL_MAX_IMAGE_BYTES allows {max_bytes}")
