"""The command `delete`: end a stream, and all that was learned in it."""

from collections.abc import Callable
from typing import Any

from rich.console import Console

from prequel.services.producer.client import Client, Refused
from prequel.services.producer.confirmation import Asking
from prequel.services.producer.report import check_stream, say
from prequel.services.producer.sources.base import ProducerError
from prequel.shared.runtime.deadlines import PRODUCER_COMMAND_S

NOT_FOUND = 404


def delete_stream(client: Client, stream: str, asking: Asking, console: Console, new_id: Callable[[], str]) -> int:
    """Say what is destroyed, ask, delete, and print what became of it. Raises ProducerError."""
    check_stream(stream)
    client.check()
    asking.destroy(_contents(client, stream))
    answer = _delete(client, stream, new_id())
    if answer.get("status") == "refused":
        raise ProducerError(f"{stream} was not deleted: {answer.get('why')}")
    done = "is deleted." if "status" in answer else "will be deleted: the learner has not come to it yet."
    say(console, f"{stream} {done} {answer.get('records', '')}".rstrip())
    return 0


def _delete(client: Client, stream: str, id: str) -> dict[str, Any]:
    """What became of it. Where it is gone already, the answer to an earlier try was lost, or somebody was faster."""
    try:
        return client.delete(stream, id, PRODUCER_COMMAND_S)
    except Refused as refused:
        if refused.code != NOT_FOUND:
            raise
        return {"status": "applied"}


def _contents(client: Client, stream: str) -> str:
    found = client.stream(stream)
    if found is None:
        others = ", ".join(each["stream"] for each in client.streams()[:20]) or "none"
        raise ProducerError(f"there is no stream {stream} that could be deleted; there are: {others}")
    return (
        f"{stream}: {found['images']:,} images, {found['labelled']:,} labels, {len(found['labels']):,} classes and "
        f"what {', '.join(found['models']) or 'no model'} learned of them will be destroyed"
    )
