"""The command `stream`: stream a source into a stream, and print how it went."""

import shlex
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing

from rich.console import Console

from prequel.services.producer.client import Client
from prequel.services.producer.confirmation import Confirmation, new_classes_text, new_stream_text
from prequel.services.producer.errors import WrongUsage
from prequel.services.producer.progress import progress_on
from prequel.services.producer.report import check_stream, print_lines, summary_lines
from prequel.services.producer.run import Run
from prequel.services.producer.sending import Post
from prequel.services.producer.sources.base import Source, Survey
from prequel.services.producer.sources.feature_file import FeatureFile, open_feature_file
from prequel.services.producer.sources.opening import open_source, survey_source
from prequel.services.producer.sources.order import check_order, choose_order, ordered
from prequel.services.producer.summary import Summary


def stream_images(
    client: Client,
    stream: str,
    source: str,
    *,
    labels: str | None = None,
    label_delay: int = 0,
    rate: float = 0.0,
    order: str | None = None,
    shuffle: int | None = None,
    correct: bool = False,
    console: Console,
    stop: threading.Event,
    clock: Callable[[], float],
    confirmation: Confirmation | None = None,
) -> Summary:
    """Stream a source and show the progress; ends soon after ``stop`` is set. Raises ProducerError.

    ``source``: a folder, an image, `digits`, or a feature file, whose rows are sent as features.

    ``labels``: folder, filename, csv:FILE, none; None: folder where images are in folders, else none. ``correct``:
    labels of an earlier run that the source has changed are corrected; otherwise they are only counted. ``order`` and
    the seed ``shuffle``: see ``choose_order``.
    ``confirmation``: asks before a new stream is created, or a new class in an existing one.
    """
    check_stream(stream)
    if label_delay < 0 or not 0 <= rate < float("inf"):
        raise WrongUsage("--label-delay and --rate cannot be negative or infinite")
    check_order(order, shuffle)
    with ExitStack() as stack:
        opened = _open(source, labels, stack)
        client.check()
        if isinstance(opened, FeatureFile):
            opened.check_stream(client.stream(stream))
        survey = survey_source(opened, labels, name=source)
        chosen_order = choose_order(opened, survey, order, shuffle)
        if confirmation:
            _confirm(client, stream, survey, confirmation)
        images, order_line = ordered(opened, chosen_order, stop)
        print_lines(console, order_line)
        with progress_on(console, stream, survey.images, clock, unit=survey.unit) as progress:
            run = Run(
                opened,
                stream,
                client,
                label_delay=label_delay,
                rate=rate,
                correct=correct,
                post=_post_features(client, stream, opened) if isinstance(opened, FeatureFile) else None,
                progress=progress,
                stop=stop,
                clock=clock,
            )
            summary = run.run(opened.in_step(images) if isinstance(opened, FeatureFile) else images)
    command = correct_command(source, stream, labels, client.url)
    print_lines(console, *summary_lines(summary, survey, command))
    return summary


def _open(source: str, labels: str | None, stack: ExitStack) -> Source:
    """The source, which ``stack`` closes where it has to be closed."""
    file = open_feature_file(source, labels)
    return stack.enter_context(closing(file)) if file else open_source(source, labels)


def _post_features(client: Client, stream: str, file: FeatureFile) -> Post:
    return lambda examples: client.post_examples(stream, examples, file.backbone)


def correct_command(source: str, stream: str, labels: str | None, url: str) -> str:
    """The command that corrects changed labels, to be copied into a shell."""
    options = ["--labels", labels] if labels else []
    return shlex.join(["prequel", "stream", source, "--stream", stream, *options, "--url", url, "--correct"])


def _confirm(client: Client, stream: str, survey: Survey, confirmation: Confirmation) -> None:
    status = client.stream(stream)
    if status is None:
        confirmation.confirm_creation(new_stream_text(stream, [status.stream for status in client.streams()]))
    elif text := new_classes_text(stream, survey.labels, status.labels):
        confirmation.confirm_creation(text)
