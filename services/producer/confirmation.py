"""Tells the user what is about to be created or deleted, and asks for confirmation on a terminal."""

import difflib
from collections.abc import Callable, Collection

from rich.console import Console

from prequel.services.producer.errors import ProducerError
from prequel.services.producer.report import print_lines

Ask = Callable[[str], str]
"""Asks the user at the terminal a question and returns the answer."""

MAX_SHOWN = 5
"""New classes that are named in the question; the rest are counted."""


class Confirmation:
    """``ask`` None: there is no terminal; ``yes``: the user has confirmed on the command line already."""

    def __init__(self, console: Console, ask: Ask | None, *, yes: bool = False) -> None:
        self._console, self._ask, self._yes = console, ask, yes

    def confirm_creation(self, text: str) -> None:
        """Print what will be created; raises ProducerError where the user declines. A script goes on."""
        print_lines(self._console, text)
        if self._ask and not self._yes:
            self._require_yes(self._ask, "Continue?")

    def confirm_deletion(self, text: str, *, question: str = "Delete it?") -> None:
        """Print what will be lost; raises ProducerError unless the user confirms it: a script needs --yes."""
        print_lines(self._console, text)
        if self._yes:
            return
        if self._ask is None:
            raise ProducerError("nothing was done: without a terminal, confirm with --yes")
        self._require_yes(self._ask, question)

    def _require_yes(self, ask: Ask, question: str) -> None:
        if ask(f"{question} [y/N] ").strip().lower() not in ("y", "yes"):
            raise ProducerError("nothing was done; with --yes there is no question")


def new_stream_text(stream: str, others: Collection[str]) -> str:
    return f"there is no stream {stream} yet: it will be created{_similar(stream, others)}"


def new_classes_text(stream: str, labels: Collection[str], classes: Collection[str]) -> str | None:
    """The text where a stream that has classes is about to get other ones; None where it is not."""
    new = sorted(set(labels) - set(classes))
    if not new or not classes:
        return None
    shown = ", ".join(f"{label}{_similar(label, classes)}" for label in new[:MAX_SHOWN])
    more = f" and {len(new) - MAX_SHOWN:,} more" if len(new) > MAX_SHOWN else ""
    return f"new to the {len(classes):,} classes of {stream}: {shown}{more}"


def _similar(name: str, others: Collection[str]) -> str:
    similar = difflib.get_close_matches(name, sorted(others), 1)
    return f" (there is {similar[0]})" if similar else ""
