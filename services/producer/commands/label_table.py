"""The command `label --csv`: label or correct many images by a table, without sending an image again."""

import threading
from collections.abc import Callable

from rich.console import Console

from prequel.services.producer.client import Client
from prequel.services.producer.confirmation import Confirmation, new_classes_text
from prequel.services.producer.errors import SourceError, Stopped
from prequel.services.producer.evidence import accuracy_lines
from prequel.services.producer.label_sending import LabelSender
from prequel.services.producer.label_table import LabelFormat, LabelTable, RowProblem, load_labels
from prequel.services.producer.progress import progress_on
from prequel.services.producer.report import (
    INTERRUPTED,
    LABELS_REFUSED,
    MAX_SHOWN,
    check_stream,
    print_lines,
)


def label_images(
    client: Client,
    stream: str,
    file: str,
    *,
    format: LabelFormat,
    skip_bad: bool = False,
    console: Console,
    stop: threading.Event,
    clock: Callable[[], float],
    confirmation: Confirmation | None = None,
) -> int:
    """Send the labels of a CSV file (``-``: standard input) and print what became of them; the exit code.

    Nothing is sent where a row cannot be, unless ``skip_bad`` leaves such rows out. 130 after Ctrl-C, 3 where a label
    had no effect or a row was left out, else 0. Raises ProducerError.
    """
    check_stream(stream)
    table = load_labels(file, format)
    if table.bad and not skip_bad:
        raise SourceError(
            f"{table.name}: {_problems(table.bad)}. Nothing was sent: mend {'it' if len(table.bad) == 1 else 'them'}, "
            "or leave out such rows with --skip-bad"
        )
    if not table.rows:
        without = f"; rows without one: {table.empty:,} (see --retract-empty)" if table.empty else " below its header"
        raise SourceError(f"{table.name} has no label to send{without}")
    client.check()
    if confirmation:
        _confirm_new_classes(client, stream, table, confirmation)
    with progress_on(console, stream, len(table.rows), clock, unit="labels") as progress:
        sender = LabelSender(client, stream, progress, stop=stop, clock=clock)
        interrupted = not _sent(sender, table)
    print_lines(console, *_summary(client, stream, table, sender, interrupted=interrupted))
    if interrupted:
        return INTERRUPTED
    return LABELS_REFUSED if table.bad or any(sender.problems.values()) else 0


def _sent(sender: LabelSender, table: LabelTable) -> bool:
    """Send all; False where the user stopped it."""
    try:
        sender.send(table.rows)
    except Stopped:
        return False
    return True


def _confirm_new_classes(client: Client, stream: str, table: LabelTable, confirmation: Confirmation) -> None:
    status = client.stream(stream)
    if status and (text := new_classes_text(stream, table.labels, status.labels)):
        confirmation.confirm_creation(text)


def _summary(client: Client, stream: str, table: LabelTable, sender: LabelSender, *, interrupted: bool) -> list[str]:
    done = sender.statuses.total()
    rate = done / sender.seconds if sender.seconds else 0.0
    counts = ", ".join(f"{count:,} {status}" for status, count in sender.statuses.most_common()) or "none"
    stopped = "; stopped: give the same command again to continue" if interrupted else ""
    lines = [
        f"{stream}: {done:,} of {len(table.rows):,} labels sent in {sender.seconds:.1f} s ({rate:,.0f}/s): "
        f"{counts}{stopped}"
    ]
    lines += [f"{status}: {_problems(problems)}" for status, problems in sender.problems.items() if problems]
    if table.bad:
        lines.append(f"left out: {_problems(table.bad)}")
    if table.empty:
        lines.append(f"rows without a label, of which nothing was sent: {table.empty:,} (see --retract-empty)")
    return [*lines, *accuracy_lines(client.stream(stream))]


def _problems(problems: list[RowProblem]) -> str:
    more = len(problems) - MAX_SHOWN
    shown = "; ".join(f"line {line}: {reason}" for line, reason in problems[:MAX_SHOWN])
    rows = "row" if len(problems) == 1 else "rows"
    return f"{len(problems):,} {rows} ({shown}{f'; and {more:,} more' if more > 0 else ''})"
