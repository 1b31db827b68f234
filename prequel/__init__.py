"""Prequel as one importable package: what a notebook or a program uses of it; its folders are those of the first level.

The names below are imported when they are first used: ``import prequel`` itself imports nothing.
"""

from typing import TYPE_CHECKING, NamedTuple

__version__ = "0.1.0"

if TYPE_CHECKING:
    from prequel.services.library import figures
    from prequel.services.library.classifier import Classifier
    from prequel.services.library.client import Client
    from prequel.services.library.evaluation import evaluate
    from prequel.services.library.extraction import extract
    from prequel.services.library.log import read
    from prequel.services.library.rows import Rows
    from prequel.services.offline.evaluation.result import Evaluation
    from prequel.shared.errors import PrequelError

__all__ = [
    "Classifier",
    "Client",
    "Evaluation",
    "PrequelError",
    "Rows",
    "__version__",
    "evaluate",
    "extract",
    "figures",
    "read",
]


class _Place(NamedTuple):
    """The module that a public name is defined in, and the extra that installs what this module imports."""

    module: str
    extra: str


_PLACES = {
    "Classifier": _Place("prequel.services.library.classifier", "learner"),
    "Client": _Place("prequel.services.library.client", "producer"),
    "Evaluation": _Place("prequel.services.offline.evaluation.result", "offline"),
    "PrequelError": _Place("prequel.shared.errors", ""),
    "Rows": _Place("prequel.services.library.rows", "offline"),
    "read": _Place("prequel.services.library.log", "offline"),
    "figures": _Place("prequel.services.library.figures", "offline"),
    "evaluate": _Place("prequel.services.library.evaluation", "offline"),
    "extract": _Place("prequel.services.library.extraction", "offline"),
}
"""A new public name: a row here, its import above, and its place in ``__all__``; a test holds the three equal."""


def __getattr__(name: str) -> object:
    """A public name, at its first use. Raises ImportError where what it needs is not installed."""
    if name not in _PLACES:
        raise AttributeError(f"module 'prequel' has no attribute {name!r}: it has {', '.join(__all__)}")
    found = _import(name, *_PLACES[name])
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _import(name: str, module: str, extra: str) -> object:
    from importlib import import_module

    try:
        imported = import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "prequel":
            raise
        raise ImportError(
            f"prequel.{name} needs the package {error.name}, which is not installed: "
            f"pip install 'prequel-stream[{extra}]'"
        ) from error
    # A module is a public name too: ``figures``.
    return getattr(imported, name, imported)
