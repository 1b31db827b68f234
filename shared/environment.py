"""Settings from environment variables, secrets also from files, and warnings about unknown PREQUEL_* variables."""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from pydantic import SecretStr, ValidationError

from prequel.shared.config import PREFIX, REMOVED, ConfigError, Settings
from prequel.shared.validation_messages import explain

FILE_SUFFIX = "_FILE"
"""PREQUEL_X_FILE names a file that contains the value of PREQUEL_X: Docker and Kubernetes pass secrets this way."""

MAX_SECRET_BYTES = 2**20
"""Keys and addresses are a few hundred bytes. A larger file is the wrong one, and would be read into memory."""

ALL_SETTINGS = "docs/configuration.md lists all settings"

_LINK = re.compile(r"(tcp|udp|sctp)://\S+:\d+")
_LINK_NAME = re.compile(r".*_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)?)")


def from_environment(environ: Mapping[str, str], **overrides: object) -> Settings:
    """Settings from PREQUEL_* variables; ``overrides`` come from the command line (None: not set there).

    Reads the files that PREQUEL_*_FILE name. Raises ConfigError for a wrong value, an unreadable file, and a setting of
    an earlier version. Unknown variables are left out: see ``unknown_settings``.
    """
    _refuse_removed(environ)
    names = {variable_name(name): name for name in Settings.model_fields}
    values: dict[str, object] = {
        names[key]: value for key, value in environ.items() if key in names and value and not _is_link(key, value)
    }
    for name in secret_settings():
        key = variable_name(name)
        if path := environ.get(key + FILE_SUFFIX):
            if name in values:
                raise ConfigError(f"{key} and {key}{FILE_SUFFIX} are both set: unset one of them")
            values[name] = _read_secret(key + FILE_SUFFIX, path)
    values |= {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise ConfigError("; ".join(_explain(problem, values) for problem in error.errors())) from None


def unknown_settings(environ: Mapping[str, str]) -> Iterator[str]:
    """Warnings about PREQUEL_* variables that are not settings.

    They do not stop the start, for others may set them: Kubernetes does for each service whose name begins with
    `prequel`.
    """
    files = {variable_name(name) + FILE_SUFFIX for name in secret_settings()}
    known = {variable_name(name) for name in Settings.model_fields} | files
    links = []
    for key in sorted(environ):
        if key.startswith(PREFIX) and (key not in known or _is_link(key, environ[key])):
            if _is_link(key, environ[key]) or (key not in known and _LINK_NAME.fullmatch(key)):
                links.append(key)
            else:
                yield _unknown(key, sorted(known))
    if links:
        yield (
            f"variables that Kubernetes sets for its services are ignored: {', '.join(links)}. "
            "To be rid of them, set enableServiceLinks: false in the pod's spec"
        )


def variable_name(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def secret_settings() -> list[str]:
    """The settings that can be read from a file: keys, passwords, and the store's address, which may contain one."""
    return [name for name in Settings.model_fields if _is_secret(name)] + ["store"]


def _refuse_removed(environ: Mapping[str, str]) -> None:
    for name, remedy in REMOVED.items():
        if value := environ.get(PREFIX + name):
            raise ConfigError(f"{PREFIX}{name}={value} is a setting of an earlier version: {remedy}")


def _unknown(key: str, known: list[str]) -> str:
    if key.endswith(FILE_SUFFIX) and key.removesuffix(FILE_SUFFIX) in known:
        setting = key.removesuffix(FILE_SUFFIX)
        return f"{key} is ignored: only secrets are read from files. Set {setting} itself"
    # Compared without the prefix: all names have it in common, so with it they would all be similar.
    close = get_close_matches(key.removeprefix(PREFIX), [name.removeprefix(PREFIX) for name in known], 1, 0.6)
    return f"unknown setting {key} is ignored; " + (f"did you mean {PREFIX}{close[0]}?" if close else ALL_SETTINGS)


def _is_link(key: str, value: str) -> bool:
    """Whether Kubernetes set it: for services called `prequel` or `prequel-ops` it sets PREQUEL_(OPS_)PORT to a URL."""
    return key.endswith("PORT") and _LINK.fullmatch(value) is not None


def _read_secret(key: str, path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_SECRET_BYTES + 1)
        text = content.decode().strip()
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise ConfigError(f"{key}={path} cannot be read: {error}") from None
    if not text or len(content) > MAX_SECRET_BYTES:
        problem = "is too large for a secret" if text else "is empty"
        raise ConfigError(f"{key}={path} {problem}: name the file that contains the secret")
    return text


def _explain(problem: object, values: Mapping[str, object]) -> str:
    assert isinstance(problem, dict)
    if not problem["loc"]:
        return str(problem["msg"]).removeprefix("Value error, ")
    name = str(problem["loc"][0])
    if problem["type"] == "extra_forbidden":
        return f"unknown setting {variable_name(name)}; {ALL_SETTINGS}"
    # Not the value of a secret, nor of an address with user:password@host: messages end up in logs.
    shown = "" if _is_secret(name) or "@" in str(values.get(name)) else f"={values.get(name)}"
    return f"{variable_name(name)}{shown}: {explain(problem)}"


def _is_secret(name: str) -> bool:
    return Settings.model_fields[name].annotation is SecretStr if name in Settings.model_fields else False
