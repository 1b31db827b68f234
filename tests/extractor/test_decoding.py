"""Decoding shows every kind of image as a viewer would."""

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from prequel.services.extractor.decoding import Decoder, Pixels
from tests.extractor.pictures import (
    BLUE,
    GREEN,
    HEIGHT,
    RED,
    WHITE,
    WIDTH,
    chunk,
    encoded,
    photograph,
    png,
    quadrants,
    turned,
    with_orientation,
)

SIZE = 32


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    decoder = Decoder(max_pixels=10_000_000, max_bytes=2**20, threads=2)
    yield decoder
    decoder.close()


def corners(pixels: Pixels) -> list[tuple[int, ...]]:
    quarter = SIZE // 4
    places = ((quarter, quarter), (quarter, -quarter), (-quarter, quarter), (-quarter, -quarter))
    return [tuple(int(value) for value in pixels[place]) for place in places]


def assert_shows_quadrants(pixels: Pixels, tolerance: int) -> None:
    assert pixels.shape == (SIZE, SIZE, 3)
    assert pixels.dtype == np.uint8
    assert np.abs(np.subtract(corners(pixels), (RED, GREEN, BLUE, WHITE))).max() <= tolerance, corners(pixels)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "BMP", "GIF"])
def test_every_format(decoder: Decoder, format: str) -> None:
    assert_shows_quadrants(decoder.decode(encoded(quadrants(), format), SIZE), 20 if format in ("JPEG", "WEBP") else 2)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(decoder: Decoder, orientation: int) -> None:
    data = with_orientation(turned(quadrants(), orientation), orientation)
    assert_shows_quadrants(decoder.decode(data, SIZE), 12)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_turns_nothing(decoder: Decoder, orientation: int) -> None:
    assert_shows_quadrants(decoder.decode(with_orientation(quadrants(), orientation), SIZE), 12)


def test_orientation_of_png_and_webp(decoder: Decoder) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for format in ("PNG", "WEBP"):
        assert_shows_quadrants(decoder.decode(encoded(turned(quadrants(), 6), format, exif=exif), SIZE), 20)


def test_unreadable_exif_turns_nothing(decoder: Decoder) -> None:
    exif = b"Exif\0\0" + b"II*\0" + struct.pack("<IH", 8, 900) + b"\x12\x01\x03\0\xff\xff\xff\xff"
    assert_shows_quadrants(decoder.decode(encoded(quadrants(), "JPEG", quality=95, exif=exif), SIZE), 12)


def test_cmyk_jpeg(decoder: Decoder) -> None:
    assert_shows_quadrants(decoder.decode(encoded(quadrants().convert("CMYK"), "JPEG", quality=95), SIZE), 12)


def test_grayscale_in_every_depth(decoder: Decoder) -> None:
    ramp = np.tile(np.linspace(0, 255, WIDTH).astype(np.uint8), (HEIGHT, 1))
    expected = decoder.decode(encoded(Image.fromarray(ramp), "PNG"), SIZE).astype(int)
    deep = Image.fromarray(ramp.astype(np.uint16) * 257)
    assert deep.mode == "I;16"
    assert np.abs(decoder.decode(encoded(deep, "PNG"), SIZE) - expected).max() <= 1
    assert np.abs(decoder.decode(encoded(Image.fromarray(ramp), "JPEG", quality=95), SIZE) - expected).max() <= 4
    assert expected[0, 0].max() < 10
    assert expected[0, -1].min() > 245


def test_black_and_white(decoder: Decoder) -> None:
    image = Image.new("1", (WIDTH, HEIGHT))
    image.paste(1, (0, 0, WIDTH // 2, HEIGHT))
    assert corners(decoder.decode(encoded(image, "PNG"), SIZE)) == [(255,) * 3, (0,) * 3] * 2


def test_16_bit_colour(decoder: Decoder) -> None:
    rows = b"".join(b"\0" + struct.pack(">HHH", 0xFFFF, 0x8000, 0) * 8 for _ in range(8))
    data = png(8, 8, depth=16).partition(b"IDAT")[0][:-4] + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    assert (decoder.decode(data, SIZE) == (255, 128, 0)).all()


def test_palette(decoder: Decoder) -> None:
    assert_shows_quadrants(decoder.decode(encoded(quadrants().quantize(8), "PNG"), SIZE), 2)


def test_transparency_is_shown_on_white(decoder: Decoder) -> None:
    image = quadrants().convert("RGBA")
    image.paste((0, 0, 0, 0), (WIDTH // 2, HEIGHT // 2, WIDTH, HEIGHT))
    for data in (encoded(image, "PNG"), encoded(image, "WEBP", lossless=True), encoded(image, "GIF")):
        assert_shows_quadrants(decoder.decode(data, SIZE), 2)


def test_half_transparent_edges_have_no_dark_fringe(decoder: Decoder) -> None:
    image = Image.new("RGBA", (WIDTH, HEIGHT), (0, 0, 0, 0))
    image.paste((*RED, 255), (0, 0, WIDTH // 2, HEIGHT))
    row = decoder.decode(encoded(image, "PNG"), SIZE)[SIZE // 2].astype(int)
    assert (row >= np.array(RED) - 1).all(), "between red and white nothing is darker than red"


def test_palette_with_transparency(decoder: Decoder) -> None:
    several = encoded(quadrants().quantize(4), "PNG", transparency=bytes([255, 255, 255, 0]))
    one = encoded(quadrants().quantize(4), "PNG", transparency=0)
    for data in (several, one):
        pixels = decoder.decode(data, SIZE)
        assert pixels.shape == (SIZE, SIZE, 3)
        assert sum(corner == WHITE for corner in corners(pixels)) >= 1


def test_grey_with_alpha_and_colour_key(decoder: Decoder) -> None:
    grey = Image.new("LA", (8, 8), (0, 0))
    assert (decoder.decode(encoded(grey, "PNG"), SIZE) == 255).all()
    key = chunk(b"tRNS", struct.pack(">HHH", 0, 0, 0))
    assert (decoder.decode(png(8, 8, key), SIZE) == 255).all()


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_an_animation_shows_its_first_frame(decoder: Decoder, format: str) -> None:
    later = Image.new("RGB", (WIDTH, HEIGHT), "black")
    data = encoded(quadrants(), format, save_all=True, append_images=[later, later], duration=50)
    assert_shows_quadrants(decoder.decode(data, SIZE), 20)


def test_a_phones_two_pictures_in_one_file(decoder: Decoder) -> None:
    both = encoded(quadrants(), "MPO", save_all=True, append_images=[Image.new("RGB", (WIDTH, HEIGHT))], quality=95)
    assert_shows_quadrants(decoder.decode(both, SIZE), 12)


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (3, 2), (SIZE, SIZE)])
def test_any_shape_is_squeezed_to_the_square(decoder: Decoder, shape: tuple[int, int]) -> None:
    assert (
        decoder.decode(encoded(Image.new("RGB", shape, RED), "PNG"), SIZE).reshape(-1, 3).tolist() == [[*RED]] * SIZE**2
    )


def test_resizing_is_that_of_keras_load_img(decoder: Decoder) -> None:
    """`keras.utils.load_img(..., interpolation="bilinear")` is Pillow's bilinear resize of the whole image."""
    image = photograph(75, 50)
    reference = np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR))
    assert np.array_equal(decoder.decode(encoded(image, "PNG"), SIZE), reference)


@pytest.mark.parametrize("width", [100, 300, 1000])
def test_decoding_large_jpegs_smaller_shows_the_same(decoder: Decoder, width: int) -> None:
    data = encoded(photograph(width, width * 3 // 4), "JPEG", quality=90)
    reference = np.asarray(Image.open(io.BytesIO(data)).resize((SIZE, SIZE), Image.Resampling.BILINEAR), np.int16)
    difference = np.abs(decoder.decode(data, SIZE) - reference)
    assert difference.mean() < 1.0
    assert difference.max() <= 16


def test_the_pool_gives_what_decode_gives_and_times_it(decoder: Decoder) -> None:
    files = [encoded(photograph(200, 150, seed), "JPEG") for seed in range(20)]
    for data, future in zip(files, [decoder.submit(data, SIZE) for data in files], strict=True):
        pixels, damaged, seconds = future.result()
        assert not damaged
        assert np.array_equal(pixels, decoder.decode(data, SIZE))
        assert seconds > 0
