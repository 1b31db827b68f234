"""Parquet, NumPy's arrays and CSV as feature files."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from prequel.shared.features.base import FeatureRows, RowInfo, Vectors
from prequel.shared.features.opening import FORMATS
from prequel.shared.vectors import MAX_VALUE
from tests.contracts.features_contract import META, FeaturesContract, assert_same, read, write

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=8)
LARGEST = float(np.float32(MAX_VALUE))
FLOATS = st.floats(-LARGEST, LARGEST, width=32)


class TestParquet(FeaturesContract):
    suffix = ".parquet"


class TestCsv(FeaturesContract):
    suffix = ".csv"


class TestNpz(FeaturesContract):
    suffix = ".npz"


@pytest.mark.parametrize("suffix", FORMATS)
@settings(deadline=None, max_examples=25)
@given(data=st.data(), dim=st.integers(1, 4), count=st.integers(1, 12), size=st.integers(1, 13))
def test_every_row_comes_back_bit_for_bit(suffix: str, data: st.DataObject, dim: int, count: int, size: int) -> None:
    vectors: Vectors = data.draw(arrays.arrays(np.float32, (count, dim), elements=FLOATS))
    labels = TEXTS.filter(lambda text: not text.replace(".", "").isdigit())
    infos = [
        RowInfo(f"i:{n}", data.draw(TEXTS), data.draw(st.none() | labels), data.draw(st.none() | TEXTS))
        for n in range(count)
    ]
    rows, meta = FeatureRows(infos, vectors), META.model_copy(update={"dim": dim})
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"features{suffix}"
        write(path, rows, meta, size)
        found = read(path, size)
    assert_same(found, rows)
    assert found.vectors.tobytes() == vectors.tobytes()  # Also -0.0, and numbers too small for most formats.
