"""What the composition root opens fits the settings."""

from contextlib import closing
from pathlib import Path

from shared.config import Settings
from shared.log import IMAGES, Message
from shared.process import open_log
from shared.sqlite_log import MAX_RECORD_BYTES


def test_the_embedded_log_takes_the_largest_image_that_the_settings_allow(tmp_path: Path) -> None:
    most = MAX_RECORD_BYTES + 2**20
    settings = Settings.model_validate({"data": tmp_path, "log": f"sqlite:///{tmp_path}/log", "max_image_bytes": most})
    with closing(open_log(settings)) as log:
        [at] = log.append([Message(IMAGES, b"s", bytes(most))])
        assert len(log.read(IMAGES, at.partition, [at.offset])[at.offset].value) == most
