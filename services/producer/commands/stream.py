"""The command `stream`: a source, a stream's name, and how fast and how late."""

import shlex
import threading
from collections.abc import Callable

from rich.console import Console

from prequel.services.producer.client import Client
from prequel.services.producer.confirmation import Asking, new_classes, new_stream
from prequel.services.producer.progress import progress_on
from prequel.services.producer.report import check_stream, described, say
from prequel.services.producer.run import Run, Summary
from prequel.services.producer.sources.base import Survey, WrongUsage, ordered
from prequel.services.producer.sources.kinds import open_source, survey


def stream_images(
    client: Client,
    stream: str,
    source: str,
    *,
    labels: str | None = None,
    label_delay: int = 0,
    rate: float = 0.0,
    shuffle: int | None = None,
    correct: bool = False,
    console: Console,
    stop: threading.Event,
    clock: Callable[[], float],
    asking: Asking | None = None,
) -> Summary:
    """Stream a source and show how it goes; ends soon after ``stop`` is set. Raises ProducerError.

    ``labels``: folder, filename, csv:FILE, none; None: folder where images lie in folders, else none. ``correct``: what
    an earlier run said of a picture and the source says otherwise now is corrected, else only counted.
    ``asking``: whom to ask before a stream, or a class of one that has some, begins.
    """
    check_stream(stream)
    if label_delay < 0 or not 0 <= rate < float("inf"):
        raise WrongUsage("--label-delay and --rate cannot be negative or infinite")
    opened = open_source(source, labels)
    client.check()
    seen = survey(opened, labels)
    if asking:
        _announce(client, stream, seen, asking)
    with progress_on(console, stream, seen.images, clock) as progress:
        run = Run(
            opened,
            stream,
            client,
            label_delay=label_delay,
            rate=rate,
            correct=correct,
            progress=progress,
            stop=stop,
            clock=clock,
        )
        summary = run.run(ordered(opened, Survey(), shuffle))
    say(console, *described(summary, seen, correcting(source, stream, labels, client.url)))
    return summary


def correcting(source: str, stream: str, labels: str | None, url: str) -> str:
    """The command that corrects what was moved, ready to be pasted."""
    options = ["--labels", labels] if labels else []
    return shlex.join(["prequel", "stream", source, "--stream", stream, *options, "--url", url, "--correct"])


def _announce(client: Client, stream: str, seen: Survey, asking: Asking) -> None:
    found = client.stream(stream)
    if found is None:
        asking.begin(new_stream(stream, [each["stream"] for each in client.streams()]))
    elif text := new_classes(stream, seen.labels, found["labels"]):
        asking.begin(text)
