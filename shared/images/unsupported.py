"""Says what bytes are that are not a supported image, and what to do with them: the same text at every entrance."""

import re

READABLE = "JPEG, PNG, WebP, BMP, GIF, AVIF, HEIC or TIFF"
SEND = f"send the bytes of a {READABLE} file"
HEAD_BYTES = 4096
"""The first bytes of a file that are looked at: enough to recognize each kind, however large the file is."""
RAW = "a camera's raw file: develop it to JPEG or TIFF first, and send that"
_UNPACK = "unpack it, and send each image"
_FILM = f"a video or sound file: send single pictures of it, as {READABLE}"


def describe_unsupported(data: bytes) -> str:
    """One sentence: what the bytes are, as far as it can be recognized, and what to send instead."""
    if not data:
        return f"an empty file: {SEND}"
    for beginning, description in _KINDS:
        if beginning.match(data[:HEAD_BYTES]):
            return description
    if data[4:8] == b"ftyp":
        return _FILM
    return _text(data) or f"not an image of a known kind (it begins with {data[:8].hex(' ')}): {SEND}"


def _starts(*beginnings: bytes) -> re.Pattern[bytes]:
    return re.compile(b"|".join(map(re.escape, beginnings)))


_SPACE = rb"(?:\xef\xbb\xbf)?\s*"
_KINDS: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (_starts(b"\x93NUMPY"), f"a NumPy array (.npy), not an encoded image: save it as PNG first, and {SEND}"),
    (_starts(b"%PDF"), "a PDF: save its pages as images, and send these"),
    (_starts(b"%!PS"), "a PostScript file: save its pages as images, and send these"),
    (
        re.compile(_SPACE + rb"(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*(?:<!DOCTYPE svg[^>]*>\s*)?<svg", re.I | re.S),
        f"an SVG drawing, which has no pixels: draw it as PNG, and {SEND}",
    ),
    (
        re.compile(_SPACE + rb"(?:<!--.*?-->\s*)*<(?:!doctype html|html|head|body)", re.I | re.S),
        f"an HTML page, perhaps an error page or a login instead of an image: {SEND}",
    ),
    (re.compile(_SPACE + rb"<\?xml", re.I), f"an XML document: {SEND}"),
    (
        re.compile(_SPACE + rb"data:image/[a-z0-9.+-]+;base64,", re.I),
        "a data: URL: decode its base64, and send the bytes",
    ),
    (
        re.compile(_SPACE + rb"(?:https?|ftp|s3|gs|file)://\S+", re.I),
        "a web address, not an image: download it, and send the bytes",
    ),
    (re.compile(_SPACE + rb"[\[{]\s*[\"\[{\]}\d-]"), f"JSON text: {SEND} as they are, without JSON around them"),
    (_starts(b"PK\x03\x04", b"PK\x05\x06"), f"a ZIP archive (or a document that is one): {_UNPACK}"),
    (_starts(b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"), f"a compressed file: {_UNPACK}"),
    (_starts(b"7z\xbc\xaf\x27\x1c", b"Rar!"), f"an archive: {_UNPACK}"),
    (re.compile(rb".{257}ustar", re.S), f"a tar archive: {_UNPACK}"),
    (_starts(b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"), f"a Python pickle, which is never read: {SEND}"),
    (_starts(b"\x89HDF"), f"an HDF5 file: save its arrays as PNG, and {SEND}"),
    (re.compile(rb"II\*\0.{4}CR", re.S), RAW),
    (_starts(b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0"), RAW),
    (re.compile(rb".{4}ftypcrx ", re.S), RAW),
    (_starts(b"\0\0\0\x0cJXL \r\n\x87\n", b"\xff\x0a"), f"a JPEG XL image, which is not read yet: {SEND}"),
    (_starts(b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"), f"a JPEG 2000 image: {SEND}"),
    (_starts(b"8BPS"), f"a Photoshop file: export it, and {SEND}"),
    (_starts(b"gimp xcf"), f"a GIMP file: export it, and {SEND}"),
    (_starts(b"\0\0\x01\0", b"\0\0\x02\0"), f"an icon file (.ico): {SEND}"),
    (re.compile(rb".{128}DICM", re.S), f"a DICOM file: convert it to PNG, and {SEND}"),
    (re.compile(rb"P[1-7]\s"), f"a portable pixmap (.ppm, .pgm): convert it to PNG, and {SEND}"),
    (re.compile(rb"RIFF.{4}(?:AVI |WAVE)", re.S), _FILM),
    (_starts(b"\x1aE\xdf\xa3", b"\0\0\x01\xba", b"OggS", b"ID3", b"FLV"), _FILM),
)

_BASE64 = re.compile(rb"[A-Za-z0-9+/_\r\n-]{16,}={0,2}\s*")


def _text(data: bytes) -> str | None:
    head = data[:HEAD_BYTES].strip()
    if _BASE64.fullmatch(head):
        return f"base64 text: decode it, and send the bytes ({READABLE})"
    try:
        text = data[:HEAD_BYTES].decode()
    except UnicodeDecodeError as error:
        if error.end < min(len(data), HEAD_BYTES) - 3:
            return None
        text = data[: error.start].decode()
    if text.strip() and all(character.isprintable() or character.isspace() for character in text):
        return f"text ({text.strip()[:30]!r} ...), not an image: {SEND}"
    return None
