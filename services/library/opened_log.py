"""Opens a log to be read: that of a folder, of a file, of Kafka, or of the settings."""

import argparse
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory

from prequel.services.cli import composition
from prequel.services.learner.replay.jobs.base import JobContext
from prequel.shared.config import ConfigError, Settings
from prequel.shared.log.base import EXAMPLES
from prequel.shared.store.sqlite import SqliteStore


@contextmanager
def opened_log(settings: Settings) -> Iterator[JobContext]:
    """The log, and a store: an empty one where there is none, so that all is folded from the log's beginning."""
    with TemporaryDirectory(prefix="prequel-read-") as folder:
        store = Path(settings.store_url.removeprefix("sqlite:///"))
        if settings.store_url.startswith("sqlite:///") and not store.exists():
            store = Path(folder, "store.sqlite")
            with closing(SqliteStore(store)) as empty:
                empty.keys("")  # Creates it.
            settings = settings.model_copy(update={"store": f"sqlite:///{store}"})
        with composition.job_context(settings) as context:
            yield context


def log_settings(log: str | PathLike[str] | None, more: Mapping[str, object]) -> Settings:
    """Raises ConfigError."""
    if unknown := sorted(set(more) - set(Settings.model_fields)):
        raise ConfigError(f"settings: there is no setting {unknown[0]}: docs/configuration.md lists all settings")
    found: dict[str, object] = {}
    if log is not None and str(log).startswith("kafka://"):
        found = {"log": str(log)}
    elif log is not None:
        folder = _log_folder(Path(log).expanduser().absolute())
        found = {"log": f"sqlite:///{folder}", "store": f"sqlite:///{folder.parent / 'store.sqlite'}"}
    return composition.load_settings(argparse.Namespace(), **(found | dict(more)))


def _log_folder(path: Path) -> Path:
    """The folder of the log that a file or a folder means. Raises ConfigError."""
    for folder in (path.parent if path.is_file() else path, path / "log"):
        if (folder / f"{EXAMPLES}.sqlite").is_file():
            return folder
    raise ConfigError(
        f"{path} {'has no log' if path.exists() else 'does not exist'}: name the folder that `prequel up` has as "
        "--data, a file of its log, or kafka://HOST:PORT"
    )
