"""The command `rebuild`: progress while the log is replayed, then a table of verdicts."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from prequel.services.cli.exit_codes import INTERRUPTED
from prequel.services.learner.replay.rebuild import Rebuild, RebuildInterrupted
from prequel.services.learner.replay.verification import Verdict

Advance = Callable[[int, int], None]


def rebuild(console: Console, make: Callable[[Advance], Rebuild], *, verify: bool, threads: int, owner: str) -> int:
    """Replay the log from its start and compare with the snapshots, or write new ones; the exit code.

    1 where a snapshot is not what the log says, 130 where it was interrupted. ``make`` is given the function that moves
    the progress bar: partition and records.
    """
    with _progress(console) as (bar, task):
        work = make(lambda partition, records: bar.advance(task, records))
        bar.update(task, total=work.total())
        try:
            verdicts = work.verify(threads) if verify else work.write(threads, owner)
        except RebuildInterrupted:
            bar.stop()
            console.print(
                "interrupted: partitions that were not replayed to their end have the same snapshots as before"
            )
            return INTERRUPTED
    console.print(_table(verdicts))
    return int(not all(verdict.equal for verdict in verdicts))


@contextmanager
def _progress(console: Console) -> Iterator[tuple[Progress, TaskID]]:
    columns = (TextColumn("replaying the log"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        yield bar, bar.add_task("replay")


def _table(verdicts: Sequence[Verdict]) -> Table:
    table = Table("partition", "offset", "streams", "examples", "digest", "verdict")
    for verdict in verdicts:
        table.add_row(
            str(verdict.partition),
            f"{verdict.offset:,}",
            str(verdict.streams),
            f"{verdict.examples:,}",
            verdict.digest[:16],
            f"{'ok' if verdict.equal else 'FAIL'}: {verdict.remark}",
        )
    return table
