"""Examples on their way into a stream: sent in requests of a good size, and answered one by one."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from prequel.services.gateway.http.schemas import AcceptedWithPrediction, PredictionAnswer
from prequel.services.producer.client import parsed
from prequel.services.producer.errors import GatewayError, RequestRefused
from prequel.services.producer.parts import Answer, Answers
from prequel.services.producer.run import MAX_BATCH_BYTES
from prequel.services.producer.sources.base import LoadedImage

Post = Callable[[Sequence[LoadedImage]], Answers]
"""Sends some examples in one request."""


class Sent(NamedTuple):
    """What became of an example.

    ``position`` is where it stands in the log, None where it was not sent: then ``refused`` says why. ``prediction`` is
    there where it came within the time to ``wait``; if the example became a dead letter instead, ``refused`` says why.
    """

    id: str
    position: str | None = None
    prediction: PredictionAnswer | None = None
    refused: str = ""


class PartlySent(GatewayError):
    """No gateway answers any more: ``sent`` are the first examples, which were answered before."""

    def __init__(self, problem: GatewayError, sent: Sequence[Sent], count: int) -> None:
        super().__init__(f"{problem}; {len(sent):,} of {count:,} examples were answered before (the error's .sent)")
        self.sent = list(sent)


def send_all(post: Post, examples: Iterable[LoadedImage | Sent], count: int, max_in_request: int) -> list[Sent]:
    """Send all examples in their order; those that are ``Sent`` already were refused before.

    Blocks. Raises PartlySent.
    """
    sent: list[Sent] = []
    try:
        for request in _requests(examples, max_in_request):
            sent += _send(post, request)
    except RequestRefused:
        raise
    except GatewayError as error:
        raise PartlySent(error, sent, count) from error
    return sent


def send_one(post: Post, example: LoadedImage) -> Sent:
    """Send one example. Raises RequestRefused, also for a dead letter; GatewayError."""
    (answer,) = post([example])
    if isinstance(answer, RequestRefused):
        raise answer
    return _sent(answer)


def _requests(examples: Iterable[LoadedImage | Sent], max_in_request: int) -> Iterable[list[LoadedImage | Sent]]:
    """The examples in lists of which each fits into one request."""
    request: list[LoadedImage | Sent] = []
    size = 0
    for example in examples:
        new = len(example.data) if isinstance(example, LoadedImage) else 0
        if request and (len(request) >= max_in_request or size + new > MAX_BATCH_BYTES):
            yield request
            request, size = [], 0
        request.append(example)
        size += new
    if request:
        yield request


def _send(post: Post, request: Sequence[LoadedImage | Sent]) -> list[Sent]:
    loaded = [example for example in request if isinstance(example, LoadedImage)]
    answers = iter(post(loaded) if loaded else [])
    return [example if isinstance(example, Sent) else _outcome(example, next(answers)) for example in request]


def _outcome(example: LoadedImage, answer: Answer | RequestRefused) -> Sent:
    return Sent(example.id, refused=str(answer)) if isinstance(answer, RequestRefused) else _sent(answer)


def _sent(answer: Answer) -> Sent:
    refused = answer.get("refused") or {}
    accepted = parsed(AcceptedWithPrediction, answer, "answer to an example")
    why = f"{refused.get('reason')}: {refused.get('detail')}" if refused else ""
    return Sent(accepted.id, accepted.position, accepted.prediction, why)
