"""The progress of a run, with live accuracy: a bar on a terminal and in a notebook, plain lines elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from prequel.shared.status import StreamStatus

LINE_SECONDS = 5.0
"""Between two lines: in the log of a script, a run of an hour is then some hundred lines."""

REDRAW_SECONDS = 0.25
"""Between two drawings in a notebook, each a message to the browser; on a terminal rich keeps its own time."""

MAX_REASON_LENGTH = 100
"""Characters of a reason for waiting beside the bar: more would push the bar off the terminal."""


class Progress(Protocol):
    """Shows the progress of a run. Neither call blocks."""

    def show(self, answered: int, seconds: float, status: StreamStatus | None) -> None:
        """``answered`` images are predicted or rejected; ``status`` is the stream's newest, None before the first."""
        ...

    def show_waiting(self, reason: str) -> None:
        """Show why nothing goes on; empty: nothing is known to be wrong."""
        ...


class Bar:
    """A line that is drawn again and again."""

    def __init__(self, bar: RichProgress, stream: str, total: int) -> None:
        self._bar = bar
        self._task = bar.add_task(stream, total=total, speed="", accuracy="", waiting="")

    def show(self, answered: int, seconds: float, status: StreamStatus | None) -> None:
        speed = f"{answered / seconds:,.0f}/s" if seconds > 0 else ""
        self._bar.update(self._task, completed=answered, speed=speed, accuracy=accuracy_text(status))

    def show_waiting(self, reason: str) -> None:
        self._bar.update(self._task, waiting=reason[:MAX_REASON_LENGTH])


class NotebookBar(Bar):
    """A bar in the output of a notebook's cell. rich's own needs a package for it that few notebooks have."""

    def __init__(self, bar: RichProgress, stream: str, total: int, clock: Callable[[], float]) -> None:
        from IPython.display import display

        super().__init__(bar, stream, total)
        self._clock, self._total, self._drawn_at = clock, total, clock()
        self._output = display(bar, display_id=True)  # type: ignore[no-untyped-call]  # IPython has no types.

    def show(self, answered: int, seconds: float, status: StreamStatus | None) -> None:
        super().show(answered, seconds, status)
        self._draw(last=answered >= self._total)

    def show_waiting(self, reason: str) -> None:
        super().show_waiting(reason)
        self._draw()

    def _draw(self, *, last: bool = False) -> None:
        if last or self._clock() - self._drawn_at >= REDRAW_SECONDS:
            self._drawn_at = self._clock()
            self._output.update(self._bar)


class Lines:
    """A line every five seconds, and one whenever the reason for waiting changes."""

    def __init__(
        self, console: Console, stream: str, total: int, clock: Callable[[], float], *, unit: str = "images"
    ) -> None:
        self._console, self._stream, self._total, self._clock, self._unit = console, stream, total, clock, unit
        self._printed_at, self._reason = clock(), ""

    def show(self, answered: int, seconds: float, status: StreamStatus | None) -> None:
        if self._clock() - self._printed_at < LINE_SECONDS:
            return
        self._printed_at = self._clock()
        parts = [f"{answered:,}/{self._total:,} {self._unit}", f"{answered / seconds:,.0f}/s", accuracy_text(status)]
        self._print("  ".join(filter(None, parts)))

    def show_waiting(self, reason: str) -> None:
        if reason and reason != self._reason:
            self._print(f"waiting: {reason}")
        self._reason = reason

    def _print(self, text: str) -> None:
        line = f"{self._stream}: {text}"
        self._console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)


@contextmanager
def progress_on(
    console: Console, stream: str, total: int, clock: Callable[[], float], *, unit: str = "images"
) -> Iterator[Progress]:
    """A bar or lines, as suits the console, over so many of ``unit``. ``clock`` is in seconds, from any start."""
    if console.quiet or not (console.is_terminal or console.is_jupyter):
        yield Lines(console, stream, total, clock, unit=unit)
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
    if console.is_jupyter:
        yield NotebookBar(RichProgress(*columns, console=console), stream, total, clock)
        return
    with RichProgress(*columns, console=console) as bar:
        yield Bar(bar, stream, total)


def accuracy_text(status: StreamStatus | None) -> str:
    """The champion's accuracy since the start, or nothing before the first label."""
    accuracy = status.models[status.champion].accuracy if status else None
    return "" if accuracy is None else f"accuracy {accuracy:.3f}"
