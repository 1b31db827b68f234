"""What the composition root opens fits the settings."""

import socket
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from prequel.shared.config import ConfigError, Settings
from prequel.shared.log.base import IMAGES, Message
from prequel.shared.log.sqlite.log import MAX_RECORD_BYTES
from prequel.shared.runtime.backends import open_log, open_store
from prequel.shared.runtime.process import Process
from tests.servers import plain_http


def test_the_embedded_log_takes_the_largest_image_that_the_settings_allow(tmp_path: Path) -> None:
    max_image_bytes = MAX_RECORD_BYTES + 2**20
    settings = Settings.model_validate(
        {"data": tmp_path, "log": f"sqlite:///{tmp_path}/log", "max_image_bytes": max_image_bytes}
    )
    with closing(open_log(settings)) as log:
        [at] = log.append([Message(IMAGES, b"s", bytes(max_image_bytes))])
        assert len(log.read(IMAGES, at.partition, [at.offset])[at.offset].value) == max_image_bytes


def test_an_operations_port_in_use_is_reported_with_its_setting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        process = Process(Settings.model_validate({"data": tmp_path, "ops_port": port}))
        with pytest.raises(
            ConfigError, match=rf"PREQUEL_OPS_PORT={port}: cannot listen there \(Address already in use"
        ):
            process.run_service(lambda address: None)
    process.close()


def test_it_is_not_ready_before_its_service_has_been_started(tmp_path: Path) -> None:
    process = Process(Settings.model_validate({"data": tmp_path, "ops_port": 0}))
    answers: list[httpx.Response] = []

    def service(address: str) -> None:
        answers.append(plain_http.get(f"http://{address}/readyz", timeout=30))
        process.stop.set()

    assert process.run_service(service) == 0
    assert answers[0].status_code == 503
    assert answers[0].json()["reasons"] == {"process": "starting; this takes seconds"}
    assert process.health.reasons == {}


@pytest.mark.parametrize("address", ["redis://:pa/ss@host:6379", "redis://user:pa#ss@host", "redis://host:port"])
def test_an_invalid_address_is_reported_without_its_password(address: str) -> None:
    with pytest.raises(ConfigError, match=r"PREQUEL_STORE is not a valid address of Redis.*percent-encode") as caught:
        open_store(Settings.model_validate({"store": address}))
    assert "pa" not in str(caught.value).replace("password", "")
    assert caught.value.__suppress_context__
