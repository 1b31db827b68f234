"""The doctor says what is wrong and what to do, and finds nothing where all is well."""

from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from prequel.shared.config import Settings, without_secrets
from prequel.shared.doctor import Finding, examine
from prequel.shared.log.base import IMAGES, Message
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.store.sqlite import SqliteStore

NOW = 1_700_000_000.0


def findings(folder: Path, clock: float = NOW, **given: object) -> dict[str, Finding]:
    settings = Settings.model_validate({"data": folder, **given})
    with (
        closing(SqliteLog(folder / "log", clock=lambda: clock)) as log,
        closing(SqliteStore(folder / "store")) as store,
    ):
        log.append([Message(IMAGES, b"s", b"?")])
        return {finding.subject: finding for finding in examine(settings, log, store, NOW)}


def test_nothing_is_wrong_with_a_new_folder(tmp_path: Path) -> None:
    found = findings(tmp_path)
    assert [finding for finding in found.values() if not finding.ok] == []
    assert found["extractor lag"].found == "1 records"
    assert "1 images, 0 examples" in found["log"].found
    with closing(SqliteStore(tmp_path / "store")) as store:
        assert store.keys("") == [], "what the doctor wrote is gone"


def test_a_full_disk_is_told_with_what_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prequel.shared.doctor.shutil.disk_usage", lambda folder: SimpleNamespace(free=2**28))
    disk = findings(tmp_path)["disk"]
    assert (disk.found, disk.remedy) == ("0.2 GiB free", f"make room on the disk of {tmp_path}")


@pytest.mark.parametrize(
    ("given", "subject", "remedy"),
    [
        ({"clock": NOW + 60}, "clock", "NTP"),
        ({"weights": "no-such-file.h5"}, "backbone", "no-such-file.h5"),
        ({"models": "river:naive_bayes.GaussianNB"}, "keys", "PREQUEL_SNAPSHOT_KEY"),
    ],
)
def test_what_is_wrong_comes_with_a_remedy(tmp_path: Path, given: dict[str, object], subject: str, remedy: str) -> None:
    found = findings(tmp_path, **given)  # type: ignore[arg-type]
    assert remedy in found[subject].remedy
    assert [finding.subject for finding in found.values() if not finding.ok] == [subject]


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    (tmp_path / "store").write_text("this is no database " * 100)
    return tmp_path


def test_a_store_that_cannot_be_used_is_a_finding_not_a_crash(broken: Path) -> None:
    assert not findings(broken)["store"].ok


def test_no_password_is_shown() -> None:
    assert without_secrets("rediss://user:secret@host/1?password=secret") == "rediss://host:6379/1"
    assert without_secrets("sqlite:///some/file") == "sqlite:///some/file"


def test_a_log_that_is_away_is_told_once(tmp_path: Path) -> None:
    settings = Settings.model_validate({"data": tmp_path})
    with (
        closing(SqliteLog(tmp_path / "mistyped", create=False)) as log,
        closing(SqliteStore(tmp_path / "store")) as store,
    ):
        found = list(examine(settings, log, store, NOW))
    assert [finding.subject for finding in found if not finding.ok] == ["log"]
    assert "mistyped" in found[2].remedy
