"""The doctor reports problems with their remedies, and none where there is none."""

from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import orjson
import pytest

from prequel.shared import status
from prequel.shared.config import Settings, without_secrets
from prequel.shared.doctor import Finding, examine
from prequel.shared.events.images import encode_image
from prequel.shared.events.names import id_digest
from prequel.shared.images.encryption import ImageCipher, delete_keys
from prequel.shared.log.base import IMAGES, Message
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.store.sqlite import SqliteStore

NOW = 1_700_000_000.0


def findings(folder: Path, clock: float = NOW, **values: object) -> dict[str, Finding]:
    settings = Settings.model_validate({"data": folder, **values})
    with (
        closing(SqliteLog(folder / "log", clock=lambda: clock)) as log,
        closing(SqliteStore(folder / "store")) as store,
    ):
        log.append([Message(IMAGES, b"s", b"?")])
        return {finding.subject: finding for finding in examine(settings, log, store, NOW)}


def test_nothing_is_wrong_with_a_new_folder(tmp_path: Path) -> None:
    results = findings(tmp_path)
    assert [finding for finding in results.values() if not finding.ok] == []
    assert results["extractor lag"].found == "1 records"
    assert "1 images, 0 examples" in results["log"].found
    with closing(SqliteStore(tmp_path / "store")) as store:
        assert store.keys("") == [], "the doctor deletes what it wrote"


def test_the_backbone_comes_with_its_pooling_where_that_was_chosen(tmp_path: Path) -> None:
    assert findings(tmp_path / "a")["backbone"].found == "compact"
    found = findings(tmp_path / "b", backbone="mobilenetv2", pooling="multi")["backbone"]
    assert (found.ok, found.found) == (True, "mobilenetv2, pooling multi")


def test_the_backbones_of_streams_are_counted_and_more_than_may_be_loaded_are_a_problem(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "store")) as store:
        for stream, backbone in (("a", "vgg16-avg-224-01234567"), ("b", ""), ("c", "compact"), ("d", "compact")):
            store.put(status.key(stream), orjson.dumps({"backbone": backbone}))
    found = findings(tmp_path)["backbones of streams"]
    assert (found.ok, found.found) == (True, "compact: 3, vgg16-avg-224-01234567: 1")
    found = findings(tmp_path, backbones_loaded=1)["backbones of streams"]
    assert "raise PREQUEL_BACKBONES_LOADED=1" in found.remedy


def test_a_full_disk_is_reported_with_its_free_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prequel.shared.doctor.shutil.disk_usage", lambda folder: SimpleNamespace(free=2**28))
    disk = findings(tmp_path)["disk"]
    assert (disk.found, disk.remedy) == ("268 MB free", f"make room on the disk of {tmp_path}")


@pytest.mark.parametrize(
    ("values", "subject", "remedy"),
    [
        ({"clock": NOW + 60}, "clock", "NTP"),
        ({"weights": "no-such-file.h5"}, "backbone", "no-such-file.h5"),
        ({"models": "river:naive_bayes.GaussianNB"}, "keys", "PREQUEL_SNAPSHOT_KEY"),
    ],
)
def test_a_problem_has_a_remedy(tmp_path: Path, values: dict[str, object], subject: str, remedy: str) -> None:
    results = findings(tmp_path, **values)  # type: ignore[arg-type]
    assert remedy in results[subject].remedy
    assert [finding.subject for finding in results.values() if not finding.ok] == [subject]


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    (tmp_path / "store").write_text("this is no database " * 100)
    return tmp_path


def test_a_store_that_cannot_be_used_is_a_finding_not_a_crash(broken: Path) -> None:
    assert not findings(broken)["store"].ok


def test_no_password_is_shown() -> None:
    assert without_secrets("rediss://user:secret@host/1?password=secret") == "rediss://host:6379/1"
    assert without_secrets("sqlite:///some/file") == "sqlite:///some/file"


def test_an_unavailable_log_is_reported_once(tmp_path: Path) -> None:
    settings = Settings.model_validate({"data": tmp_path})
    with (
        closing(SqliteLog(tmp_path / "mistyped", create=False)) as log,
        closing(SqliteStore(tmp_path / "store")) as store,
    ):
        results = list(examine(settings, log, store, NOW))
    assert [finding.subject for finding in results if not finding.ok] == ["log"]
    assert "mistyped" in results[2].remedy


@pytest.mark.parametrize(("kept", "ok"), [(["a", "b"], True), (["b"], True), ([], False)])
def test_lost_keys_of_images_are_told_from_forgotten_ones(tmp_path: Path, kept: list[str], ok: bool) -> None:
    assert "images" not in findings(tmp_path)
    with closing(SqliteLog(tmp_path / "log")) as log, closing(SqliteStore(tmp_path / "store")) as store:
        images = ImageCipher(store).encrypt("pets", [("a", b"1"), ("b", b"2")])
        log.append(
            [
                encode_image(
                    id, "pets", data, label=None, time=NOW, source="test", content_type="image/png", key_id=key
                )
                for id, (data, key) in zip("ab", images, strict=True)
            ]
        )
        delete_keys(store, "pets", [id_digest(id) for id in "ab" if id not in kept])
    finding = findings(tmp_path)["images"]
    assert (finding.found, finding.ok) == (f"keys of {len(kept)} of the newest 2 encrypted ones", ok)
