"""What a command prints at its end: a run in lines for people, and its exit code."""

from collections.abc import Sequence

from rich.console import Console

from prequel.services.producer.errors import WrongUsage
from prequel.services.producer.evidence import accuracy_lines
from prequel.services.producer.sources.base import Survey
from prequel.services.producer.summary import ImageProblem, Summary
from prequel.shared.events.names import STREAM_RULE, valid_stream

MAX_SHOWN = 5
"""Problems of one kind that are shown by name: enough to see the pattern; the rest are counted."""

INTERRUPTED = 130
LABELS_REFUSED = 3
"""Not 2, which is the exit code of a wrong command line."""


def exit_code(summary: Summary) -> int:
    """130 after Ctrl-C, 1 if not one image has a prediction, 3 if the stream lacks labels of the source, else 0."""
    if summary.interrupted:
        return INTERRUPTED
    if not summary.predicted:
        return 1
    labels_missing = summary.refused_labels or summary.changed_labels or summary.contradictions
    return LABELS_REFUSED if labels_missing else 0


def summary_lines(summary: Summary, survey: Survey, correct_command: str) -> list[str]:
    """A run in lines for people; ``correct_command`` is the command that corrects changed labels."""
    stopped = "; stopped: give the same command again to continue" if summary.interrupted else ""
    known = f", {summary.already_known:,} already known and not sent again" if summary.already_known else ""
    lines = [
        f"{summary.stream}: {summary.sent:,} of {survey.images:,} {survey.unit} sent in {summary.seconds:.1f} s "
        f"({summary.rate:,.0f}/s), {summary.labelled:,} with a label, {summary.new:,} new to the stream{known}{stopped}"
    ]
    lines += accuracy_lines(summary.status)
    lines += _problem_lines("rejected", summary.rejected)
    unreadable = [*summary.unreadable, *(ImageProblem(folder, "") for folder in survey.unreadable)]
    lines += _problem_lines("not readable", unreadable)
    if summary.unanswered:
        lines.append(
            f"without an answer: {len(summary.unanswered):,}, for example {summary.unanswered[0]}. They are in the "
            "log; either the stream has had them for a long time, or no extractor or learner is running: see "
            "`prequel status`"
        )
    lines += _label_lines(summary, correct_command)
    if survey.ignored:
        lines.append(f"ignored, not images by their names: {survey.ignored:,}")
    if survey.skipped_folders:
        names = ", ".join(name for name, _ in survey.skipped_folders.most_common(MAX_SHOWN))
        lines.append(f"skipped folders, hidden or of an operating system: {survey.skipped_folders.total():,} ({names})")
    return lines


def _label_lines(summary: Summary, correct_command: str) -> list[str]:
    lines = _problem_lines("labels refused", summary.refused_labels)
    lines += _problem_lines("labels that the source has changed", summary.changed_labels)
    if summary.changed_labels:
        lines.append(f"to correct them: {correct_command}")
    if summary.newly_labelled:
        lines.append(f"labelled now, without a label in the stream before: {summary.newly_labelled:,}")
    if summary.corrected:
        lines.append(f"corrected: {summary.corrected:,}")
    lines += _problem_lines(
        f"labelled differently by somebody, unchanged (`prequel label {summary.stream} --csv FILE` changes it)",
        summary.labels_by_others,
    )
    lines += _problem_lines("the same image under two labels", summary.contradictions)
    if summary.copies:
        lines.append(f"copies of other images, counted once: {summary.copies:,}")
    return lines


def check_stream(stream: str) -> None:
    """Raises WrongUsage where that is not a valid name of a stream."""
    if not valid_stream(stream):
        raise WrongUsage(f"{stream[:100]!r} is not a valid stream name: use {STREAM_RULE}, for example pets")


def print_lines(console: Console, *lines: str) -> None:
    """Print lines as they are: rich would take brackets and colons in file names for markup and emoji."""
    for line in lines:
        text = line.encode("utf-8", "replace").decode()
        console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)


def _problem_lines(title: str, problems: Sequence[ImageProblem]) -> list[str]:
    if not problems:
        return []
    more = len(problems) - MAX_SHOWN
    shown = "; ".join(f"{name}: {reason}" if reason else name for name, reason in problems[:MAX_SHOWN])
    return [f"{title}: {len(problems):,} ({shown}{f'; and {more:,} more' if more > 0 else ''})"]
