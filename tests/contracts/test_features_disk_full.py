"""Feature files on a disk that is full: nothing that was acknowledged is lost, and a rerun goes on."""

from pathlib import Path

import numpy as np
import pytest

from prequel.shared.features.base import FeatureFileError, FeatureMeta, FeatureRows, RowInfo
from prequel.shared.features.opening import FORMATS, create_features
from prequel.shared.features.partial import WHOLE, partial_folder
from tests.contracts.features_contract import assert_same, read
from tests.contracts.full_disk import fill_completely, small_disk

__all__ = ["small_disk"]

DIM = 1_000
META = FeatureMeta(backbone="b", dim=DIM)
ROWS = FeatureRows(
    [RowInfo(f"id{n}", f"{n}.jpg", "cat", None) for n in range(100)],
    np.random.default_rng(0).integers(0, 9, (100, DIM)).astype(np.float32),
)
"""400 kB: twice as much fits on the smallest disk beside its ballast, and its text as well."""


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("small_disk", [4], indirect=True)
def test_a_full_disk_costs_no_row_and_a_rerun_goes_on(small_disk: Path, suffix: str) -> None:
    path = small_disk / f"features{suffix}"
    writer = create_features(path, META)
    writer.append(FeatureRows(ROWS.infos[:40], ROWS.vectors[:40]))
    fill_completely(small_disk)
    with pytest.raises(
        FeatureFileError, match=r"No space left on device\. 40 rows are kept in .*give the same command"
    ):
        writer.append(FeatureRows(ROWS.infos[40:], ROWS.vectors[40:]))
    assert list(writer.written) == ROWS.infos[:40]
    (small_disk / "ballast").unlink()
    writer.append(FeatureRows(ROWS.infos[40:60], ROWS.vectors[40:60]))  # Behind the 40th: what was torn is cut off.
    writer.close()
    writer = create_features(path, META)
    assert list(writer.written) == ROWS.infos[:60]
    writer.append(FeatureRows(ROWS.infos[60:], ROWS.vectors[60:]))

    (small_disk / "ballast").touch()
    fill_completely(small_disk)
    with pytest.raises(FeatureFileError, match=r"100 rows are kept in .*needs as much again to be made"):
        writer.finish(["cat"])
    assert not path.exists()
    assert not list(partial_folder(path).glob(f"{WHOLE}*"))
    (small_disk / "ballast").unlink()
    writer.finish(["cat"])
    assert_same(read(path), ROWS)


@pytest.mark.parametrize("small_disk", [4], indirect=True)
def test_a_disk_that_is_full_from_the_start_is_said_with_what_to_do(small_disk: Path) -> None:
    fill_completely(small_disk)
    with pytest.raises(FeatureFileError, match=r"No space left on device( \(.*\))?\. Make room there"):
        create_features(small_disk / "features.npz", META)
