"""How far a run is, with live accuracy: a bar on a terminal, plain lines elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from prequel.services.producer.run import Progress

LINE_SECONDS = 5.0


class Bar:
    """A line that is drawn again and again."""

    def __init__(self, bar: RichProgress, stream: str, total: int) -> None:
        self._bar = bar
        self._task = bar.add_task(stream, total=total, speed="", accuracy="", waiting="")

    def show(self, answered: int, seconds: float, status: dict[str, Any] | None) -> None:
        speed = f"{answered / seconds:,.0f}/s" if seconds > 0 else ""
        self._bar.update(self._task, completed=answered, speed=speed, accuracy=accuracy_text(status))

    def tell(self, text: str) -> None:
        self._bar.update(self._task, waiting=text[:100])


class Lines:
    """A line every five seconds, and one whenever the reason for waiting changes."""

    def __init__(self, console: Console, stream: str, total: int, clock: Callable[[], float]) -> None:
        self._console, self._stream, self._total, self._clock = console, stream, total, clock
        self._printed, self._told = clock(), ""

    def show(self, answered: int, seconds: float, status: dict[str, Any] | None) -> None:
        if self._clock() - self._printed < LINE_SECONDS:
            return
        self._printed = self._clock()
        parts = [f"{answered:,}/{self._total:,} images", f"{answered / seconds:,.0f}/s", accuracy_text(status)]
        self._print("  ".join(filter(None, parts)))

    def tell(self, text: str) -> None:
        if text and text != self._told:
            self._print(f"waiting: {text}")
        self._told = text

    def _print(self, text: str) -> None:
        line = f"{self._stream}: {text}"
        self._console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)


@contextmanager
def progress_on(console: Console, stream: str, total: int, clock: Callable[[], float]) -> Iterator[Progress]:
    """What suits the console. ``clock`` is in seconds, from anywhere."""
    if not console.is_terminal:
        yield Lines(console, stream, total, clock)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TextColumn("{task.fields[accuracy]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[waiting]}", markup=False),
    )
    with RichProgress(*columns, console=console) as bar:
        yield Bar(bar, stream, total)


def accuracy_text(status: dict[str, Any] | None) -> str:
    """The champion's accuracy since the start, or nothing before the first label."""
    accuracy = status and status["models"][status["champion"]]["accuracy"]
    return "" if accuracy is None else f"accuracy {accuracy:.3f}"
