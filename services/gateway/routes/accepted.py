"""What a request is answered that has sent images or features: ids, positions, and the predictions it waited for."""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

from fastapi import Response

from prequel.services.gateway.gateway import Gateway
from prequel.services.gateway.http.answers import dead_letter_problem, json_answer
from prequel.services.gateway.view.dead_letters import DeadLetter
from prequel.shared.log.base import Position


class Appended(NamedTuple):
    """An image, or features, durable at a position of a topic."""

    id: str
    topic: str
    position: Position


async def accepted_answer(
    gateway: Gateway, stream: str, accepted: Sequence[Appended], wait: float, *, several: bool
) -> Response:
    """202; 200 with the predictions where all come within ``wait`` seconds; ``several``: a list, however few.

    Raises Problem where the only one became a dead letter; among several it is told in that one's answer.
    """
    answers: list[dict[str, Any]] = [{"id": id, "stream": stream, "position": str(at)} for id, _, at in accepted]
    complete = wait > 0 and await _add_predictions(gateway, stream, accepted, answers, wait)
    return json_answer(answers if several else answers[0], 200 if complete else 202)


async def _add_predictions(
    gateway: Gateway, stream: str, accepted: Sequence[Appended], answers: Sequence[dict[str, Any]], wait: float
) -> bool:
    """Add to each answer the prediction that comes within ``wait`` seconds; whether all came."""
    waiting = (gateway.live.prediction(stream, id, wait=wait, origin=(topic, at)) for id, topic, at in accepted)
    results = await asyncio.gather(*waiting)
    for answer, result in zip(answers, results, strict=True):
        if isinstance(result, DeadLetter):
            if len(answers) == 1:
                raise dead_letter_problem(result, answer["position"])
            answer["refused"] = {"reason": result.reason, "detail": result.detail}
        elif result:
            answer["prediction"] = result.json()
    return all(results)
