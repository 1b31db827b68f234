"""Settings from the environment: unknown variables are reported and ignored, secrets come from files too."""

from pathlib import Path

import pytest

from prequel.shared.config import ConfigError, Settings
from prequel.shared.environment import from_environment, secret_settings, unknown_settings, variable_name

SERVICE_LINKS = {
    "PREQUEL_SERVICE_HOST": "10.0.0.5",
    "PREQUEL_SERVICE_PORT": "8000",
    "PREQUEL_SERVICE_PORT_HTTP": "8000",
    "PREQUEL_PORT": "tcp://10.0.0.5:8000",
    "PREQUEL_PORT_8000_TCP": "tcp://10.0.0.5:8000",
    "PREQUEL_PORT_8000_TCP_PROTO": "tcp",
    "PREQUEL_PORT_8000_TCP_PORT": "8000",
    "PREQUEL_PORT_8000_TCP_ADDR": "10.0.0.5",
    "PREQUEL_OPS_PORT": "udp://[fd00::1]:9100",
    "PREQUEL_GATEWAY_PORT": "tcp://10.0.0.5:8000",
}
"""What Kubernetes sets in every pod for services called prequel, prequel-ops and prequel-gateway."""


def test_service_links_of_kubernetes_change_nothing_and_are_reported_once() -> None:
    assert from_environment(SERVICE_LINKS) == Settings.model_validate({})
    (warning,) = unknown_settings(SERVICE_LINKS)
    assert all(name in warning for name in SERVICE_LINKS)
    assert "enableServiceLinks: false" in warning


@pytest.mark.parametrize("value", ["8000x", "tcp://10.0.0.5", "http://10.0.0.5:8000"])
def test_what_only_looks_like_a_service_link_is_still_wrong(value: str) -> None:
    with pytest.raises(ConfigError, match="PREQUEL_PORT"):
        from_environment({"PREQUEL_PORT": value})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("PREQUEL_BACKBNE", "did you mean PREQUEL_BACKBONE?"),
        ("PREQUEL_API_KEY", "did you mean PREQUEL_API_KEYS?"),
        ("PREQUEL_backbone", "ignored"),
        ("PREQUEL_QQQQ", "docs/configuration.md lists all settings"),
        ("PREQUEL_BACKBONE_FILE", "only secrets are read from files. Set PREQUEL_BACKBONE itself"),
    ],
)
def test_an_unknown_variable_is_reported_with_the_nearest_name_and_stops_nothing(name: str, expected: str) -> None:
    assert from_environment({name: "x"}) == Settings.model_validate({})
    (warning,) = unknown_settings({name: "x"})
    assert name in warning
    assert expected in warning


def test_settings_and_other_programs_variables_are_not_reported() -> None:
    known = {variable_name(name): "1" for name in Settings.model_fields} | {
        variable_name(name) + "_FILE": "/x" for name in secret_settings()
    }
    assert list(unknown_settings(known | {"PATH": "/bin", "PREQUELX": "1"})) == []


@pytest.mark.parametrize("name", secret_settings())
def test_every_secret_can_come_from_a_file(name: str, tmp_path: Path) -> None:
    file, value = tmp_path / "secret", "redis://:hunter2@redis:6379/0"
    file.write_text(f"{value}\n")
    value_read = getattr(from_environment({variable_name(name) + "_FILE": str(file)}), name)
    assert (value_read if isinstance(value_read, str) else value_read.get_secret_value()) == value


def test_secrets_are_what_may_hold_one() -> None:
    assert {"api_keys", "snapshot_key", "kafka_password", "store"} <= set(secret_settings())


def test_a_secret_that_is_set_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("a")
    with pytest.raises(ConfigError, match="PREQUEL_API_KEYS and PREQUEL_API_KEYS_FILE are both set"):
        from_environment({"PREQUEL_API_KEYS": "b", "PREQUEL_API_KEYS_FILE": str(tmp_path / "key")})


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe", b"x" * (2**20 + 1)])
def test_a_file_without_a_secret_is_refused_by_its_name(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=f"PREQUEL_API_KEYS_FILE={file}") as refused:
        from_environment({"PREQUEL_API_KEYS_FILE": str(file)})
    assert "xxx" not in str(refused.value), "the message contains what is in the file"
