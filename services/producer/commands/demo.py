"""The demo: digits streamed into a gateway that runs in this very process."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from prequel.services.producer.client import Client, GatewayError
from prequel.services.producer.commands.stream import stream_images
from prequel.services.producer.report import exit_code, say
from prequel.services.producer.run import Summary
from prequel.services.producer.sources.base import ProducerError

STREAM = "digits"


class Demo:
    """Streams on a thread of its own beside the services; sets ``stop`` at the end unless it is to ``stay``."""

    def __init__(
        self,
        console: Console,
        *,
        stop: threading.Event,
        clock: Callable[[], float],
        stay: bool,
        summary: Path | None,
    ) -> None:
        self._console, self._stop, self._clock = console, stop, clock
        self._stay, self._summary = stay, summary
        self._thread: threading.Thread | None = None
        self._code = 1

    def start(self, client: Client, url: str) -> None:
        """Begin to stream to the gateway at ``url``, which may be about to start."""
        say(self._console, f"Prequel is at {url} - open it and watch; draw a digit of your own there.")
        self._thread = threading.Thread(target=self._run, args=(client, url), name="demo")
        self._thread.start()

    def finish(self) -> int:
        """Wait for the end; the exit code."""
        if self._thread is None:
            return 0
        self._thread.join()
        return self._code

    def _run(self, client: Client, url: str) -> None:
        stays = False
        try:
            if self._summary:
                check_writable(self._summary)
            client.streams()
            summary = stream_images(client, STREAM, "digits", console=self._console, stop=self._stop, clock=self._clock)
            self._report(client, summary)
            self._code = int(exit_code(summary) == 1)
            stays = self._stay and not self._stop.is_set()
        except (GatewayError, ProducerError) as error:
            say(self._console, f"prequel demo: {error}")
        finally:
            client.close()
            if not stays:
                self._stop.set()
        if stays:
            say(self._console, f"Still serving at {url}; Ctrl-C ends it.")

    def _report(self, client: Client, summary: Summary) -> None:
        if self._summary:
            text = json.dumps(result(summary, client.stream(STREAM) or {}), indent=2) + "\n"
            try:
                self._summary.write_text(text)
            except OSError as error:
                raise _unwritable(self._summary, error) from None


def check_writable(summary: Path) -> None:
    """Open the file, creating it, so that nothing is streamed for a summary that nobody gets. Raises ProducerError."""
    try:
        summary.open("a").close()
    except OSError as error:
        raise _unwritable(summary, error) from None


def _unwritable(summary: Path, error: OSError) -> ProducerError:
    return ProducerError(f"--summary {summary} cannot be written ({error.strerror}): give a file in an existing folder")


def result(summary: Summary, status: dict[str, Any]) -> dict[str, Any]:
    """What a run came to, as the file of ``--summary`` has it."""
    return {
        "stream": summary.stream,
        "images": summary.sent,
        "labelled": summary.labelled,
        "accuracy": summary.accuracy,
        "window_accuracy": summary.window_accuracy,
        "images_per_second": round(summary.rate, 1),
        "seconds": round(summary.seconds, 3),
        "backbone": status.get("backbone"),
        "models": {
            name: {key: model[key] for key in ("accuracy", "window_accuracy", "kappa", "log_loss")}
            for name, model in status.get("models", {}).items()
        },
    }
