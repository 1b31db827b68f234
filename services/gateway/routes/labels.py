"""The call that labels images, corrects their labels and retracts them."""

from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from prequel.services.gateway.append_queue import may_have_been_appended
from prequel.services.gateway.gateway import SOURCE, CurrentGateway, Gateway
from prequel.services.gateway.http.answers import json_answer, problem_responses
from prequel.services.gateway.http.parameters import (
    LABEL,
    NormalizedLabel,
    StreamName,
    Wait,
    refuse_unknown_parameters,
)
from prequel.services.gateway.http.problems import unavailable
from prequel.services.gateway.http.schemas import Accepted, OutcomeAnswer
from prequel.services.gateway.view.dead_letters import DeadLetter
from prequel.shared.events.labels import encode_label
from prequel.shared.events.names import ID_PATTERN, WHY_PATTERN
from prequel.shared.events.outcomes import outcome_json, too_many_labels
from prequel.shared.events.structured import Malformed, parse_structured
from prequel.shared.events.types import LABEL_TYPE, Outcome, Rejected
from prequel.shared.log.base import LogUnavailable, Position

MAX_LABELS = 10_000
"""In one request: a megabyte, encoded and appended within some 100 ms. More would delay other requests noticeably."""

router = APIRouter(tags=["labels"], dependencies=[Depends(refuse_unknown_parameters)])


class LabelBody(BaseModel):
    """A label for an image."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: Annotated[str, Field(pattern=f"^{ID_PATTERN}$", description="the image's id; the image may come later")]
    label: Annotated[str, NormalizedLabel, Field(pattern=LABEL)] | None = Field(description="null retracts the label")
    by: Annotated[str, Field(max_length=128)] | None = Field(None, description="who gives the label")
    why: Annotated[str, Field(pattern=f"^{WHY_PATTERN}$")] | None = Field(
        None, description="how the image was chosen: `random`, `uncertain`, `correction`, or another word"
    )

    @model_validator(mode="before")
    @classmethod
    def _unpack_cloud_event(cls, body: object) -> object:
        """The data of a CloudEvent in structured mode. Its subject and id do not count: the path has the stream, and
        the gateway makes the event's id."""
        if not (isinstance(body, dict) and "specversion" in body):
            return body
        if body.get("type", LABEL_TYPE) != LABEL_TYPE:
            raise ValueError(f"the event's type is {str(body['type'])[:100]!r}; this call takes {LABEL_TYPE}")
        try:
            _, data = parse_structured(orjson.dumps(body))
            return orjson.loads(data)
        except (Malformed, orjson.JSONDecodeError) as error:
            raise ValueError(f"the event's data cannot be read: {error}") from None


def _one_or_several(body: object) -> str:
    return "several" if isinstance(body, list) else "one"


SeveralLabels = Annotated[list[LabelBody], Field(min_length=1, max_length=MAX_LABELS)]
OneOrSeveralLabels = Annotated[
    Annotated[LabelBody, Tag("one")] | Annotated[SeveralLabels, Tag("several")], Discriminator(_one_or_several)
]


@router.post(
    "/v1/streams/{stream}/labels",
    status_code=202,
    response_model=Accepted | list[Accepted],
    responses={200: {"model": OutcomeAnswer | list[OutcomeAnswer]}, **problem_responses(404, 413, 422, 503)},
    summary="Label, correct or retract",
)
async def send_labels(
    gateway: CurrentGateway, stream: StreamName, body: OneOrSeveralLabels, wait: Wait = 0
) -> Response:
    """The answer is 202 once the labels are durable; with `wait`, 200 and the outcomes once they have taken effect.

    After that every call here includes them: read your writes. Labels of images not seen yet wait for them.
    A stream that does not exist is 404, with the most similar name there is.
    """
    await gateway.known_streams.require(stream)
    labels = body if isinstance(body, list) else [body]
    positions = await _append(gateway, stream, labels)
    outcomes = await _outcomes(gateway, positions, wait)
    triples = zip(labels, positions, outcomes, strict=True)
    answers = [_answer(stream, label, position, outcome) for label, position, outcome in triples]
    return json_answer(answers if isinstance(body, list) else answers[0], 200 if all(outcomes) else 202)


async def _outcomes(gateway: Gateway, positions: Sequence[Position], wait: float) -> list[Outcome | DeadLetter | None]:
    """The outcomes that come within ``wait`` seconds. With 0 all are None, even if one is there already: the answer
    should not depend on luck."""
    if wait <= 0:
        return [None] * len(positions)
    return await gateway.live.outcomes(positions, wait)


async def _append(gateway: Gateway, stream: str, labels: Sequence[LabelBody]) -> list[Position]:
    now = gateway.clock()
    messages = [
        encode_label(
            stream,
            label.id,
            label.label,
            by=label.by or "anonymous",
            time=now,
            event_id=gateway.new_id(),
            source=SOURCE,
            why=label.why or "",
        )
        for label in labels
    ]
    try:
        return await gateway.label_queue.append(messages)
    except LogUnavailable as error:
        raise unavailable(
            f"the log did not confirm the labels: {error}; send them again, the same label counts once",
            {"may_arrive": may_have_been_appended(error)},
        ) from error


def _answer(stream: str, label: LabelBody, position: Position, result: Outcome | DeadLetter | None) -> dict[str, Any]:
    if isinstance(result, Outcome):
        return outcome_json(result) | (_reason(too_many_labels()) if result.status == "rejected" else {})
    if result is None:
        return {"id": label.id, "stream": stream, "position": str(position)}
    rejected = Outcome(label.id, stream, position, "rejected", label.label, None, None, False, result.time)
    return outcome_json(rejected) | _reason(result)


def _reason(rejected: Rejected | DeadLetter) -> dict[str, str]:
    return {"reason": rejected.reason, "detail": rejected.detail}
