"""What `extract` prints at its end, and its exit code."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from prequel.services.offline.extraction.extraction import Extraction
from prequel.services.offline.extraction.file_extraction import ExtractedFile
from prequel.services.offline.extraction.image_source import ImageSource
from prequel.services.producer.report import INTERRUPTED, LABELS_REFUSED
from prequel.services.producer.summary import ImageProblem

MAX_SHOWN = 20
"""Images of one kind that are listed by name: all that fits on a screen; the rest are counted."""

MAX_CLASSES = 20
"""Classes that are listed with their numbers of images, the largest first."""


def exit_code(result: ExtractedFile) -> int:
    """130 after Ctrl-C, 1 without any features, 3 if an image has two labels, else 0, as `stream` has it."""
    if not result.finished:
        return INTERRUPTED if result.rows else 1
    return LABELS_REFUSED if result.extraction and result.extraction.copies.contradictions else 0


def extraction_lines(result: ExtractedFile) -> list[str]:
    """A run in lines for people."""
    source = result.source
    if result.extraction is None:
        rows, backbone = len(result.rows), result.meta.backbone
        return [f"{result.path} is finished: {rows:,} rows of {backbone}; --force makes it again"]
    new = len(result.rows) - result.done
    rate = f"{new / result.seconds:,.0f}/s" if result.seconds > 0 else ""
    before = f", {result.done:,} were done before" if result.done else ""
    lines = [
        f"{result.path.name}: {new:,} of {source.survey.images:,} images in {result.seconds:.1f} s ({rate}){before}",
        *problem_lines(result.extraction, source),
    ]
    if not result.rows:
        return [*lines, f"no image of {source.name} has features: nothing is written"]
    if not result.finished:
        return [*lines, f"stopped, {len(result.rows):,} rows are kept: give the same command again to continue"]
    return [*lines, *_file_lines(result)]


def problem_lines(extraction: Extraction, source: ImageSource) -> Iterator[str]:
    """What has no features, and what is worth knowing of the source."""
    survey = source.survey
    yield from listed("not readable", [*extraction.unreadable, *(ImageProblem(each, "") for each in survey.unreadable)])
    yield from listed("rejected", extraction.rejected)
    yield from listed("the same image under two labels", extraction.copies.contradictions)
    yield from listed("empty folders", [ImageProblem(folder, "no image") for folder in survey.empty_folders])
    if extraction.damaged:
        yield f"damaged, a part was missing: {extraction.damaged:,}; they have features"
    if extraction.copies.count:
        yield f"copies of other images, counted once: {extraction.copies.count:,}"
    for (first, second), count in extraction.copies.across_splits.items():
        yield f"in {first} and in {second} too, kept in {first} only: {count:,} images"
    if survey.ignored:
        yield f"ignored, not images by their names: {survey.ignored:,}"


def listed(title: str, problems: Sequence[ImageProblem]) -> Iterator[str]:
    """A line for each problem under a title, as many as fit on a screen."""
    if not problems:
        return
    yield f"{title}: {len(problems):,}"
    yield from (f"  {name}: {reason}" if reason else f"  {name}" for name, reason in problems[:MAX_SHOWN])
    if len(problems) > MAX_SHOWN:
        yield f"  and {len(problems) - MAX_SHOWN:,} more"


def _file_lines(result: ExtractedFile) -> Iterator[str]:
    labels = Counter(row.label for row in result.rows if row.label is not None)
    unlabelled = len(result.rows) - labels.total()
    splits = Counter(row.split for row in result.rows if row.split)
    yield (
        f"{result.path}: {len(result.rows):,} rows of {result.meta.dim:,} features through {result.meta.backbone} "
        f"({result.meta.precision}), {result.path.stat().st_size / 1e6:,.1f} MB"
    )
    if labels:
        yield f"classes: {_counted(labels)}" + (f"; without a label {unlabelled:,}" if unlabelled else "")
    else:
        yield "no image has a label"
    if splits:
        yield f"splits: {_counted(splits)}"
    yield f"to evaluate models on it: prequel evaluate {result.path}"


def _counted(numbers: Mapping[str, int]) -> str:
    more = len(numbers) - MAX_CLASSES
    largest = sorted(numbers.items(), key=lambda pair: (-pair[1], pair[0]))[:MAX_CLASSES]
    shown = ", ".join(f"{name} {count:,}" for name, count in largest)
    return shown + (f" and {more:,} more" if more > 0 else "")
