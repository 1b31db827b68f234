"""Changes of a stream: commands that are sent with an id of their own, and what became of each in words."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from rich.console import Console

from prequel.services.producer.client import Client
from prequel.services.producer.confirmation import Confirmation
from prequel.services.producer.errors import ProducerError, RequestRefused, WrongUsage
from prequel.services.producer.report import check_stream, print_lines
from prequel.shared.events.names import LABEL_RULE, normal_label, valid_label
from prequel.shared.runtime.deadlines import PRODUCER_COMMAND_S
from prequel.shared.status import StreamStatus

INVALID = 422


@dataclass(frozen=True, kw_only=True)
class StreamChanges:
    """What a command line that changes a stream works with. ``new_id`` returns an unused id, ``by`` is who asks."""

    client: Client
    stream: str
    console: Console
    confirmation: Confirmation
    new_id: Callable[[], str]
    by: str
    wait_s: float = PRODUCER_COMMAND_S

    def status(self) -> StreamStatus:
        """The stream's status. Raises ProducerError, with the nearest name, where there is no such stream."""
        check_stream(self.stream)
        self.client.check()
        return require_stream(self.client, self.stream)

    def give(self, do: str, done: str, **arguments: Any) -> int:
        """Give a command and print ``done``, or what else became of it; the exit code.

        The fields of the command are the keywords, without a trailing underscore (``from_``). Raises ProducerError.
        """
        fields = {name.rstrip("_"): value for name, value in arguments.items()}
        answer = self._send({"do": do, "id": self.new_id(), "by": self.by, **fields})
        if answer.get("status") == "refused":
            raise ProducerError(f"{self.stream} is unchanged: {answer.get('why')}")
        print_lines(self.console, *self._outcome(answer, done))
        return 0

    def _send(self, command: dict[str, Any]) -> dict[str, Any]:
        try:
            return self.client.command(self.stream, command, self.wait_s)
        except RequestRefused as refused:
            if refused.status_code == INVALID:
                raise WrongUsage(str(refused)) from None
            raise

    def _outcome(self, answer: dict[str, Any], done: str) -> list[str]:
        if "status" not in answer:
            return [f"{self.stream}: the command is in the log; the learner has not processed it yet ({done})"]
        lines = [f"{self.stream}: {done}"]
        if answer.get("catching_up"):
            lines.append(
                f"a replay of the log is catching up with it; `prequel models {self.stream}` says how far it is"
            )
        return [*lines, answer["advice"]] if answer.get("advice") else lines


def require_stream(client: Client, stream: str) -> StreamStatus:
    """The status of a stream. Raises ProducerError, with the nearest name, where there is none."""
    status = client.stream(stream)
    if status is None:
        raise no_stream(client, stream)
    return status


def no_stream(client: Client, stream: str) -> ProducerError:
    names = [status.stream for status in client.streams()]
    return ProducerError(f"there is no stream {stream}{nearest(stream, names)}; `prequel streams` lists all")


def nearest(name: str, names: Iterable[str]) -> str:
    """The most similar of the names to a mistyped one, as a question; empty where none is similar."""
    similar = get_close_matches(name, sorted(names), 1)
    return f" (did you mean {similar[0]}?)" if similar else ""


def read_label(text: str) -> str:
    """A label in its one spelling. Raises WrongUsage where it is none."""
    label = normal_label(text)
    if not valid_label(label):
        raise WrongUsage(f"{label[:150]!r} is not a valid label: use {LABEL_RULE}")
    return label
