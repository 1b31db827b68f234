"""Settings from environment variables: secrets from files too, and what of PREQUEL_* is no setting of ours."""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from pydantic import SecretStr, ValidationError

from prequel.shared.config import PREFIX, REMOVED, ConfigError, Settings
from prequel.shared.validation_messages import explain

FILE_SUFFIX = "_FILE"
"""PREQUEL_X_FILE names a file that holds the value of PREQUEL_X: how Docker and Kubernetes hand secrets over."""

MAX_SECRET_BYTES = 2**20
"""A file that is larger was named by mistake: keys and addresses are a few hundred bytes."""

_LINK = re.compile(r"(tcp|udp|sctp)://\S+:\d+")
_LINK_NAME = re.compile(r".*_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)?)")


def from_environment(environ: Mapping[str, str], **given: object) -> Settings:
    """Settings from PREQUEL_* variables, overridden by what the command line gave (None: not given).

    Reads the files that PREQUEL_*_FILE name. Raises ConfigError for a wrong value, an unreadable file, and a setting of
    an earlier version. Variables that are no settings are left out: see ``unknown_settings``.
    """
    for name, instead in REMOVED.items():
        if value := environ.get(PREFIX + name):
            raise ConfigError(f"{PREFIX}{name}={value} is no setting any more: {instead}")
    ours = {variable_name(name): name for name in Settings.model_fields}
    values: dict[str, object] = {
        ours[key]: value for key, value in environ.items() if key in ours and value and not _is_link(key, value)
    }
    for name in secret_settings():
        if path := environ.get(variable_name(name) + FILE_SUFFIX):
            if name in values:
                raise ConfigError(
                    f"{variable_name(name)} and {variable_name(name)}{FILE_SUFFIX} are both set: unset one of them"
                )
            values[name] = _content(variable_name(name) + FILE_SUFFIX, path)
    values |= {name: value for name, value in given.items() if value is not None}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise ConfigError("; ".join(_explain(problem, values) for problem in error.errors())) from None


def unknown_settings(environ: Mapping[str, str]) -> Iterator[str]:
    """What to tell the operator of PREQUEL_* variables that are no settings; none of them stops the start.

    Somebody else may set them: Kubernetes does for every service whose name begins with `prequel`.
    """
    known = {variable_name(name) for name in Settings.model_fields} | {
        variable_name(name) + FILE_SUFFIX for name in secret_settings()
    }
    links = []
    for key in sorted(environ):
        if key.startswith(PREFIX) and (key not in known or _is_link(key, environ[key])):
            if _is_link(key, environ[key]) or (key not in known and _LINK_NAME.fullmatch(key)):
                links.append(key)
            else:
                yield _unknown(key, sorted(known))
    if links:
        yield (
            f"Variables that Kubernetes sets for its services are ignored: {', '.join(links)}. "
            "Set enableServiceLinks: false in the pod's spec to be rid of them."
        )


def variable_name(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def secret_settings() -> list[str]:
    """The settings that can be read from a file: keys, passwords, and the store's address, which may hold one."""
    return [name for name in Settings.model_fields if _secret(name)] + ["store"]


def _unknown(key: str, known: list[str]) -> str:
    # Without the prefix, which every two names have in common.
    close = get_close_matches(key.removeprefix(PREFIX), [name.removeprefix(PREFIX) for name in known], 1, 0.6)
    if key.endswith(FILE_SUFFIX) and key.removesuffix(FILE_SUFFIX) in known:
        return f"{key} is ignored: only secrets are read from files. Set {key.removesuffix(FILE_SUFFIX)} itself."
    hint = f"did you mean {PREFIX}{close[0]}?" if close else "README's table lists all settings."
    return f"Unknown setting {key} is ignored: {hint}"


def _is_link(key: str, value: str) -> bool:
    """A service called `prequel` or `prequel-ops` makes Kubernetes set PREQUEL_PORT or PREQUEL_OPS_PORT so."""
    return key.endswith("PORT") and _LINK.fullmatch(value) is not None


def _content(key: str, path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_SECRET_BYTES + 1)
        text = content.decode().strip()
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise ConfigError(f"{key}={path} cannot be read: {error}") from None
    if not text or len(content) > MAX_SECRET_BYTES:
        raise ConfigError(f"{key}={path} is {'empty' if not text else 'too large for a secret'}: name the right file")
    return text


def _explain(problem: object, values: Mapping[str, object]) -> str:
    assert isinstance(problem, dict)
    if not problem["loc"]:
        return str(problem["msg"]).removeprefix("Value error, ")
    name = str(problem["loc"][0])
    shown = "" if _secret(name) or "@" in str(values.get(name)) else f"={values.get(name)}"  # user:password@host
    if problem["type"] == "extra_forbidden":
        return f"{variable_name(name)} is no setting of Prequel; README's table lists them all"
    return f"{variable_name(name)}{shown}: {explain(problem)}"


def _secret(name: str) -> bool:
    return Settings.model_fields[name].annotation is SecretStr if name in Settings.model_fields else False
