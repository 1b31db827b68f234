"""The examples in the docstrings of the library are executed, with a running Prequel for those that name one."""

import doctest
import pkgutil
from collections.abc import Iterator
from importlib import import_module

import pytest

import prequel
from prequel.services import library

FIXTURES = ("url", "client", "photos", "evaluation", "data")
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def examples() -> Iterator[doctest.DocTest]:
    """Of every module of the library, in its own order."""
    for module in pkgutil.walk_packages(library.__path__, f"{library.__name__}."):
        yield from (each for each in doctest.DocTestFinder().find(import_module(module.name)) if each.examples)


EXAMPLES = list(examples())


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.name.removeprefix(f"{library.__name__}."))
def test_the_example_of_a_docstring_runs(example: doctest.DocTest, request: pytest.FixtureRequest) -> None:
    """A name of FIXTURES in an example is the fixture: a Prequel that runs, or an evaluation."""
    source = "".join(each.source for each in example.examples)
    example.globs |= {"prequel": prequel}
    example.globs |= {name: request.getfixturevalue(name) for name in FIXTURES if name in source}
    printed: list[str] = []
    doctest.DocTestRunner(optionflags=OPTIONS).run(example, out=printed.append, clear_globs=False)
    assert not printed, "".join(printed)


@pytest.mark.parametrize("name", [name for name in prequel.__all__ if callable(getattr(prequel, name))])
def test_a_public_name_has_an_example(name: str) -> None:
    public = getattr(prequel, name)
    if isinstance(public, type) and issubclass(public, Exception):
        return
    assert ">>>" in (public.__doc__ or ""), f"show in the docstring of prequel.{name} how it is used"
