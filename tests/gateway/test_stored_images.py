"""Stored images read back: as sent, as thumbnails, and never as anything that a browser would run."""

import io

import pytest
from PIL import Image

from prequel.services.gateway.view.thumbnails import Thumbnails, sniffed_media_type
from prequel.shared.events.predictions import encode_prediction
from prequel.shared.events.types import Rejected
from prequel.shared.images.limits import MAX_SCANS, ImageLimits
from prequel.shared.images.reading import ImageReader
from prequel.shared.images.thumbnails import thumbnail
from prequel.shared.log.base import Position
from tests.gateway.conftest import PNG, Served
from tests.gateway.echo_learner import predicted

LIMITS = ImageLimits(2**24, 64_000_000)
READER = ImageReader(LIMITS)
HTML = b"<!doctype html><script>fetch('/v1/streams')</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def photo(width: int = 640, height: int = 480, mode: str = "RGB") -> Image.Image:
    return Image.radial_gradient("L").resize((width, height)).convert(mode)


def sent(gateway: Served, data: bytes) -> str:
    """The path of an image that was sent and predicted."""
    return f"/v1/streams/pets/images/{gateway.post_image(data, wait=10).json()['id']}"


def test_an_image_comes_back_as_it_was_sent(shared_gateway: Served) -> None:
    data = encoded(photo(), "JPEG")
    answer = shared_gateway.client.get(sent(shared_gateway, data))
    assert (answer.content, answer.headers["content-type"]) == (data, "image/jpeg")


def test_a_thumbnail_is_small_and_cached(shared_gateway: Served) -> None:
    path = sent(shared_gateway, encoded(photo(), "JPEG"))
    first = shared_gateway.client.get(path, params={"size": 96})
    assert first.headers["content-type"] == "image/jpeg"
    assert opened(first.content).size == (96, 72)
    assert shared_gateway.client.get(path, params={"size": 96}).content == first.content


def test_a_browser_asks_again_only_for_what_changed(shared_gateway: Served) -> None:
    path = sent(shared_gateway, PNG)
    answer = shared_gateway.client.get(path)
    assert answer.headers["cache-control"] == "private, no-cache", "it may be deleted, and another one get its id"
    again = shared_gateway.client.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = shared_gateway.client.get(path, params={"size": 32}, headers={"If-None-Match": answer.headers["etag"]})
    assert other.status_code == 200


@pytest.mark.parametrize("data", [HTML, SVG, b"GIF", b"%PDF-1.4", b"\x00" * 20, b"RIFF1234WAVE"])
def test_other_content_is_never_served_under_its_own_type(shared_gateway: Served, data: bytes) -> None:
    path = sent(shared_gateway, data)
    answer = shared_gateway.client.get(path)
    assert answer.content == data
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert shared_gateway.client.get(path, params={"size": 96}).status_code == 422


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "AVIF", "TIFF"])
def test_each_format_is_recognised_and_made_small(form: str) -> None:
    data = encoded(photo(), form)
    assert sniffed_media_type(data) == f"image/{form.lower()}"
    assert opened(thumbnail(data, 96, READER).data).size == (96, 72)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_mode_of_png_gets_a_thumbnail(mode: str) -> None:
    image = photo().convert("I").point(lambda value: value * 257).convert(mode) if "I" in mode else photo(mode=mode)
    small = opened(thumbnail(encoded(image, "PNG"), 96, READER).data)
    assert small.size == (96, 72)
    levels = small.convert("L").histogram()
    assert min(sum(levels[:50]), sum(levels[200:])) > 0


def test_transparency_is_kept() -> None:
    image = Image.new("RGBA", (300, 300), (255, 0, 0, 0))
    picture = thumbnail(encoded(image, "PNG"), 96, READER)
    assert picture.content_type == "image/png"
    assert opened(picture.data).getchannel("A").getextrema() == (0, 0)


def test_cmyk_is_shown_in_its_colours() -> None:
    image = Image.new("RGB", (200, 100), (250, 10, 10)).convert("CMYK")
    red, green, blue = opened(thumbnail(encoded(image, "JPEG"), 96, READER).data).resize((1, 1)).tobytes()
    assert (red > 200, green < 60, blue < 60) == (True, True, True)


def test_a_rotated_photograph_stands_upright() -> None:
    image = Image.new("RGB", (400, 200))
    image.paste((255, 255, 255), (0, 0, 200, 200))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held with its right side up: turn by 90 degrees clockwise
    small = opened(thumbnail(encoded(image, "JPEG", exif=exif), 100, READER).data).convert("L")
    assert small.size == (50, 100)
    top, bottom = small.resize((1, 2), Image.Resampling.BOX).tobytes()
    assert top > 200 > 50 > bottom


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("exif", [b"Exif\0\0garbage!!!", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff"])
def test_a_photograph_with_broken_exif_is_shown_as_it_is(exif: bytes) -> None:
    small = opened(thumbnail(encoded(photo(400, 200), "JPEG", exif=exif), 100, READER).data)
    assert small.size == (100, 50)


def test_a_small_image_is_not_enlarged_and_stays_exact() -> None:
    image = Image.frombytes("L", (8, 8), bytes(range(64)))
    picture = thumbnail(encoded(image, "PNG"), 96, READER)
    assert picture.content_type == "image/png"
    assert opened(picture.data).convert("L").tobytes() == image.tobytes()


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xd8\xff", PNG[:40], encoded(photo(), "JPEG")[:300], b"GIF89a" + b"\0" * 30, encoded(photo(), "PPM")],
)
def test_a_broken_image_has_no_thumbnail(data: bytes) -> None:
    with pytest.raises(Rejected):
        thumbnail(data, 96, READER)


def test_a_decompression_bomb_is_not_decoded() -> None:
    bomb = encoded(Image.new("1", (12_000, 12_000)), "PNG")
    assert len(bomb) < 50_000
    with pytest.raises(Rejected, match="pixels"):
        thumbnail(bomb, 96, ImageReader(ImageLimits(2**24, 1_000_000)))


def test_the_cache_is_bounded() -> None:
    data = encoded(photo(), "JPEG")
    size = len(thumbnail(data, 96, READER).data)
    thumbnails = Thumbnails(LIMITS, max_bytes=3 * size)
    for name in ("a", "b", "c", "b", "d"):
        thumbnails.make(name, data, 96)
        assert thumbnails.cached("a", 96) is not None or name == "d"
    assert [name for name in "abcd" if thumbnails.cached(name, 96)] == ["a", "b", "d"]
    thumbnails.close()


def test_an_image_that_retention_removed_is_410(shared_gateway: Served) -> None:
    gone = predicted("pets", "gone", Position(0, 10**6), PNG)
    shared_gateway.log.append([encode_prediction(gone, source="test")])
    shared_gateway.client.get("/v1/streams/pets/predictions/gone", params={"wait": 10})
    answer = shared_gateway.client.get("/v1/streams/pets/images/gone")
    assert (answer.status_code, answer.headers["content-type"]) == (410, "application/problem+json")


def test_a_jpeg_of_very_many_scans_has_no_thumbnail() -> None:
    """What the extractor refuses at once costs the gateway nothing either."""
    ordinary = encoded(photo(), "JPEG", progressive=True)
    scan = ordinary[ordinary.rindex(b"\xff\xda") : -2]
    with pytest.raises(Rejected, match="scans"):
        thumbnail(ordinary[:-2] + scan * MAX_SCANS + b"\xff\xd9", 96, READER)


def test_a_photograph_without_its_end_has_a_thumbnail() -> None:
    assert opened(thumbnail(encoded(photo(), "JPEG")[:-150], 96, READER).data).size == (96, 72)
