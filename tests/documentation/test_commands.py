"""Every block of commands that the documents show is executed here, or says in its page why it cannot be."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.documentation.pages import PAGES, README, ROOT, Fence, fences, read
from tests.documentation.system import STAND_INS, System, stand_in
from tests.documentation.test_pages import commands

FENCES = [fence for page in PAGES for fence in fences(page)]
GUIDE = "extending.md"
"""Its blocks belong together and are followed by a test of their own."""
NOT_RUN = "not run: "

EXECUTED = [each for each in FENCES if each.kind in ("sh", "python") and not each.comment and each.page.name != GUIDE]
LEFT_OUT = [each for each in FENCES if each.kind in ("sh", "python") and each.comment]
SHELL = [each for each in FENCES if each.kind == "sh"]
OF_THIS_VERSION = [each for each in SHELL if each.page.name != GUIDE]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    started = System(tmp_path_factory.mktemp("documents"))
    try:
        # Most of the other blocks speak of the stream that README begins; sent again, nothing changes.
        (begin,) = (each for each in fences(README) if "prequel stream " in each.text)
        done = started.run(begin.text)
        assert done.returncode == 0, done.stdout + done.stderr
        yield started
    finally:
        started.close()


@pytest.mark.parametrize("fence", EXECUTED, ids=lambda fence: fence.name)
def test_what_a_page_shows_works(system: System, fence: Fence) -> None:
    if "git clone" in fence.text and not (ROOT / ".git").exists():
        pytest.skip("this tree is no clone of a repository, so it cannot be cloned")
    done = system.run(fence.text) if fence.kind == "sh" else system.run_python(fence.text)
    assert done.returncode == 0, done.stdout + done.stderr
    if answer := answer_of(fence):
        compare(answer, done.stdout)


def answer_of(fence: Fence) -> Fence | None:
    """The block right behind, where it is what the commands print."""
    after = [each for each in fences(fence.page) if each.line > fence.line]
    if not after or after[0].kind not in ("json", "text"):
        return None
    lines = read(fence.page).splitlines()
    between = lines[fence.line + fence.text.count("\n") : after[0].line - 2]
    return after[0] if not any(between) else None


def compare(answer: Fence, printed: str) -> None:
    """What a page says is printed, but for the numbers and ids."""
    if answer.kind == "json":
        assert shape(json.loads(printed)) == shape(json.loads(answer.text))
    else:
        assert masked(printed) == masked(answer.text)


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value[:1]]
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def masked(text: str) -> str:
    return re.sub(r"\d[\d.]*(e-?\d+)?", "#", text).strip()


# What is not executed.


@pytest.mark.parametrize("fence", LEFT_OUT, ids=lambda fence: fence.name)
def test_what_is_left_out_says_why(fence: Fence) -> None:
    assert fence.comment.startswith(NOT_RUN), f"only `<!-- {NOT_RUN}REASON -->` may stand before a block"
    assert len(fence.comment.removeprefix(NOT_RUN).split()) > 3, f"no reason: {fence.comment!r}"


@pytest.mark.parametrize("each", STAND_INS, ids=lambda each: each.text.split()[0])
def test_every_stand_in_is_needed(each: Any) -> None:
    assert any(each.text in fence.text for fence in EXECUTED), "no page shows it any more"
    assert each.reason


@pytest.mark.parametrize("fence", SHELL, ids=lambda fence: fence.name)
def test_shells_can_read_it(fence: Fence) -> None:
    done = subprocess.run(
        ["bash", "-n"], input=stand_in(fence.text, "gateway"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("fence", OF_THIS_VERSION, ids=lambda fence: fence.name)
def test_commands_of_prequel_are_commands_of_this_version(fence: Fence) -> None:
    for line in re.findall(r"^(?:\S+=\S* )*\S*\bprequel ((?!&&).+?)(?: &)?$", fence.text, re.MULTILINE):
        name, *arguments = shlex.split(line, comments=True)
        commands()[name].parse_args(arguments)


@pytest.mark.parametrize(
    "fence", [each for each in SHELL if "docker compose" in each.text], ids=lambda fence: fence.name
)
def test_compose_is_told_of_services_and_profiles_that_it_has(fence: Fence) -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    profiles = {profile for service in services.values() for profile in service.get("profiles", [])}
    assert set(re.findall(r"--scale (\w[\w-]*)=", fence.text)) <= services.keys()
    assert set(re.findall(r"--profile (\w+)", fence.text)) <= profiles


@pytest.mark.parametrize("line", [line for each in SHELL for line in each.text.splitlines() if "curl " in line])
def test_addresses_are_quoted_for_shells_that_match_files(line: str) -> None:
    bare = re.sub(r"'[^']*'|\"[^\"]*\"", "", line)
    assert not set("?*[]{}&") & set(bare), "zsh: no matches found"


def test_what_the_documents_use_is_there() -> None:
    assert shutil.which("curl"), "the documents use curl: install it"
