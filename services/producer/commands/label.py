"""The command `label`: say what an image shows, correct it, take it back."""

from rich.console import Console

from prequel.services.producer.client import Client
from prequel.services.producer.confirmation import Asking, new_classes
from prequel.services.producer.report import check_stream, say
from prequel.services.producer.sources.base import WrongUsage
from prequel.shared.events.names import ID_RULE, LABEL_RULE, normal_label, valid_id, valid_label


def label_image(
    client: Client,
    stream: str,
    id: str,
    label: str | None,
    console: Console,
    wait_s: float = 10.0,
    asking: Asking | None = None,
) -> int:
    """Say what an image shows (None takes it back) and print what became of it. Raises ProducerError.

    ``asking``: whom to ask before the stream gets a class that it did not have.
    """
    check_stream(stream)
    if not valid_id(id):
        raise WrongUsage(f"{id[:150]!r} is no image id: take {ID_RULE}")
    label = None if label is None else normal_label(label)
    if label is not None and not valid_label(label):
        raise WrongUsage(f"{label[:150]!r} is no label: take {LABEL_RULE}")
    client.check()
    found = client.stream(stream) if label and asking else None
    if found and label and asking and (text := new_classes(stream, [label], found["labels"])):
        asking.begin(text)
    answer = client.post_labels(stream, [{"id": id, "label": label, "by": "prequel label"}], wait_s)[0]
    status = answer.get("status")
    if status == "unchanged" and label is None:
        status = "bare"
    names = {name: answer.get(name) or "nothing" for name in ("label", "previous", "predicted")}
    text = _OUTCOMES[str(status)].format(**names)
    if reason := answer.get("reason"):
        text = f"rejected: {reason}: {answer.get('detail')}"
    say(console, f"{stream} {id}: {text}")
    return int(status in ("expired", "rejected"))


_OUTCOMES = {
    "learned": "learned as {label} (the prediction was {predicted})",
    "corrected": "corrected from {previous} to {label}",
    "retracted": "the label {previous} is taken back",
    "unchanged": "it was {label} already",
    "bare": "it had no label",
    "waiting": "no such image yet; the label waits for it",
    "expired": "too long ago: the stream no longer remembers this image, and nothing changes",
    "rejected": "rejected: too many labels wait for their images, or the stream has too many classes",
    "None": "the label is in the log; the learner has not come to it yet",
}
