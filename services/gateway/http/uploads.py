"""Images out of a request's body: the body itself, or every ``file`` of a form, perhaps each with id and label."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

from fastapi import Request
from starlette.datastructures import FormData, UploadFile

from prequel.services.gateway.http.cloud_events import in_body, in_headers
from prequel.services.gateway.http.problems import Problem, invalid, unavailable
from prequel.shared.events.attributes import NO_ATTRIBUTES, Attributes
from prequel.shared.events.names import ID_RULE, LABEL_RULE, normal_label, valid_id, valid_label
from prequel.shared.events.structured import STRUCTURED
from prequel.shared.images.formats import detect_format, media_type
from prequel.shared.images.unsupported import describe_unsupported

MOST_FILES = 100
FORM_IMAGES = 4
"""A form may be this many times the size of the largest image."""

_IMAGE_TYPE = re.compile(r"image/[a-z0-9.+-]{1,64}")
UNKNOWN_TYPE = "application/octet-stream"


class Upload(NamedTuple):
    """An encoded image as it was sent; nobody has looked at the bytes. ``content_type`` is what the client says.

    ``id`` and ``label`` are those of a form's field, or of a CloudEvent; "" is no label, None is for the request to
    say. ``attributes`` are a CloudEvent's that we do not know.
    """

    data: bytes
    content_type: str
    id: str | None = None
    label: str | None = None
    attributes: Attributes = NO_ATTRIBUTES


async def read_uploads(request: Request, most_bytes: int) -> list[Upload]:
    """At least one image. Raises Problem: 413, 415, or 422 where nothing is in it."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _form(request, most_bytes)
    body = await request.body()
    if kind == STRUCTURED:
        event, data, inner = in_body(body)
        return [_checked("data_base64", data, _type_or_unknown(inner), most_bytes)._replace(**event._asdict())]
    if not _IMAGE_TYPE.fullmatch(kind):
        raise Problem(415, f"Content-Type {kind[:100]!r} is no image: {_instead(body)}")
    event = in_headers(request.headers.items())
    return [_checked("body", body, kind, most_bytes)._replace(**event._asdict())]


def _instead(body: bytes) -> str:
    """What to send instead of a body that is called no image, by what it is."""
    format = detect_format(body)
    if format:
        return f"the bytes are one, so send them with Content-Type: {media_type(format)}"
    how = "with Content-Type: image/jpeg (image/png, ...), or a form (multipart/form-data) with it as file"
    return f"the body is {describe_unsupported(body)}, {how}" if body else f"send the bytes of one {how}"


async def _form(request: Request, most_bytes: int) -> list[Upload]:
    async with _parsed(request) as form:
        files = _files(form)
        uploads = [
            _checked(f"file {number} ({(file.filename or '')[:100]})", await file.read(), _kind(file), most_bytes)
            for number, file in enumerate(files, 1)
        ]
        ids = _field(form, "id", str, valid_id, ID_RULE)
        labels = _field(form, "label", normal_label, _no_or_valid, LABEL_RULE)
        return [upload._replace(id=id, label=label) for upload, id, label in zip(uploads, ids, labels, strict=True)]


@asynccontextmanager
async def _parsed(request: Request) -> AsyncIterator[FormData]:
    """The form; what is large in it lies in the folder of temporary files."""
    try:
        async with request.form(max_files=MOST_FILES, max_fields=2 * MOST_FILES) as form:
            yield form
    except OSError as error:
        raise unavailable(
            f"this machine's folder of temporary files takes nothing now ({error.strerror}): make room there (TMPDIR), "
            "or send each image as a body of its own; send it again"
        ) from error


def _field(
    form: FormData, name: str, read: Callable[[str], str], valid: Callable[[str], bool], words: str
) -> list[str] | list[None]:
    """One value for each file, in the order of the files, or none at all."""
    values, files = [read(str(value)) for value in form.getlist(name)], len(form.getlist("file"))
    if values and len(values) != files:
        raise invalid(name, f"is there {len(values)} times for {files} files: give it once for each, in their order")
    for number, value in enumerate(values, 1):
        if not valid(value):
            raise invalid(f"{name} {number}", f"{value[:150]!r} is no {name}: take {words}")
    return values or [None] * files


def _no_or_valid(label: str) -> bool:
    return not label or valid_label(label)


def _files(form: FormData) -> list[UploadFile]:
    for name, value in form.multi_items():
        if name in ("id", "label") and isinstance(value, str):
            continue
        if name != "file" or not isinstance(value, UploadFile):
            raise invalid(
                name[:100] or "file",
                "a form may only hold file, as often as wanted, and id and label once for each file",
            )
    files = [value for value in form.getlist("file") if isinstance(value, UploadFile)]
    if not files:
        raise invalid("file", "the form has no file")
    return files


def _kind(file: UploadFile) -> str:
    return _type_or_unknown(file.content_type or "")


def _type_or_unknown(content_type: str) -> str:
    kind = content_type.partition(";")[0].strip().lower()
    return kind if _IMAGE_TYPE.fullmatch(kind) else UNKNOWN_TYPE


def _checked(name: str, data: bytes, kind: str, most_bytes: int) -> Upload:
    if not data:
        raise invalid(name, "is empty")
    if len(data) > most_bytes:
        raise Problem(413, f"{name} has {len(data)} bytes; PREQUEL_MAX_IMAGE_BYTES allows {most_bytes}")
    return Upload(data, kind)
