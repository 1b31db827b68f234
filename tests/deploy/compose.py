"""docker-compose.yml as Compose reads it: interpolated, with durations made out."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.yml"

_VARIABLE = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<how>:-|:\?)(?P<rest>.*))?", re.DOTALL)
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


class Unset(Exception):
    """A variable that the user has to set is not set; the message is the file's own."""


def read(environ: Mapping[str, str]) -> dict[str, Any]:
    """The file with its anchors and variables resolved. Raises Unset."""
    loaded = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return {key: _resolved(value, environ) for key, value in loaded.items() if not key.startswith("x-")}


def interpolated(text: str, environ: Mapping[str, str]) -> str:
    """``${NAME}``, ``${NAME:-else}`` and ``${NAME:?message}``, also nested, replaced. Raises Unset."""
    before, sign, after = text.partition("${")
    if not sign:
        return text
    end = _closing(after)
    found = _VARIABLE.fullmatch(after[:end])
    assert found, f"{text}: not understood"
    value = environ.get(found["name"], "")
    if not value and found["how"] == ":?":
        raise Unset(f"{found['name']} {found['rest']}")
    if not value and found["how"] == ":-":
        value = interpolated(found["rest"], environ)
    return before + value + interpolated(after[end + 1 :], environ)


def seconds(duration: str) -> float:
    """`1m30s` is 90."""
    parts = re.findall(r"(\d+)(ms|h|m|s)", duration)
    assert "".join(map("".join, parts)) == duration, f"{duration}: no duration"
    return sum(int(number) * _UNITS[unit] for number, unit in parts)


def _resolved(value: Any, environ: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _resolved(each, environ) for key, each in value.items()}
    if isinstance(value, list):
        return [_resolved(each, environ) for each in value]
    return interpolated(value, environ) if isinstance(value, str) else value


def _closing(text: str) -> int:
    """Where the brace ends that was opened before ``text``."""
    depth = 1
    for place, letter in enumerate(text):
        depth += (letter == "{") - (letter == "}")
        if depth == 0:
            return place
    raise AssertionError(f"{text}: an open brace")
