"""Bad images are rejected with a reason, within limits of memory and time, and nothing else happens."""

import subprocess
import sys
import textwrap
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from prequel.services.extractor.decoding import Decoder
from prequel.shared.events.types import Rejected
from prequel.shared.images.limits import MAX_SCANS
from tests.extractor.pictures import chunk, encoded, photograph, png, promised, quadrants, with_orientation

SIZE, MAX_PIXELS, MAX_BYTES = 32, 100_000, 200_000
FORMATS = ["JPEG", "PNG", "WEBP", "BMP", "GIF"]
GOOD = {format: encoded(quadrants(), format) for format in FORMATS} | {"EXIF": with_orientation(quadrants(), 6)}


def make() -> Decoder:
    return Decoder(max_pixels=MAX_PIXELS, max_bytes=MAX_BYTES, threads=1)


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    decoder = make()
    yield decoder
    decoder.close()


def reason(decoder: Decoder, data: bytes) -> str:
    with pytest.raises(Rejected) as caught:
        decoder.decode(data, SIZE)
    assert caught.value.detail
    return caught.value.reason


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"hello",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7",
        b"GIF89a",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"BM",
        b"RIFF\0\0\0\0WEBP",
        bytes(1000),
    ],
)
def test_bytes_that_are_not_an_image(decoder: Decoder, data: bytes) -> None:
    assert reason(decoder, data) == "undecodable"


@pytest.mark.parametrize("format", ["PPM", "ICO", "PCX", "JPEG2000"])
def test_formats_outside_the_contract_are_never_parsed(decoder: Decoder, format: str) -> None:
    assert reason(decoder, encoded(quadrants(), format)) == "undecodable"


@pytest.mark.parametrize("format", FORMATS)
def test_images_cut_anywhere_are_shown_as_damaged_or_rejected(decoder: Decoder, format: str) -> None:
    """Where the cut leaves no pixel, or the format shows all or nothing, the reason says so."""
    whole = GOOD[format]
    found = [shown_as(decoder, whole[:length]) for length in range(0, len(whole), max(1, len(whole) // 40))]
    assert set(found) <= {"undecodable", "damaged", "whole"}
    assert "whole" not in found[: len(found) * 3 // 4]
    assert format == "WEBP" or "damaged" in found


def shown_as(decoder: Decoder, data: bytes) -> str:
    try:
        return "damaged" if decoder.submit(data, SIZE).result().damaged else "whole"
    except Rejected as rejected:
        return rejected.reason


@pytest.mark.parametrize("format", FORMATS)
def test_the_header_alone_decides_about_size(decoder: Decoder, format: str) -> None:
    assert reason(decoder, promised(format, 400, 251)) == "too-large"
    assert reason(decoder, promised(format, 16_000, 16_000)) == "too-large"


def test_the_largest_image_that_is_allowed(decoder: Decoder) -> None:
    assert decoder.decode(encoded(Image.new("RGB", (400, 250)), "PNG"), SIZE).shape == (SIZE, SIZE, 3)


def test_more_bytes_than_allowed(decoder: Decoder) -> None:
    exact = GOOD["PNG"] + bytes(MAX_BYTES - len(GOOD["PNG"]))
    assert decoder.decode(exact, SIZE).shape == (SIZE, SIZE, 3)
    assert reason(decoder, exact + b"\0") == "too-large"


def test_pixels_beyond_pillows_own_limit(decoder: Decoder) -> None:
    assert reason(decoder, promised("PNG", 60_000, 60_000)) == "too-large"
    assert reason(decoder, promised("BMP", 2**31 - 1, 2**31 - 1)) == "too-large"


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt"])
def test_bombs_in_png_texts(decoder: Decoder, kind: bytes) -> None:
    bomb = zlib.compress(bytes(50_000_000), 9)
    head = b"x\0\0" if kind == b"zTXt" else b"x\0\x01\0\0\0"
    assert reason(decoder, png(8, 8, chunk(kind, head + bomb))) == "too-large"


def test_bombs_in_png_colour_profiles(decoder: Decoder) -> None:
    bomb = zlib.compress(bytes(50_000_000), 9)
    assert reason(decoder, png(8, 8, chunk(b"iCCP", b"x\0\0" + bomb))) == "too-large"


def test_jpegs_of_very_many_scans(decoder: Decoder) -> None:
    ordinary = encoded(photograph(64, 64), "JPEG", progressive=True)
    assert decoder.decode(ordinary, SIZE).shape == (SIZE, SIZE, 3)
    scan = ordinary[ordinary.rindex(b"\xff\xda") : -2]
    assert reason(decoder, ordinary[:-2] + scan * MAX_SCANS + b"\xff\xd9") == "too-large"


def test_bytes_like_scans_in_metadata_or_after_the_end_are_not_scans(decoder: Decoder) -> None:
    """Phones append videos to their pictures, whose bytes are anything."""
    noise = b"\xff\xda" * (2 * MAX_SCANS)
    ordinary = encoded(photograph(64, 64), "JPEG", progressive=True)
    assert decoder.decode(ordinary + noise, SIZE).shape == (SIZE, SIZE, 3)
    comment = b"\xff\xfe" + (len(noise) + 2).to_bytes(2) + noise
    assert decoder.decode(ordinary[:2] + comment + ordinary[2:], SIZE).shape == (SIZE, SIZE, 3)


BOMBS = """
    import resource, zlib
    from prequel.services.extractor.decoding import Decoder
    from prequel.shared.events.types import Rejected
    from tests.extractor.pictures import chunk, png, promised

    decoder = Decoder(max_pixels=1_000_000, max_bytes=2**24, threads=1)
    bombs = [promised(format, 1_001, 1_001) for format in ("JPEG", "PNG", "WEBP", "BMP", "GIF")]
    bombs += [promised(format, 13_000, 13_000) for format in ("JPEG", "PNG", "WEBP", "BMP", "GIF")]
    bombs += [png(8, 8, chunk(b"zTXt", b"x" + bytes(2) + BOMB)), png(8, 8, chunk(b"iCCP", b"x" + bytes(2) + BOMB))]
    decoder.decode(png(64, 64), 32)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for bomb in bombs:
        try:
            decoder.decode(bomb, 32)
        except Rejected as rejected:
            print(rejected.reason)
    decoder.close()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_stays_bounded_whatever_a_header_promises() -> None:
    """In a process of its own: the highest resident size, in KiB, before and after twelve bombs of up to 500 MB."""
    bomb = zlib.compress(bytes(500_000_000), 9)
    code = "BOMB = __import__('sys').stdin.buffer.read()\n" + textwrap.dedent(BOMBS)
    done = subprocess.run([sys.executable, "-c", code], input=bomb, capture_output=True, check=True)
    *reasons, grown = done.stdout.decode().split()
    assert reasons == ["too-large"] * 12
    assert int(grown) < 20_000


def test_large_images_are_decoded_one_at_a_time() -> None:
    """Eight images of 48 MB each on eight threads take the memory of about one: the rest waits its turn."""
    code = """
        import resource
        from PIL import Image
        from prequel.services.extractor.decoding import Decoder
        from tests.extractor.pictures import encoded

        decoder = Decoder(max_pixels=20_000_000, max_bytes=2**24, threads=8)
        large = encoded(Image.new("RGB", (4_100, 4_000)), "PNG")
        decoder.decode(large, 32)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for future in [decoder.submit(large, 32) for _ in range(8)]:
            future.result()
        decoder.close()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, check=True)
    assert int(done.stdout) < 60_000


def seen(data: bytes) -> object:
    """The shape and type of the decoded image, or the reason of its rejection."""
    try:
        pixels = make().decode(data, SIZE)
    except Rejected as rejected:
        return rejected.reason
    return pixels.shape, pixels.dtype


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_garbage_is_undecodable(data: bytes) -> None:
    with pytest.raises(Rejected):
        make().decode(data, SIZE)


@given(st.sampled_from(sorted(GOOD)), st.data())
@settings(max_examples=600, deadline=None)
def test_damaged_images_are_shown_or_rejected(format: str, data: st.DataObject) -> None:
    """Bytes of good files overwritten, removed and inserted: a picture of the right shape, or Rejected."""
    damaged = bytearray(GOOD[format])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, min(len(damaged) - 1, 700)))
        damaged[place : place + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    outcome = seen(bytes(damaged))
    assert outcome in ("undecodable", "too-large", ((SIZE, SIZE, 3), np.uint8))
