"""An export of a stream while it arrives."""

import threading
from collections.abc import Iterable, Iterator

import httpx

from prequel.services.producer.errors import GatewayError, Stopped


class ExportedStream:
    """An export that arrives. ``complete`` is whether the log reaches back to the beginning of the stream, which has
    had ``examples``, ``labelled`` of them with a label."""

    def __init__(self, answer: httpx.Response) -> None:
        self._answer = answer
        self.complete = answer.headers.get("Prequel-Complete") != "false"
        self.examples = int(answer.headers.get("Prequel-Examples", 0))
        self.labelled = int(answer.headers.get("Prequel-Labelled", 0))

    def pieces(self, stop: threading.Event) -> Iterator[bytes]:
        """Its bytes. Blocks; raises GatewayError where it breaks off, Stopped where ``stop`` is set."""
        try:
            for piece in self._answer.iter_bytes():
                if stop.is_set():
                    raise Stopped("stopped before the export was whole")
                yield piece
        except httpx.TransportError as error:
            raise GatewayError(
                f"the export broke off before its end ({error}): the log of the gateway says why; give the same "
                "command again"
            ) from None


def whole_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The lines in pieces that end anywhere, without what is empty."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from filter(None, lines)
    yield from filter(None, [rest])
