"""What a command is: a name, a help text, arguments and a function that runs it."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


def add_no_arguments(parser: argparse.ArgumentParser) -> None:
    """For commands that are configured by settings only."""


class CliCommand(NamedTuple):
    """One command of the command line, a row of the table in parser.py.

    ``run`` gets the parsed arguments and returns the exit code. It imports what it needs itself, not at the top of its
    file: `prequel --help` imports every command's file, and must not wait for numpy.
    """

    name: str
    help: str
    run: Callable[[argparse.Namespace], int]
    add_arguments: Callable[[argparse.ArgumentParser], None] = add_no_arguments


def add_data_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, help="folder of the embedded log and store")
