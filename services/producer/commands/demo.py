"""The command `demo`: digits streamed into a gateway that runs in this process."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from prequel.services.producer.client import Client
from prequel.services.producer.commands.stream import stream_images
from prequel.services.producer.errors import ProducerError
from prequel.services.producer.report import exit_code, print_lines
from prequel.services.producer.summary import Summary
from prequel.shared.status import StreamStatus

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
        self._stay, self._summary_file = stay, summary
        self._thread: threading.Thread | None = None
        self._exit_code = 1

    def start(self, client: Client, url: str) -> None:
        """Begin to stream to the gateway at ``url``, which may still be starting. Closes the client at the end."""
        print_lines(self._console, f"Prequel is at {url} - open it and watch; draw a digit of your own there.")
        self._thread = threading.Thread(target=self._run, args=(client, url), name="demo")
        self._thread.start()

    def finish(self) -> int:
        """Wait for the end; the exit code."""
        if self._thread is None:
            return 0
        self._thread.join()
        return self._exit_code

    def _run(self, client: Client, url: str) -> None:
        stays = False
        try:
            if self._summary_file:
                check_writable(self._summary_file)
            client.streams()  # waits until the gateway has started
            summary = stream_images(client, STREAM, "digits", console=self._console, stop=self._stop, clock=self._clock)
            self._write_summary(client, summary)
            self._exit_code = int(exit_code(summary) == 1)
            stays = self._stay and not self._stop.is_set()
        except ProducerError as error:
            print_lines(self._console, f"prequel demo: {error}")
        finally:
            client.close()
            if not stays:
                self._stop.set()
        if stays:
            print_lines(self._console, f"Still serving at {url}; Ctrl-C ends it.")

    def _write_summary(self, client: Client, summary: Summary) -> None:
        if self._summary_file:
            text = json.dumps(summary_json(summary, client.stream(STREAM)), indent=2) + "\n"
            try:
                self._summary_file.write_text(text)
            except OSError as error:
                raise _not_writable(self._summary_file, error) from None


def check_writable(file: Path) -> None:
    """Raises ProducerError unless the file can be opened; creates it.

    Before the run: after minutes of streaming it would be too late.
    """
    try:
        file.open("a").close()
    except OSError as error:
        raise _not_writable(file, error) from None


def _not_writable(file: Path, error: OSError) -> ProducerError:
    return ProducerError(f"cannot write --summary {file} ({error.strerror}): give a file in an existing folder")


def summary_json(summary: Summary, status: StreamStatus | None) -> dict[str, Any]:
    """The content of the file of ``--summary``."""
    return {
        "stream": summary.stream,
        "images": summary.sent,
        "labelled": summary.labelled,
        "accuracy": summary.accuracy,
        "window_accuracy": summary.window_accuracy,
        "images_per_second": round(summary.rate, 1),
        "seconds": round(summary.seconds, 3),
        "backbone": status.backbone if status else None,
        "models": {
            name: {
                "accuracy": model.accuracy,
                "window_accuracy": model.window_accuracy,
                "kappa": model.kappa,
                "log_loss": model.log_loss,
            }
            for name, model in (status.models if status else {}).items()
        },
    }
