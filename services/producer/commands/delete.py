"""The command `delete`: delete a stream and everything that was learned in it."""

from collections.abc import Callable
from typing import Any

from rich.console import Console

from prequel.services.producer.client import NOT_FOUND, Client
from prequel.services.producer.confirmation import Confirmation
from prequel.services.producer.errors import ProducerError, RequestRefused
from prequel.services.producer.report import check_stream, print_lines
from prequel.shared.runtime.deadlines import PRODUCER_COMMAND_S

MAX_NAMED_STREAMS = 20


def delete_stream(
    client: Client, stream: str, console: Console, *, confirmation: Confirmation, new_id: Callable[[], str]
) -> int:
    """Print what will be deleted, ask, delete, and print the outcome. Raises ProducerError."""
    check_stream(stream)
    client.check()
    confirmation.confirm_deletion(_contents(client, stream))
    answer = _delete(client, stream, new_id())
    if answer.get("status") == "refused":
        raise ProducerError(f"{stream} was not deleted: {answer.get('why')}")
    outcome = "is deleted." if "status" in answer else "will be deleted: the learner has not processed the command yet."
    print_lines(console, f"{stream} {outcome} {answer.get('records', '')}".rstrip())
    return 0


def _delete(client: Client, stream: str, command_id: str) -> dict[str, Any]:
    """The outcome. A stream that does not exist any more is deleted: the answer to a first try may have been lost."""
    try:
        return client.delete(stream, command_id, PRODUCER_COMMAND_S)
    except RequestRefused as refused:
        if refused.status_code != NOT_FOUND:
            raise
        return {"status": "applied"}


def _contents(client: Client, stream: str) -> str:
    status = client.stream(stream)
    if status is None:
        others = ", ".join(status.stream for status in client.streams()[:MAX_NAMED_STREAMS]) or "none"
        raise ProducerError(f"there is no stream {stream} to delete; there are: {others}")
    models = ", ".join(status.models) or "no model"
    return (
        f"{stream}: {status.images:,} images, {status.labelled:,} labels, {len(status.labels):,} classes and "
        f"everything that {models} learned of them will be deleted"
    )
