"""The page's modules that need no browser, tested by Node's own runner: each *.test.js beside this is one test."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.servers.session import missing

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*.test.js"))
TIMEOUT_S = 60.0
OLD_NODE = {
    "--experimental-default-type": "--experimental-default-type=module",
    "--experimental-global-customevent": "--experimental-global-customevent",
}
"""What Node 18 needs to take the page's files for modules and to have CustomEvent. Later versions do without them, and
the newest refuse the first."""


@pytest.fixture(scope="module")
def node() -> list[str]:
    """How Node is called. Missing, it is skipped on a laptop and fails where CI is set."""
    program = shutil.which("node")
    if program is None:
        missing("Node is not installed: install Debian's nodejs to test the page's modules")
    script = "console.log(...process.allowedNodeEnvironmentFlags)"
    allowed = subprocess.run([program, "--eval", script], capture_output=True, text=True, check=True).stdout.split()
    return [program, *(option for flag, option in OLD_NODE.items() if flag in allowed)]


def test_there_are_units() -> None:
    assert FILES


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name.removesuffix(".test.js"))
def test_unit(node: list[str], file: Path) -> None:
    done = subprocess.run(
        [*node, "--test", str(file)], cwd=HERE, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
