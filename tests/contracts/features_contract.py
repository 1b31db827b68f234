"""What every format of feature files promises (shared.features.base): what was appended is read, in any pieces.

A test module runs it by ``class TestSomeFormat(FeaturesContract)`` and a ``suffix`` of its own.
"""

from pathlib import Path

import numpy as np
import pytest

from prequel.shared.features.base import FeatureFileError, FeatureMeta, FeatureRows, RowInfo
from prequel.shared.features.opening import create_features, is_feature_file, open_features
from prequel.shared.features.partial import ROWS, VECTORS, partial_folder

META = FeatureMeta(backbone="compact-own-96-0123abcd", dim=3, source="pets", folder="/pets", order="shuffle:7")


def some_rows(count: int, dim: int = 3) -> FeatureRows:
    vectors = np.random.default_rng(count).standard_normal((count, dim), np.float32)
    infos = [
        RowInfo(f"id{n}", f"a/größe {n}.jpg", None if n % 5 == 4 else "Bär, groß", "train" if n % 2 else None)
        for n in range(count)
    ]
    return FeatureRows(infos, vectors)


def write(path: Path, rows: FeatureRows, meta: FeatureMeta = META, size: int = 4) -> None:
    writer = create_features(path, meta)
    for begin in range(0, len(rows.infos), size):
        writer.append(FeatureRows(rows.infos[begin : begin + size], rows.vectors[begin : begin + size]))
    writer.finish(["Bär, groß"])
    writer.close()


def read(path: Path, size: int = 4, begin: int = 0) -> FeatureRows:
    reader = open_features(path)
    batches = list(reader.batches(size, begin))
    assert [len(batch.infos) for batch in batches[:-1]] == [size] * (len(batches) - 1)
    reader.close()
    infos = [info for batch in batches for info in batch.infos]
    return FeatureRows(
        infos, np.concatenate([np.empty((0, reader.meta.dim), np.float32), *(b.vectors for b in batches)])
    )


def assert_same(found: FeatureRows, expected: FeatureRows) -> None:
    assert found.infos == expected.infos
    assert found.vectors.dtype == np.float32
    np.testing.assert_array_equal(found.vectors, expected.vectors)


class FeaturesContract:
    suffix: str

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / f"features{self.suffix}"

    def test_the_meta_comes_back_with_the_labels(self, path: Path) -> None:
        write(path, some_rows(3))
        reader = open_features(path)
        assert reader.meta == META.model_copy(update={"labels": ("Bär, groß",)})
        reader.close()

    @pytest.mark.parametrize("begin", [0, 1, 7, 8, 19, 20, 25])
    @pytest.mark.parametrize("size", [1, 6, 100])
    def test_reading_begins_at_any_row(self, path: Path, begin: int, size: int) -> None:
        rows = some_rows(20)
        write(path, rows)
        assert_same(read(path, size, begin), FeatureRows(rows.infos[begin:], rows.vectors[begin:]))

    def test_infos_are_those_of_the_rows(self, path: Path) -> None:
        rows = some_rows(20)
        write(path, rows)
        reader = open_features(path)
        assert reader.infos() == rows.infos
        reader.close()

    def test_a_file_is_there_when_it_is_whole_and_nothing_else_is_left(self, path: Path) -> None:
        rows = some_rows(8)
        writer = create_features(path, META)
        writer.append(rows)
        assert not is_feature_file(path)
        writer.finish([])
        writer.finish([])
        assert is_feature_file(path)
        assert not partial_folder(path).exists()
        assert_same(read(path), rows)

    def test_a_writer_that_was_closed_or_killed_is_gone_on_with(self, path: Path) -> None:
        rows = some_rows(8)
        writer = create_features(path, META)
        writer.append(FeatureRows(rows.infos[:5], rows.vectors[:5]))
        writer.close()
        with (partial_folder(path) / VECTORS).open("ab") as vectors:
            vectors.write(bytes(17))  # A vector and a bit of which the line is missing.
        writer = create_features(path, META)
        assert list(writer.written) == rows.infos[:5]
        with (partial_folder(path) / ROWS).open("ab") as lines:
            lines.write(b'["torn", "to')
        writer.close()
        writer = create_features(path, META)
        assert list(writer.written) == rows.infos[:5]
        writer.append(FeatureRows(rows.infos[5:], rows.vectors[5:]))
        writer.finish([])
        assert_same(read(path), rows)

    def test_two_writers_of_one_file_are_refused(self, path: Path) -> None:
        writer = create_features(path, META)
        with pytest.raises(FeatureFileError, match="being written by another process"):
            create_features(path, META)
        writer.close()
        create_features(path, META).close()

    @pytest.mark.parametrize("other", [{"backbone": "other"}, {"dim": 4}, {"order": "as-is"}, {"source": "cars"}])
    def test_other_options_than_those_it_was_begun_with_are_refused(self, path: Path, other: dict[str, object]) -> None:
        create_features(path, META).close()
        with pytest.raises(FeatureFileError, match=rf"{next(iter(other))} .*, now .*remove the folder"):
            create_features(path, META.model_copy(update=other))

    def test_a_finished_file_is_replaced_on_demand_only(self, path: Path) -> None:
        write(path, some_rows(4))
        with pytest.raises(FeatureFileError, match="exists already"):
            create_features(path, META)
        writer = create_features(path, META, replace=True)
        writer.append(some_rows(6))
        assert_same(read(path), some_rows(4))
        writer.finish([])
        assert_same(read(path), some_rows(6))

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e19])
    def test_a_value_out_of_bounds_is_refused_with_its_row(self, path: Path, value: float) -> None:
        rows = some_rows(6)
        rows.vectors[4, 1] = value
        writer = create_features(path, META)
        with pytest.raises(FeatureFileError, match=r"row 5, value 2 is .* too large .*make its features again"):
            writer.append(rows)
        assert list(writer.written) == []
        writer.close()

    @pytest.mark.parametrize("share", [0.0, 0.3, 0.7])
    def test_a_file_that_was_cut_off_is_refused_by_its_name(self, path: Path, share: float) -> None:
        write(path, some_rows(200, 50), META.model_copy(update={"dim": 50}))
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
        with pytest.raises(FeatureFileError, match=path.name):
            read(path)

    def test_a_file_that_is_not_there_is_said_so(self, path: Path) -> None:
        with pytest.raises(FeatureFileError, match="does not exist"):
            open_features(path)
