"""The notebooks of the documents, executed: `python -m tests.documentation.notebooks` keeps what they then show."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
from nbclient import NotebookClient

from tests.documentation.pages import ROOT

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
SECONDS = 300
"""For one cell: all take seconds, but the machine may be busy."""


def executed(path: Path, folder: Path) -> Any:
    """The notebook with what it shows now, from a kernel in an empty folder. Raises CellExecutionError."""
    notebook = read(path)
    client = NotebookClient(
        notebook,
        timeout=SECONDS,
        kernel_name="python3",
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute(env=environment(folder))
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    notebook.metadata.language_info = {"name": "python"}
    return notebook


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]  # nbformat has no types


def environment(temporary: Path) -> Mapping[str, str]:
    """Nothing that somebody has set for a Prequel of their own; a notebook's temporary folder is inside this one."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREQUEL_")}
    return kept | {"TMPDIR": str(temporary)}


def main() -> None:
    for path in map(Path, sys.argv[1:]) if len(sys.argv) > 1 else NOTEBOOKS:
        with TemporaryDirectory() as folder:
            notebook = executed(path, Path(folder))
            nbformat.write(notebook, path)  # type: ignore[no-untyped-call]  # As above.


if __name__ == "__main__":
    main()
