"""Memory: files are written, read and put in order in pieces, however large they are."""

import subprocess
import sys
from pathlib import Path

import pytest

MAX_MIB = 150
"""Of which the packages that are imported on the way are a third: a few pieces of 8 MiB in several forms, and what the
allocators keep. The file has 196 MiB of vectors; with ten times as many, the same was measured."""

_SCRIPT = """
import resource, sys
import numpy as np
from pathlib import Path
from prequel.shared.features.base import FeatureMeta, FeatureRows, RowInfo
from prequel.shared.features.opening import create_features, open_features
from prequel.shared.features.ordering import in_order

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

path, dim, count = Path(sys.argv[1]), 100_352, 512
vectors = np.zeros((8, dim), np.float32)
before = peak()
with_rows = create_features(path, FeatureMeta(backbone="b", dim=dim))
for begin in range(0, count, 8):
    vectors[:, 0] = range(begin, begin + 8)
    with_rows.append(FeatureRows([RowInfo(str(n), str(n), "cat", None) for n in range(begin, begin + 8)], vectors))
with_rows.finish(["cat"])
reader = open_features(path)
assert sum(len(batch.infos) for batch in reader.batches(4)) == count
order = np.random.default_rng(0).permutation(count)
found = [int(v) for b in in_order(reader, order, 4, scratch=path.parent, memory_bytes=2**24) for v in b.vectors[:, 0]]
assert found == order.tolist()
print(peak() - before)
"""


@pytest.mark.parametrize("suffix", [".parquet", ".npz"])
def test_memory_holds_a_few_pieces_of_a_large_file(tmp_path: Path, suffix: str) -> None:
    command = [sys.executable, "-c", _SCRIPT, str(tmp_path / f"features{suffix}")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert float(done.stdout) < MAX_MIB
