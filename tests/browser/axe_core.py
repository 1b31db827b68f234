"""axe-core, which finds what keeps people from using a page: fetched by npm once into a cache folder of the user's.

Not vendored: it is 560 KB under the Mozilla Public License 2.0, and only tests run it. axe/package-lock.json pins its
version and digest.
"""

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

PINNED = Path(__file__).parent / "axe"
NPM_S = 180.0
FILE = "node_modules/axe-core/axe.min.js"


class NoAxe(Exception):
    """axe-core cannot be had here; the message says why."""


def script() -> str:
    """The source of axe-core. Raises NoAxe."""
    version = json.loads((PINNED / "package.json").read_text())["dependencies"]["axe-core"]
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "prequel" / f"axe-core-{version}"
    if not (folder / FILE).is_file():
        if shutil.which("npm") is None:
            raise NoAxe(
                "npm is not installed: the accessibility of the page is tested with axe-core, which comes from it"
            )
        folder.parent.mkdir(parents=True, exist_ok=True)
        with folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / FILE).is_file():
                _fetch(folder)
    return (folder / FILE).read_text(encoding="utf-8")


def findings(page: Page, source: str) -> list[str]:
    """What axe-core finds in the page as it is now, every rule but the experimental ones: rule, element, what to do."""
    page.evaluate(source)
    found: dict[str, Any] = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{violation['id']}: {' '.join(map(str, node['target']))}: {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


def _fetch(folder: Path) -> None:
    """For the holder of the lock only. The folder appears whole or not at all; npm compares the digest."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PINNED / name, scratch)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, timeout=NPM_S, check=False)
        except subprocess.TimeoutExpired:
            raise NoAxe(f"npm could not fetch axe-core within {NPM_S:g} s") from None
        if done.returncode:
            raise NoAxe(f"npm could not fetch axe-core:\n{(done.stdout + done.stderr)[-2000:]}")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(scratch, folder)
