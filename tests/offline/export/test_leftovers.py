"""What a conversion that was killed has left in the system's folder for temporary files."""

import os
from pathlib import Path

from prequel.services.offline.export.converter import PREFIX, remove_leftovers
from prequel.shared.runtime.deadlines import MODEL_CONVERSION_S


def test_only_the_folders_of_conversions_that_cannot_run_any_more_are_removed(tmp_path: Path) -> None:
    own, running, left, others = (tmp_path / name for name in (f"{PREFIX}a", f"{PREFIX}b", f"{PREFIX}c", "photos"))
    for folder in (own, running, left, others):
        folder.mkdir()
        (folder / "model.npz").write_bytes(b"x")
    now = own.stat().st_mtime
    for folder, age in ((running, MODEL_CONVERSION_S), (left, 3 * MODEL_CONVERSION_S), (others, 1e6)):
        os.utime(folder, (now - age, now - age))
    remove_leftovers(own)
    assert sorted(tmp_path.iterdir()) == [others, own, running]
