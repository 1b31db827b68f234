"""The command `label`: label an image, correct its label, or remove it."""

from typing import Any

from rich.console import Console

from prequel.services.producer.client import Client
from prequel.services.producer.confirmation import Confirmation, new_classes_text
from prequel.services.producer.errors import WrongUsage
from prequel.services.producer.report import check_stream, print_lines
from prequel.shared.events.names import (
    ID_RULE,
    LABEL_RULE,
    WHY_RULE,
    normal_label,
    valid_id,
    valid_label,
    valid_why,
)
from prequel.shared.runtime.deadlines import PRODUCER_COMMAND_S

AUTHOR = "prequel label"
"""The ``by`` of the label events that this command sends."""
WHY = "correction"
"""Their ``why`` unless the user gives another: somebody looked at this very image because its label was not right."""

_OUTCOMES = {
    "learned": "learned as {label} (the prediction was {predicted})",
    "unscored": "learned as {label} (nothing was predicted when the image came, so no accuracy counts it)",
    "corrected": "corrected from {previous} to {label}",
    "retracted": "the label {previous} is removed",
    "unchanged": "the label was {label} already",
    "unlabelled": "it had no label",
    "waiting": "there is no such image yet; the label waits for it",
    "expired": "the image is older than the stream's window, so nothing changes",
    "rejected": "rejected: too many labels wait for their images, or the stream has too many classes",
    "None": "the label is in the log; the learner has not processed it yet",
}
"""By the status of an outcome; "None" is none within the time that was waited, "unscored" is learned where nothing was
predicted, "unlabelled" is unchanged where there is no label."""


def label_image(
    client: Client,
    stream: str,
    id: str,
    label: str | None,
    *,
    console: Console,
    confirmation: Confirmation | None = None,
    by: str = AUTHOR,
    why: str = WHY,
    wait_s: float = PRODUCER_COMMAND_S,
) -> int:
    """Label an image (None removes its label) and print the outcome; the exit code. Raises ProducerError.

    ``confirmation``: asks before the stream gets a new class. ``by``: who gives the label;
    ``why``: how the image was chosen to be labelled.
    """
    check_stream(stream)
    if not valid_id(id):
        raise WrongUsage(f"{id[:150]!r} is not a valid image id: use {ID_RULE}")
    label = None if label is None else normal_label(label)
    if label is not None and not valid_label(label):
        raise WrongUsage(f"{label[:150]!r} is not a valid label: use {LABEL_RULE}")
    if not valid_why(why):
        raise WrongUsage(f"{why[:100]!r} is not a reason for a label: use {WHY_RULE}")
    client.check()
    if label and confirmation:
        _confirm_new_class(client, stream, label, confirmation)
    answer = client.post_labels(stream, [{"id": id, "label": label, "by": by, "why": why}], wait_s)[0]
    print_lines(console, f"{stream} {id}: {_outcome(answer, label)}")
    return int(answer.get("status") in ("expired", "rejected"))


def _confirm_new_class(client: Client, stream: str, label: str, confirmation: Confirmation) -> None:
    status = client.stream(stream)
    if status and (text := new_classes_text(stream, [label], status.labels)):
        confirmation.confirm_creation(text)


def _outcome(answer: dict[str, Any], label: str | None) -> str:
    if reason := answer.get("reason"):
        return f"rejected: {reason}: {answer.get('detail')}"
    status = answer.get("status")
    if status == "unchanged" and label is None:
        status = "unlabelled"
    if status == "learned" and answer.get("predicted") is None:
        status = "unscored"
    labels = {name: answer.get(name) or "nothing" for name in ("label", "previous", "predicted")}
    return _OUTCOMES[str(status)].format(**labels)
