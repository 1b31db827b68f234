"""Writes feature files as NumPy arrays, in the form that npz.py reads."""

import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from prequel.shared.features.base import FeatureMeta, RowInfo, Vectors
from prequel.shared.features.checksums import row_sums
from prequel.shared.features.npz import META, SUMS


def write_npz(path: Path, meta: FeatureMeta, infos: Sequence[RowInfo], pieces: Iterable[Vectors]) -> None:
    """Write a whole file, not compressed, so that it can be read from any row on. Raises OSError."""
    header = {"descr": "<f4", "fortran_order": False, "shape": (len(infos), meta.dim)}
    sums = [np.zeros(0, np.uint32)]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        with _new_member(archive, "features") as file:
            npy.write_array_header_1_0(file, header)
            for vectors in pieces:
                values = np.ascontiguousarray(vectors, "<f4")
                file.write(values.data.cast("B"))
                sums.append(row_sums(values))
        for name, column in zip(("ids", "names", "labels", "splits"), RowInfo._fields, strict=True):
            _write_texts(archive, name, [getattr(info, column) or "" for info in infos])
        _write_array(archive, SUMS, np.concatenate(sums).astype("<u4"))
        _write_texts(archive, META, meta.model_dump_json())


def _new_member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    # Without a date: equal content is equal bytes.
    return archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True)


def _write_texts(archive: zipfile.ZipFile, name: str, texts: str | list[str]) -> None:
    _write_array(archive, name, np.array(texts, np.str_))


def _write_array(archive: zipfile.ZipFile, name: str, array: npt.NDArray[Any]) -> None:
    with _new_member(archive, name) as file:
        npy.write_array(file, array, allow_pickle=False)
