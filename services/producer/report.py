"""What a command says in the end: a run in lines for people, and its exit code."""

from rich.console import Console

from services.producer.run import Complaints, Summary
from services.producer.sources import ProducerError, Survey
from shared.events import STREAM_PATTERN, valid_stream

SHOWN = 5
INTERRUPTED = 130


def exit_code(summary: Summary) -> int:
    """130 after Ctrl-C, 1 if not one image was predicted, else 0."""
    return INTERRUPTED if summary.interrupted else int(not summary.predicted)


def described(summary: Summary, seen: Survey) -> list[str]:
    """A run in lines for people."""
    stopped = "; stopped: the same command goes on from here" if summary.interrupted else ""
    lines = [
        f"{summary.stream}: {summary.sent:,} of {seen.images:,} images sent in {summary.seconds:.1f} s "
        f"({summary.rate:,.0f}/s), {summary.labelled:,} with a label, {summary.new:,} new to the stream{stopped}"
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
    if summary.otherwise:
        lines.append(
            f"labels not taken: {summary.otherwise:,}, whose images have another label already, which stays; "
            "`prequel label` or --label-delay corrects it"
        )
    if seen.ignored:
        lines.append(f"left out, being no images by their names: {seen.ignored:,}")
    if seen.folders:
        names = ", ".join(name for name, _ in seen.folders.most_common(SHOWN))
        lines.append(f"folders not looked into, being hidden or a system's own: {seen.folders.total():,} ({names})")
    return lines


def check_stream(stream: str) -> None:
    """Raises ProducerError where that is no name for a stream."""
    if not valid_stream(stream):
        raise ProducerError(f"{stream[:100]!r} is no name for a stream ({STREAM_PATTERN}), like pets")


def say(console: Console, *lines: str) -> None:
    """Print lines as they are, whatever file names are in them."""
    for line in lines:
        text = line.encode("utf-8", "replace").decode()
        console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)


def _listed(what: str, complaints: Complaints) -> list[str]:
    if not complaints:
        return []
    more = len(complaints) - SHOWN
    examples = "; ".join(f"{name}: {reason}" if reason else name for name, reason in complaints[:SHOWN])
    return [f"{what}: {len(complaints):,} ({examples}{f'; and {more:,} more' if more > 0 else ''})"]
