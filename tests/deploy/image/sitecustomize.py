"""Python as in a container's image: packages that are not in the lock file IMAGE_LOCK cannot be imported."""

import importlib.metadata
import os
import re
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _absent() -> set[str]:
    """Top-level modules of packages that the image has not."""
    lock = Path(os.environ["IMAGE_LOCK"]).read_text(encoding="utf-8")
    there = {_normal(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", lock, re.MULTILINE)} | {"prequel-stream"}
    owners = importlib.metadata.packages_distributions()
    return {module for module, packages in owners.items() if not there & {_normal(each) for each in packages}}


class ImageFinder(PathFinder):
    """Finds what the image would have."""

    absent = frozenset(_absent())

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] in cls.absent:
            return None
        return super().find_spec(fullname, path, target)


sys.meta_path[sys.meta_path.index(PathFinder)] = ImageFinder
