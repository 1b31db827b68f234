"""Images out of a request's body: the body itself, or every ``file`` of a form."""

import re
from typing import NamedTuple

from fastapi import Request
from starlette.datastructures import FormData, UploadFile

from services.gateway.problems import Problem, invalid

MOST_FILES = 100
FORM_IMAGES = 4
"""A form may be this many times the size of the largest image."""

_IMAGE_TYPE = re.compile(r"image/[a-z0-9.+-]{1,64}")
UNKNOWN_TYPE = "application/octet-stream"


class Upload(NamedTuple):
    """An encoded image as it was sent; nobody has looked at the bytes. ``content_type`` is what the client says."""

    data: bytes
    content_type: str


async def read_uploads(request: Request, most_bytes: int) -> list[Upload]:
    """At least one image. Raises Problem: 413, 415, or 422 where nothing is in it."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _form(request, most_bytes)
    if not _IMAGE_TYPE.fullmatch(kind):
        raise Problem(
            415,
            f"Content-Type {kind[:100]!r} is no image: send the bytes of one with Content-Type: image/jpeg "
            "(image/png, image/webp, ...), or a form (multipart/form-data) with it as file",
        )
    return [_checked("body", await request.body(), kind, most_bytes)]


async def _form(request: Request, most_bytes: int) -> list[Upload]:
    async with request.form(max_files=MOST_FILES, max_fields=10) as form:
        return [
            _checked(f"file {number} ({(file.filename or '')[:100]})", await file.read(), _kind(file), most_bytes)
            for number, file in enumerate(_files(form), 1)
        ]


def _files(form: FormData) -> list[UploadFile]:
    for name, value in form.multi_items():
        if name != "file" or not isinstance(value, UploadFile):
            raise invalid(
                name[:100] or "file", "a form may only hold files, each named file; label is a parameter of the URL"
            )
    files = [value for value in form.getlist("file") if isinstance(value, UploadFile)]
    if not files:
        raise invalid("file", "the form has no file")
    return files


def _kind(file: UploadFile) -> str:
    kind = (file.content_type or "").partition(";")[0].strip().lower()
    return kind if _IMAGE_TYPE.fullmatch(kind) else UNKNOWN_TYPE


def _checked(name: str, data: bytes, kind: str, most_bytes: int) -> Upload:
    if not data:
        raise invalid(name, "is empty")
    if len(data) > most_bytes:
        raise Problem(413, f"{name} has {len(data)} bytes; PREQUEL_MAX_IMAGE_BYTES allows {most_bytes}")
    return Upload(data, kind)
