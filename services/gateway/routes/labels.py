"""Calls for labels: say, correct and take back what images show."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from prequel.services.gateway.append_queue import may_arrive
from prequel.services.gateway.gateway import SOURCE, Gateway
from prequel.services.gateway.http.answers import Accepted, OutcomeAnswer, described, json_answer
from prequel.services.gateway.http.parameters import LABEL, OneSpelling, StreamName, Wait, only_known
from prequel.services.gateway.http.problems import unavailable
from prequel.services.gateway.view.live import Refusal
from prequel.shared.events.labels import encode_label
from prequel.shared.events.names import ID_PATTERN
from prequel.shared.events.outcomes import outcome_json
from prequel.shared.events.structured import Malformed, parse_structured
from prequel.shared.events.types import LABEL_TYPE, Outcome
from prequel.shared.log.base import LogUnavailable, Position

MOST_LABELS = 10_000


class GivenLabel(BaseModel):
    """What somebody says an image shows."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: Annotated[str, Field(pattern=f"^{ID_PATTERN}$", description="the image's id; it may come later")]
    label: Annotated[str, OneSpelling, Field(pattern=LABEL)] | None = Field(description="null takes the label back")
    by: Annotated[str, Field(max_length=128)] | None = Field(None, description="who says so")

    @model_validator(mode="before")
    @classmethod
    def _unpacked(cls, given: object) -> object:
        """What a CloudEvent in structured mode holds; the path says the stream, and the gateway names the event."""
        if not (isinstance(given, dict) and "specversion" in given):
            return given
        if given.get("type", LABEL_TYPE) != LABEL_TYPE:
            raise ValueError(f"the event's type is {str(given['type'])[:100]!r}: here {LABEL_TYPE} is taken")
        try:
            _, data = parse_structured(orjson.dumps(given))
            return orjson.loads(data)
        except (Malformed, orjson.JSONDecodeError) as error:
            raise ValueError(f"the event's data cannot be read: {error}") from None


def _shape(body: object) -> str:
    return "several" if isinstance(body, list) else "one"


Several = Annotated[list[GivenLabel], Field(min_length=1, max_length=MOST_LABELS)]
Body = Annotated[Annotated[GivenLabel, Tag("one")] | Annotated[Several, Tag("several")], Discriminator(_shape)]


def routes(gateway: Gateway) -> APIRouter:
    router = APIRouter(tags=["labels"], dependencies=[Depends(only_known)])

    @router.post(
        "/v1/streams/{stream}/labels",
        status_code=202,
        response_model=Accepted | list[Accepted],
        responses={200: {"model": OutcomeAnswer | list[OutcomeAnswer]}, **described(404, 413, 422, 503)},
        summary="Label, correct or retract",
    )
    async def send_labels(stream: StreamName, body: Body, wait: Wait = 0) -> Response:
        """The answer is 202 once the labels are durable; with `wait`, 200 and the outcomes once they have taken effect.

        After that every call here shows them: read your writes. Labels for ids not seen yet wait for their images.
        A stream that does not exist is 404, with the nearest name there is.
        """
        await gateway.known.check(stream)
        given = body if isinstance(body, list) else [body]
        positions = await _append(gateway, stream, given)
        found = await _outcomes(gateway, positions, wait)
        answers = [
            _answer(stream, each, position, what) for each, position, what in zip(given, positions, found, strict=True)
        ]
        return json_answer(answers if isinstance(body, list) else answers[0], 200 if all(found) else 202)

    return router


async def _outcomes(gateway: Gateway, positions: Sequence[Position], wait: float) -> list[Outcome | Refusal | None]:
    """Without ``wait`` none, also where an outcome is there already: what a caller gets is no matter of luck."""
    if wait <= 0:
        return [None] * len(positions)
    return await asyncio.gather(*(gateway.live.outcome(position, wait) for position in positions))


async def _append(gateway: Gateway, stream: str, given: Sequence[GivenLabel]) -> list[Position]:
    now = gateway.clock()
    messages = [
        encode_label(
            stream, each.id, each.label, by=each.by or "anonymous", time=now, event_id=gateway.new_id(), source=SOURCE
        )
        for each in given
    ]
    try:
        return await gateway.labels.append(messages)
    except LogUnavailable as error:
        raise unavailable(
            f"the log did not confirm it: {error}; send it again, the same label counts once",
            {"may_arrive": may_arrive(error)},
        ) from error


def _answer(stream: str, given: GivenLabel, position: Position, found: Outcome | Refusal | None) -> dict[str, Any]:
    if isinstance(found, Outcome):
        return outcome_json(found)
    if found is None:
        return {"id": given.id, "stream": stream, "position": str(position)}
    outcome = Outcome(given.id, stream, position, "rejected", given.label, None, None, False, found.time)
    return outcome_json(outcome) | {"reason": found.reason, "detail": found.detail}
