"""What a command says in the end: a run in lines for people, and its exit code."""

from collections.abc import Sequence

from rich.console import Console

from prequel.services.producer.run import Summary
from prequel.services.producer.sources.base import Survey, WrongUsage
from prequel.shared.events.names import STREAM_RULE, valid_stream

SHOWN = 5
INTERRUPTED = 130
LABELS_NOT_TAKEN = 3
"""Not 2, which a wrong command line gets."""


def exit_code(summary: Summary) -> int:
    """130 after Ctrl-C, 1 if not one image has a prediction, 3 if the stream lacks labels of the source, else 0."""
    if summary.interrupted:
        return INTERRUPTED
    if not summary.predicted:
        return 1
    return LABELS_NOT_TAKEN if summary.refused or summary.moved or summary.contradictions else 0


def described(summary: Summary, seen: Survey, again: str = "the same command with --correct") -> list[str]:
    """A run in lines for people; ``again`` is the command that corrects what was moved."""
    stopped = "; stopped: the same command goes on from here" if summary.interrupted else ""
    known = f", {summary.known:,} known already and not sent again" if summary.known else ""
    lines = [
        f"{summary.stream}: {summary.sent:,} of {seen.images:,} images sent in {summary.seconds:.1f} s "
        f"({summary.rate:,.0f}/s), {summary.labelled:,} with a label, {summary.new:,} new to the stream{known}{stopped}"
    ]
    if summary.accuracy is not None and summary.window_accuracy is not None:
        lines.append(
            f"accuracy {summary.accuracy:.4f} since the stream began, {summary.window_accuracy:.4f} lately "
            f"({summary.model})"
        )
    lines += _listed("rejected", summary.rejected)
    lines += _listed("not readable", [*summary.unreadable, *((each, "") for each in seen.unreadable)])
    if summary.silent:
        lines.append(
            f"without an answer: {len(summary.silent):,}, like {summary.silent[0]}. They are in the log; either the "
            "stream has known them for long, or no extractor or no learner is at work: see `prequel status`"
        )
    lines += _of_labels(summary, again)
    if seen.ignored:
        lines.append(f"left out, being no images by their names: {seen.ignored:,}")
    if seen.folders:
        names = ", ".join(name for name, _ in seen.folders.most_common(SHOWN))
        lines.append(f"folders not looked into, being hidden or a system's own: {seen.folders.total():,} ({names})")
    return lines


def _of_labels(summary: Summary, again: str) -> list[str]:
    lines = _listed("labels refused", summary.refused)
    lines += _listed("labels that the source has changed since", summary.moved)
    if summary.moved:
        lines.append(f"to correct them: {again}")
    if summary.given:
        lines.append(f"labelled now, having had no label in the stream: {summary.given:,}")
    if summary.corrected:
        lines.append(f"corrected: {summary.corrected:,}")
    lines += _listed("labelled otherwise by somebody, which stays (`prequel label` changes it)", summary.kept)
    lines += _listed("the same picture under two labels", summary.contradictions)
    if summary.copies:
        lines.append(f"copies of pictures that were there already, and count once: {summary.copies:,}")
    return lines


def check_stream(stream: str) -> None:
    """Raises WrongUsage where that is no name for a stream."""
    if not valid_stream(stream):
        raise WrongUsage(f"{stream[:100]!r} is no name for a stream: take {STREAM_RULE}, like pets")


def say(console: Console, *lines: str) -> None:
    """Print lines as they are, whatever file names are in them."""
    for line in lines:
        text = line.encode("utf-8", "replace").decode()
        console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)


def _listed(what: str, complaints: Sequence[tuple[str, str]]) -> list[str]:
    if not complaints:
        return []
    more = len(complaints) - SHOWN
    examples = "; ".join(f"{name}: {reason}" if reason else name for name, reason in complaints[:SHOWN])
    return [f"{what}: {len(complaints):,} ({examples}{f'; and {more:,} more' if more > 0 else ''})"]
