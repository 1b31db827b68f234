"""Labels on their way into a stream: sent in requests of a good size, and answered one by one."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from prequel.services.gateway.http.schemas import OutcomeAnswer
from prequel.services.producer.client import Client, parsed
from prequel.services.producer.errors import RequestRefused
from prequel.services.producer.label_sending import MAX_BATCH
from prequel.services.producer.parts import Answer, answers

LabelFields = Mapping[str, str | None]


class Labelled(NamedTuple):
    """What became of a label.

    ``position`` is where it stands in the log, None where it was not sent: then ``refused`` says why. ``outcome`` is
    there where it came within the time to ``wait``; its status says whether the label was learned.
    """

    id: str
    position: str | None = None
    outcome: OutcomeAnswer | None = None
    refused: str = ""


def label_all(client: Client, stream: str, labels: Sequence[LabelFields], wait_s: float) -> list[Labelled]:
    """Send all labels in their order. Blocks; raises RequestRefused where there is no such stream, GatewayError."""
    done: list[Labelled] = []
    for begin in range(0, len(labels), MAX_BATCH):
        part = labels[begin : begin + MAX_BATCH]
        found = answers(lambda some: client.post_labels(stream, some, wait_s), part)
        done += [_labelled(str(label["id"]), answer) for label, answer in zip(part, found, strict=True)]
    return done


def label_one(client: Client, stream: str, label: LabelFields, wait_s: float) -> Labelled:
    """Send one label. Raises RequestRefused, GatewayError."""
    (answer,) = client.post_labels(stream, [label], wait_s)
    return _labelled(str(label["id"]), answer)


def _labelled(id: str, answer: Answer | RequestRefused) -> Labelled:
    if isinstance(answer, RequestRefused):
        return Labelled(id, refused=str(answer))
    outcome = parsed(OutcomeAnswer, answer, "answer to a label") if "status" in answer else None
    return Labelled(id, str(answer.get("position")), outcome)
