"""The images that Dockerfile builds, read from its instructions."""

import json
import re
import shlex
from typing import NamedTuple

from tests.deploy.compose import ROOT

FILE = ROOT / "Dockerfile"


class Stage(NamedTuple):
    """One ``FROM``: what it starts from, and its instructions in order."""

    base: str
    instructions: list[tuple[str, str]]


class Image(NamedTuple):
    """What a container of an image gets; ``lock`` names the file its packages come from."""

    environment: dict[str, str]
    entrypoint: list[str]
    command: list[str]
    user: str
    lock: str


def stages() -> dict[str, Stage]:
    """Every stage by its name."""
    found: dict[str, Stage] = {}
    text = re.sub(r"^#.*\n", "", FILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    for line in re.sub(r"\\\n", " ", text).splitlines():
        name, _, rest = line.strip().partition(" ")
        if name == "FROM":
            base, stage = re.fullmatch(r"(\S+) AS (\S+)", rest).groups()  # type: ignore[union-attr]  # else it fails
            found[stage] = Stage(base, [])
        elif name:
            found[stage].instructions.append((name, rest.strip()))
    return found


def image(target: str) -> Image:
    """What ``docker build --target`` makes."""
    all_stages = stages()
    environment: dict[str, str] = {}
    last = {"ENTRYPOINT": "[]", "CMD": "[]", "USER": "root"}
    for stage in _lineage(target, all_stages):
        for name, rest in all_stages[stage].instructions:
            if name == "ENV":
                environment |= dict(pair.split("=", 1) for pair in shlex.split(rest))
            last[name] = rest
    return Image(
        environment, json.loads(last["ENTRYPOINT"]), json.loads(last["CMD"]), last["USER"], _lock(target, all_stages)
    )


def _lineage(stage: str, all_stages: dict[str, Stage]) -> list[str]:
    """A stage and those it starts from, the first one first."""
    lineage: list[str] = []
    while stage in all_stages:
        lineage.insert(0, stage)
        stage = all_stages[stage].base
    return lineage


def _lock(target: str, all_stages: dict[str, Stage]) -> str:
    """The lock file of the stage that the target's packages are copied from."""
    packages = _copied(target, r"--from=(\S+) /opt/prequel /opt/prequel", all_stages)
    return _copied(packages, r"(locks/\S+) packages.txt", all_stages)


def _copied(target: str, pattern: str, all_stages: dict[str, Stage]) -> str:
    found = [
        match[1]
        for stage in _lineage(target, all_stages)
        for name, rest in all_stages[stage].instructions
        if name == "COPY" and (match := re.fullmatch(pattern, rest))
    ]
    assert len(found) == 1, f"{target}: {found}"
    return found[0]
