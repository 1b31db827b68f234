"""What Chromium shows of an image is decoded, with about the same pixels: the oracle is its own <img>."""

import base64
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from prequel.shared.events.types import Rejected
from prequel.shared.images.colours import to_plain_mode, upright
from prequel.shared.images.limits import ImageLimits
from prequel.shared.images.reading import ImageReader, Loaded
from tests.shared.images.damaged import corpus

DRAW = """async ([type, data]) => {
  const image = new Image();
  await new Promise((done) => { image.onload = image.onerror = done; image.src = `data:${type};base64,${data}`; });
  const [width, height] = [image.naturalWidth, image.naturalHeight];
  if (!width) return null;
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, width, height).data;
  return { width, height, pixels: btoa(Array.from(pixels, (each) => String.fromCharCode(each)).join("")) };
}"""
NEAR = 6
"""Mean difference of a channel, of 255: decoders round, and scale colours of JPEGs up, in ways of their own."""

Pixels = npt.NDArray[np.int64]


class Shown(NamedTuple):
    """On white; ``rows``: those of which the viewer shows anything."""

    pixels: Pixels
    rows: npt.NDArray[np.bool_]


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    yield page
    page.close()


def viewed(page: Page, name: str, data: bytes) -> Shown | None:
    """None where nothing is shown."""
    found: dict[str, Any] | None = page.evaluate(
        DRAW, [f"image/{name.split('.')[-1]}", base64.b64encode(data).decode()]
    )
    if found is None:
        return None
    flat = np.frombuffer(base64.b64decode(found["pixels"]), np.uint8)
    rgba = flat.reshape(found["height"], found["width"], 4).astype(np.int64)
    if not rgba.any():
        return None
    share = rgba[..., 3:] / 255
    white = rgba[..., :3] * share + 255 * (1 - share)
    return Shown(white.round().astype(np.int64), np.asarray(rgba[..., 3].any(axis=1)))


def decoded(reader: ImageReader, data: bytes) -> Pixels:
    def use(loaded: Loaded) -> Pixels:
        image = upright(to_plain_mode(loaded.image), loaded.image).convert("RGBA")
        return np.asarray(Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")).astype(
            int
        )

    return reader.read(data, use, (10_000, 10_000))


# Told apart from the others: Chromium shows coarse or no pixels there, or what a damaged code happens to mean.
ELSEWHERE = ("first 10 % of gif", "zeros at the end")


def test_what_the_viewer_shows_is_decoded(page: Page) -> None:
    reader, wrong, seen = ImageReader(ImageLimits(2**20, 2**20)), [], 0
    for name, data in corpus():
        shown = viewed(page, name.rpartition(" ")[2] if "." not in name else name, data)
        if shown is None:
            continue
        seen += 1
        try:
            ours = decoded(reader, data)
        except Rejected as rejected:
            wrong.append(f"{name}: {rejected}")
            continue
        if ours.shape != shown.pixels.shape:
            wrong.append(f"{name}: {ours.shape} beside {shown.pixels.shape}")
        elif not name.startswith(ELSEWHERE) and (off := np.abs(ours - shown.pixels)[shown.rows].mean()) > NEAR:
            wrong.append(f"{name}: {off:.1f} of 255 away")
    reader.close()
    assert not wrong, "\n".join(wrong)
    assert seen > 130, "the viewer shows most of the corpus"
