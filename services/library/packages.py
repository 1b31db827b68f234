"""Packages that only some of the work needs: what is missing is said before hours of work, not after."""

from importlib.util import find_spec


class MissingPackage(ImportError):
    """A package is not installed; the text says what installs it."""


NAMES = {"sklearn": "scikit-learn"}
"""By what is imported, what is installed, where the two differ."""


def require(who: str, *packages: str) -> None:
    """Raises MissingPackage where one of the packages of the extra `offline`, which ``who`` needs, is not installed."""
    for package in packages:
        if not _is_there(package):
            name = NAMES.get(package, package)
            raise MissingPackage(f"{who} needs {name}: pip install 'prequel-stream[offline]'", name=package)


def _is_there(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ValueError:  # It is blocked: None stands for it in sys.modules.
        return False
