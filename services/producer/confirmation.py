"""Says what is about to begin or to end, and on a terminal asks whether it is meant."""

import difflib
from collections.abc import Callable, Collection

from rich.console import Console

from prequel.services.producer.report import say
from prequel.services.producer.sources.base import ProducerError

Ask = Callable[[str], str]
"""Puts a question to whoever sits at the terminal and returns the answer."""
SHOWN = 5


class Asking:
    """``ask`` None: nobody is there to be asked; ``yes``: whatever it is, it is meant."""

    def __init__(self, console: Console, ask: Ask | None, *, yes: bool = False) -> None:
        self._console, self._ask, self._yes = console, ask, yes

    def begin(self, what: str) -> None:
        """Say what begins; raises ProducerError where whoever is asked does not want it. A script goes on."""
        say(self._console, what)
        if self._ask and not self._yes:
            self._insist("Is that meant?")

    def destroy(self, what: str) -> None:
        """Say what ends; raises ProducerError unless it is wanted: a script has to say so with --yes."""
        say(self._console, what)
        if self._yes:
            return
        if self._ask is None:
            raise ProducerError("nothing was deleted: without a terminal, say --yes to mean it")
        self._insist("Delete it?")

    def _insist(self, question: str) -> None:
        assert self._ask
        if self._ask(f"{question} [y/N] ").strip().lower() not in ("y", "yes"):
            raise ProducerError("nothing was done: give --yes to mean it without being asked")


def new_stream(stream: str, others: Collection[str]) -> str:
    return f"there is no stream {stream} yet: it will be created{_nearest(stream, others)}"


def new_classes(stream: str, labels: Collection[str], classes: Collection[str]) -> str | None:
    """What to say where a stream with classes is about to get others; None where it is not."""
    new = sorted(set(labels) - set(classes))
    if not new or not classes:
        return None
    shown = ", ".join(f"{label}{_nearest(label, classes)}" for label in new[:SHOWN])
    more = f" and {len(new) - SHOWN:,} more" if len(new) > SHOWN else ""
    return f"new to the {len(classes):,} classes of {stream}: {shown}{more}"


def _nearest(name: str, others: Collection[str]) -> str:
    nearest = difflib.get_close_matches(name, sorted(others), 1)
    return f" (there is {nearest[0]})" if nearest else ""
