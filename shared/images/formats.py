"""The formats that are decoded, detected by the first bytes of a file."""

_MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "HEIF": "image/heic",
    "TIFF": "image/tiff",
}
FORMATS = tuple(_MEDIA_TYPES)
"""By Pillow's names."""

_MAGIC = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
)
_HEIC_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"))
_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_EITHER_BRANDS = frozenset((b"mif1", b"msf1"))  # of the container that both use: the compatible brands decide


def detect_format(data: bytes) -> str | None:
    """The format by Pillow's name; None for bytes that are not decoded here. Needs the first 256 bytes at most."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return _by_brand(data)
    # Canon's raw files begin as a TIFF does, but what they contain is not a picture yet.
    if data[8:10] == b"CR" and data[:4] == b"II*\0":
        return None
    return next((format for magic, format in _MAGIC if data.startswith(magic)), None)


def media_type(format: str | None) -> str:
    """The media type of a format; application/octet-stream for None."""
    return _MEDIA_TYPES.get(format or "", "application/octet-stream")


def _by_brand(data: bytes) -> str | None:
    # ISO/IEC 14496-12: a box `ftyp` has its length, the major brand, a version, and compatible brands to its end.
    end = min(int.from_bytes(data[:4]), 256)  # A file that claims thousands of brands is not searched for them.
    brands = {data[8:12], *(data[place : place + 4] for place in range(16, end - 3, 4))}
    if data[8:12] in _AVIF_BRANDS | _EITHER_BRANDS and brands & _AVIF_BRANDS:
        return "AVIF"
    return "HEIF" if data[8:12] in _HEIC_BRANDS | _EITHER_BRANDS and data[8:12] not in _AVIF_BRANDS else None
