"""The pictures of a report: small, upright, and none where an image is gone or cannot be shown."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from prequel.services.offline.evaluation.result import Mistake
from prequel.services.offline.report.mistakes import MAX_FIRST, MAX_OTHERS, mistakes_by_model
from prequel.services.offline.report.page import render
from prequel.services.offline.report.pictures import SIDE, NoPictures, SourcePictures
from prequel.shared.images.limits import ImageLimits
from tests.offline.report.evaluations import evaluate, random_examples

LIMITS = ImageLimits(2**20, 10_000_000)
UPRIGHT = 0x0112  # EXIF's Orientation


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A photograph that lies on its side, a text that calls itself an image, and a file that is none."""
    (tmp_path / "cat").mkdir()
    exif = Image.Exif()
    exif[UPRIGHT] = 6
    Image.new("RGB", (640, 320), "red").save(tmp_path / "cat/1 ü.jpg", exif=exif)
    (tmp_path / "cat/broken.png").write_text("no image")
    (tmp_path / "secret.txt").write_text("no image by its name")
    return tmp_path


@pytest.fixture
def pictures(folder: Path) -> Iterator[SourcePictures]:
    opened = SourcePictures(str(folder), LIMITS)
    yield opened
    opened.close()


def test_a_thumbnail_is_small_and_upright(pictures: SourcePictures) -> None:
    data = pictures.thumbnail("cat/1 ü.jpg")
    assert data
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (SIDE // 2, SIDE)


@pytest.mark.parametrize(
    "name", ["cat/2.jpg", "cat/broken.png", "secret.txt", "cat", "", "a\0.png", "x" * 300 + ".png", "digits/0000.png"]
)
def test_what_cannot_be_shown_is_none(pictures: SourcePictures, name: str) -> None:
    assert pictures.thumbnail(name) is None


def test_an_image_over_the_limits_is_none(folder: Path) -> None:
    pictures = SourcePictures(str(folder), ImageLimits(2**20, 100))
    assert pictures.thumbnail("cat/1 ü.jpg") is None
    pictures.close()


@pytest.mark.parametrize(("name", "shown"), [("digits/0003.png", True), ("digits/9999.png", False), ("cat.png", False)])
def test_digits_have_no_folder(name: str, shown: bool) -> None:
    pictures = SourcePictures("", LIMITS)
    assert bool(pictures.thumbnail(name)) == shown
    pictures.close()


def mistake(name: str, model: str = "slda") -> Mistake:
    return Mistake(
        model=model, row=1, id="i", name=name, truth="a", predicted="b", probability=0.9, truth_probability=0.1
    )


def test_tiles_have_the_picture_as_it_is_in_the_source(pictures: SourcePictures) -> None:
    (found,) = mistakes_by_model([mistake("cat/1 ü.jpg"), mistake("cat/2.jpg")], ["slda"], pictures)
    data = pictures.thumbnail("cat/1 ü.jpg")
    assert data
    assert [tile.picture for tile in found.tiles] == [f"data:image/jpeg;base64,{base64.b64encode(data).decode()}", ""]
    assert found.pictured


def test_the_page_shows_pictures_and_says_where_one_is_missing(pictures: SourcePictures) -> None:
    evaluation = evaluate(random_examples(("a", "b"), 60), "slda")
    shown = [mistake("cat/1 ü.jpg"), mistake("cat/2.jpg")]
    page = render(evaluation.model_copy(update={"mistakes": shown}), pictures)
    assert page.count('<img src="data:image/jpeg;base64,') == 1
    assert page.count("The image is not there any more") == 1
    without = render(evaluation.model_copy(update={"mistakes": shown}), NoPictures())
    assert "The image is not there any more" not in without
    assert "cat/2.jpg" in without


def test_each_model_shows_its_worst_in_the_order_given() -> None:
    some = [mistake(f"{number}.png", model) for number in range(40) for model in ("slda", "ncm")]
    first, other = mistakes_by_model(some, ["slda", "ncm", "knn"], NoPictures())
    assert [tile.name for tile in first.tiles] == [f"{number}.png" for number in range(MAX_FIRST)]
    assert [tile.name for tile in other.tiles] == [f"{number}.png" for number in range(MAX_OTHERS)]
