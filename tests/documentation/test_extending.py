"""The guide to extending is followed step by step in a copy of the tree, and what it adds works there."""

import os
import re
import shutil
import subprocess
import sys
from itertools import groupby
from pathlib import Path

import pytest

from tests.documentation.pages import PAGES, ROOT, Fence, fences, read
from tests.documentation.test_commands import answer_of, compare
from tests.documentation.test_pages import written_file

GUIDE = ROOT / "docs" / "extending.md"

MAX_LINES = 30
"""Of code that the reader of a recipe writes: if it takes more, the product needs a change, not the guide."""

SECONDS = 120
"""For one recipe's commands, on a busy machine; they take a few."""

PAGES_AND_CONFIGURATION = (*(page.name for page in PAGES if page.parent == ROOT), "pyproject.toml")
COPIED = ("prequel", "services", "shared", "tests", "docs", *PAGES_AND_CONFIGURATION)


class Recipe:
    """A section of the guide: its heading, its lines, and the blocks of code in it."""

    def __init__(self, text: str) -> None:
        self.title, self.lines = text.splitlines()[0], text.rstrip().splitlines()
        first = read(GUIDE).index(text)
        begin = read(GUIDE)[:first].count("\n") + 1
        self.fences = [each for each in fences(GUIDE) if begin <= each.line < begin + len(self.lines)]


RECIPES = [Recipe(text) for text in re.split(r"^## ", read(GUIDE), flags=re.MULTILINE)[1:]]
with_title = pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.title)


def test_there_is_a_recipe_for_each_extension() -> None:
    titles = " ".join(recipe.title.lower() for recipe in RECIPES)
    assert all(word in titles for word in ("model", "backbone", "route", "setting", "metric", "command"))


@with_title
def test_a_recipe_is_short(recipe: Recipe) -> None:
    assert sum(written_lines(fence) for fence in recipe.fences) < MAX_LINES


def written_lines(fence: Fence) -> int:
    """Of a new file all but blank lines and the path on top; of a change the lines that are added."""
    lines = [line for line in fence.text.splitlines() if line.strip()]
    if fence.kind == "diff":
        return sum(line.startswith("+") for line in lines)
    return len(lines[1:]) if written_file(fence.text) else 0


@with_title
def test_what_a_recipe_adds_works(recipe: Recipe, tmp_path: Path) -> None:
    tree = copy(tmp_path / "tree")
    commands = [each for each in recipe.fences if each.kind == "sh"]
    assert len(commands) == 1, "a recipe shows in one block of commands that it works"
    assert run(commands[0].text, tree).returncode, "these commands succeed without the recipe: they show nothing"
    for fence in recipe.fences:
        follow(fence, tree)
    done = run(commands[0].text, tree)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    if answer := answer_of(commands[0]):
        compare(answer, done.stdout)


def test_the_code_of_the_recipes_passes_make_check(tmp_path: Path) -> None:
    tree = copy(tmp_path / "tree")
    for recipe in RECIPES:
        for fence in recipe.fences:
            follow(fence, tree)
    done = run("ruff check services shared && ruff format --check services shared", tree)
    assert done.returncode == 0, done.stdout + done.stderr


def copy(tree: Path) -> Path:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(
                source, tree / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "node_modules")
            )
        else:
            shutil.copy(source, tree / name)
    return tree


def follow(fence: Fence, tree: Path) -> None:
    """Write a new file, or change one that is there."""
    if fence.kind == "diff":
        header, *lines = fence.text.splitlines()
        for together, hunk in groupby(lines, lambda line: line != " ..."):
            if together:
                patch(tree / header.removeprefix("--- "), list(hunk))
    elif path := written_file(fence.text):
        assert not (tree / path).exists(), f"{path} is there already"
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(fence.text.partition("\n")[2], encoding="utf-8")


def patch(path: Path, lines: list[str]) -> None:
    """Lines with ` ` and `-` are there, those with ` ` and `+` are afterwards."""
    before = "".join(f"{line[1:]}\n" for line in lines if line[:1] in " -")
    after = "".join(f"{line[1:]}\n" for line in lines if line[:1] in " +")
    text = path.read_text(encoding="utf-8")
    assert text.count(before) == 1, f"{path.name} does not have these lines once:\n{before}"
    path.write_text(text.replace(before, after), encoding="utf-8")


def run(commands: str, tree: Path) -> "subprocess.CompletedProcess[str]":
    """In the copy, with its own code before the installed one's."""
    programs = tree.parent / "bin"
    programs.mkdir(exist_ok=True)
    (programs / "prequel").write_text('#!/bin/sh\nexec python -m prequel.services "$@"\n')
    (programs / "prequel").chmod(0o755)
    path = f"{programs}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PREQUEL_")}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=tree,
        env=clean | {"PATH": path, "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        stdin=subprocess.DEVNULL,
    )
