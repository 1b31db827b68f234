"""`prequel.extract`: a file as the command makes it, what it says, and what it refuses."""

from pathlib import Path

import pytest

import prequel
from prequel.shared.features.opening import open_features


def test_a_file_that_is_finished_is_left_and_another_one_is_not_replaced(photos: Path, tmp_path: Path) -> None:
    path = tmp_path / "colours.npz"
    made = prequel.extract(photos, path, backbone="compact", progress=False)
    assert (made.rows, made.path) == (12, path)
    assert f"{path}: 12 rows of {made.dim:,} features through {made.backbone}" in str(made)
    written = path.read_bytes()
    again = prequel.extract(photos, path, backbone="compact", progress=False)
    assert again.rows == 12
    assert "is finished" in str(again)
    with pytest.raises(prequel.PrequelError, match="exists, with 12 rows"):
        prequel.extract("digits", path, backbone="compact", progress=False)
    assert path.read_bytes() == written
    assert {info.label for info in open_features(path).infos()} == {"red", "green", "blue"}


def test_what_cannot_be_done_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "1.jpg").write_text("no image")
    with pytest.raises(prequel.PrequelError, match="nowhere does not exist"):
        prequel.extract("nowhere", tmp_path / "f.npz")
    with pytest.raises(prequel.PrequelError, match="unknown backbone nonsense"):
        prequel.extract("digits", tmp_path / "f.npz", backbone="nonsense")
    with pytest.raises(prequel.PrequelError, match=r"1.jpg: undecodable(.|\n)*nothing is written"):
        prequel.extract(tmp_path / "images", tmp_path / "f.npz", backbone="compact", progress=False)
