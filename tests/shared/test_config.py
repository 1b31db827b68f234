"""Settings: defaults that work, limits that hold, and errors that name the setting, its value and the remedy."""

from pathlib import Path
from typing import Any

import annotated_types
import pytest
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from prequel.shared.config import PREFIX, ConfigError, Settings
from prequel.shared.environment import from_environment

FIELDS = Settings.model_fields
SECRETS = [name for name, field in FIELDS.items() if field.annotation is SecretStr]


def bounds(field: FieldInfo) -> list[float]:
    """Values just outside of the field's limits."""
    outside: list[float] = []
    for limit in field.metadata:
        step = 1 if field.annotation is int else 0.5
        if isinstance(limit, annotated_types.Ge):
            outside.append(float(str(limit.ge)) - step)
        elif isinstance(limit, annotated_types.Gt):
            outside.append(float(str(limit.gt)))
        elif isinstance(limit, annotated_types.Le):
            outside.append(float(str(limit.le)) + step)
    return outside


OUTSIDE = [(name, value) for name, field in FIELDS.items() for value in bounds(field)]
NUMBERS = [name for name, field in FIELDS.items() if field.annotation in (int, float)]
CHOICES = [name for name, field in FIELDS.items() if "Literal" in str(field.annotation)]


def variable(name: str) -> str:
    return PREFIX + name.upper()


def refused(name: str, value: str, message: str | None = None) -> str:
    with pytest.raises(ConfigError, match=message) as raised:
        from_environment({variable(name): value})
    assert variable(name) in str(raised.value)
    return str(raised.value)


def test_without_any_setting_everything_has_a_default() -> None:
    settings = from_environment({"HOME": "/root", "PATH": "/bin"})
    assert settings == Settings.model_validate({})
    assert settings.log_url == f"sqlite:///{Path('prequel-data') / 'log'}"
    assert settings.store_url == f"sqlite:///{Path('prequel-data') / 'store.sqlite'}"
    assert settings.keys == []
    assert settings.model_names


def test_every_setting_is_described() -> None:
    assert [name for name, field in FIELDS.items() if not field.description] == []


def test_a_variable_sets_what_it_names_and_the_command_line_wins() -> None:
    environ = {"PREQUEL_PORT": "9000", "PREQUEL_BACKBONE": "resnet50", "PREQUEL_DATA": "/elsewhere", "OTHER_PORT": "1"}
    settings = from_environment(environ, port=9001, host=None)
    assert (settings.port, settings.backbone, settings.host) == (9001, "resnet50", "127.0.0.1")
    assert settings.log_url == "sqlite:////elsewhere/log"


def test_an_operations_port_for_others_needs_a_key() -> None:
    assert "PREQUEL_API_KEYS" in refused("ops_host", "0.0.0.0")
    assert from_environment({"PREQUEL_OPS_HOST": "0.0.0.0", "PREQUEL_API_KEYS": "a"}).ops_host == "0.0.0.0"


@pytest.mark.parametrize(
    "url", ["prequel.example.org", "https://a/b", "ftp://a", "https://user@a", "https://", "https://a?b"]
)
def test_a_public_address_is_scheme_and_host(url: str) -> None:
    refused("public_url", url, "https://HOST")


def test_a_public_address_needs_a_key() -> None:
    assert "PREQUEL_API_KEYS" in refused("public_url", "https://a.example")
    environ = {"PREQUEL_PUBLIC_URL": "https://A.example:8443/", "PREQUEL_API_KEYS": "a"}
    assert from_environment(environ).public_url == "https://a.example:8443"


def test_an_empty_variable_is_like_a_missing_one() -> None:
    assert from_environment({"PREQUEL_PORT": "", "PREQUEL_LOG": ""}) == from_environment({})


def test_an_unknown_setting_of_the_command_line_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown setting PREQUEL_PROT"):
        from_environment({}, prot=8000)


@pytest.mark.parametrize(("name", "value"), OUTSIDE)
def test_a_number_outside_its_limits_is_refused(name: str, value: float) -> None:
    text = str(int(value)) if FIELDS[name].annotation is int else str(value)
    assert f"{variable(name)}={text}: " in refused(name, text)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", ["many", "1e", "0x10", "nan"])
def test_an_invalid_number_is_refused(name: str, value: str) -> None:
    refused(name, value, "number|integer|greater|less")


@pytest.mark.parametrize("name", CHOICES)
def test_an_invalid_choice_is_refused_with_the_choices(name: str) -> None:
    message = refused(name, "wrong")
    assert "=wrong" in message
    assert "'" in message


def test_there_are_limits_and_choices_to_test() -> None:
    assert len(OUTSIDE) > 30
    assert len(CHOICES) >= 4
    assert len(SECRETS) >= 3


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("log", "sqlite://data", "sqlite:///DIR or kafka://host"),
        ("log", "data/log", "sqlite:///DIR or kafka://host"),
        ("log", "redis://host", "sqlite:///DIR or kafka://host"),
        ("log", "kafka://", "sqlite:///DIR or kafka://host"),
        ("log", "kafka://host:notaport", "sqlite:///DIR or kafka://host"),
        ("log", "kafka://one:9092,,two", "sqlite:///DIR or kafka://host"),
        ("store", "store.sqlite", "sqlite:///FILE or redis://"),
        ("store", "kafka://host", "sqlite:///FILE or redis://"),
        ("models", "logistic,", "at least one model, each once"),
        ("models", "logistic,logistic", "at least one model, each once"),
        ("models", " , ", "at least one model, each once"),
        ("models", "mix(slda, ncm,logistic", "never closes"),
    ],
)
def test_a_wrong_text_is_refused_with_the_remedy(name: str, value: str, remedy: str) -> None:
    assert remedy in refused(name, value)


def test_right_texts_are_accepted() -> None:
    for log in ("sqlite:///data/log", "kafka://one:9092,two:9092", "kafka://one,[::1]:9092/"):
        assert from_environment({"PREQUEL_LOG": log}).log_url == log
    for store in ("sqlite:////abs/file", "redis://host:6379/0", "rediss://user:pw@host"):
        assert from_environment({"PREQUEL_STORE": store}).store_url == store
    assert from_environment({"PREQUEL_MODELS": " slda , logistic"}).model_names == ["slda", "logistic"]
    mixed = from_environment({"PREQUEL_MODELS": "mix(slda, scale|ncm) , logistic"})
    assert mixed.model_names == ["mix(slda, scale|ncm)", "logistic"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "127.0.0.1.example.org"])
def test_listening_beyond_loopback_needs_keys(host: str) -> None:
    assert "PREQUEL_API_KEYS" in refused("host", host)
    assert from_environment({"PREQUEL_HOST": host, "PREQUEL_API_KEYS": "a, b,,"}).keys == ["a", "b"]
    assert from_environment({"PREQUEL_HOST": host, "PREQUEL_API_KEYS": "a\nb,c\n"}).keys == ["a", "b", "c"]
    with pytest.raises(ConfigError, match="PREQUEL_API_KEYS"):
        from_environment({"PREQUEL_HOST": host, "PREQUEL_API_KEYS": " , "})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_loopback_needs_none(host: str) -> None:
    assert from_environment({"PREQUEL_HOST": host}).host == host


def test_several_mistakes_are_reported_together() -> None:
    with pytest.raises(ConfigError) as raised:
        from_environment({"PREQUEL_PORT": "x", "PREQUEL_BATCH": "0"})
    for name in ("PREQUEL_PORT=x", "PREQUEL_BATCH=0"):
        assert name in str(raised.value)


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_shown_nowhere(name: str) -> None:
    secret = "correct-horse"
    settings = from_environment({variable(name): secret})
    value: Any = getattr(settings, name)
    assert value.get_secret_value() == secret
    assert secret not in f"{settings!r} {settings} {settings.model_dump_json()}"
    with pytest.raises(ConfigError) as raised:
        from_environment({variable(name): secret, "PREQUEL_PORT": "x", "PREQUEL_HOST": "0.0.0.0"})
    assert secret not in str(raised.value)
    with pytest.raises(ConfigError) as raised:
        from_environment({}, **{name: [secret]})
    assert secret not in str(raised.value)
    assert variable(name) in str(raised.value)


def test_a_password_inside_a_wrong_address_is_not_shown() -> None:
    for store in ("redis//user:correct-horse@host", "reddis://user:correct-horse@host", "redis:/:correct-horse@host"):
        assert "correct-horse" not in refused("store", store)


def test_settings_do_not_change() -> None:
    settings = from_environment({})
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1
