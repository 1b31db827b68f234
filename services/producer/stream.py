"""The command `stream`: a source, a stream's name, and how fast and how late."""

import threading
from collections.abc import Callable

from rich.console import Console

from services.producer.client import Client
from services.producer.kinds import open_source, survey
from services.producer.progress import progress_on
from services.producer.report import check_stream, described, say
from services.producer.run import Run, Summary
from services.producer.sources import ProducerError, Survey, ordered


def stream_images(
    client: Client,
    stream: str,
    source: str,
    *,
    labels: str | None = None,
    label_delay: int = 0,
    rate: float = 0.0,
    shuffle: int | None = None,
    console: Console,
    stop: threading.Event,
    clock: Callable[[], float],
) -> Summary:
    """Stream a source and show how it goes; ends soon after ``stop`` is set. Raises ProducerError.

    ``labels``: folder, filename, csv:FILE, none; None: folder where images lie in folders, else none.
    """
    check_stream(stream)
    if label_delay < 0 or not 0 <= rate < float("inf"):
        raise ProducerError("--label-delay and --rate cannot be negative or infinite")
    client.check()
    opened = open_source(source, labels)
    seen = survey(opened, labels)
    with progress_on(console, stream, seen.images, clock) as progress:
        run = Run(opened, stream, client, label_delay=label_delay, rate=rate, progress=progress, stop=stop, clock=clock)
        summary = run.run(ordered(opened, Survey(), shuffle))
    say(console, *described(summary, seen))
    return summary
