"""JSON answers, and their shapes for the API's description."""

from typing import Any

import orjson
from fastapi import Response
from pydantic import BaseModel, Field, create_model

from prequel.services.gateway.http.problems import MEDIA_TYPE, Problem
from prequel.services.gateway.view.live import Refusal
from prequel.shared.events.types import Rejected
from prequel.shared.status import CurvePoint, DriftMark, SnapshotStatus, StreamStatus

OWN_CALLS = {"address", "snapshot"}
"""What a stream's status leaves out: the address is for gateways, and the snapshot is told of its partition."""
BINARY = {"schema": {"type": "string", "format": "binary"}}


class Accepted(BaseModel):
    """An event that is durable in the log."""

    id: str = Field(description="the image's id")
    stream: str
    position: str = Field(description="where the event stands in the log: partition:offset")


class PredictionAnswer(BaseModel):
    """What the models said of one image before they learned it, and the truth as it is known now."""

    id: str
    stream: str
    position: str
    model: str = Field(description="the champion, whose answer this is")
    label: str | None = Field(description="null before the first label, and where the model abstains")
    probabilities: dict[str, float] = Field(description="the ten largest")
    models: dict[str, str | None] = Field(description="the answer of every model")
    truth: str | None
    image: str
    at: str
    unknown: bool = Field(False, description="whether the champion abstains: then label is null")
    attributes: dict[str, str] = Field({}, description="the image's attributes of others; left out where it has none")


class OutcomeAnswer(BaseModel):
    """What became of one label."""

    id: str
    stream: str
    position: str = Field(description="where the label stands in the log")
    status: str = Field(description="learned, corrected, retracted, unchanged, waiting, expired or rejected")
    label: str | None
    previous: str | None
    predicted: str | None
    exact: bool = Field(description="whether every model is as if the right label had come first")
    at: str
    attributes: dict[str, str] = Field({}, description="the image's, where its features were read for this")
    reason: str | None = Field(None, description="why it was rejected, where the learner says more than that")
    detail: str | None = None


class CommandAccepted(BaseModel):
    """A command that is durable in the log."""

    id: str = Field(description="the command's id")
    stream: str
    position: str = Field(description="where the command stands in the log: partition:offset")
    records: str | None = Field(None, description="what becomes of a deleted stream's events in the log")


class AppliedAnswer(CommandAccepted):
    """What became of one command."""

    do: str
    status: str = Field(description="applied, unchanged (it was applied before) or refused")
    why: str = Field(description="the reason, where it was refused")
    by: str | None = None
    at: str | None = None


class Predicted(Accepted):
    """An event, and the prediction made of it."""

    prediction: PredictionAnswer | None = None


class PredictionList(BaseModel):
    """Predictions, and what to pass as ``before`` for those that follow (null: none do)."""

    predictions: list[PredictionAnswer]
    next: str | None


_OF_STREAMS: Any = {
    name: (field.annotation, field) for name, field in StreamStatus.model_fields.items() if name not in OWN_CALLS
}
StreamAnswer = create_model(
    "StreamAnswer",
    __doc__="A stream's status; its curve and confusion matrix have calls of their own.",
    **_OF_STREAMS,
    snapshot=(SnapshotStatus | None, Field(description="the newest snapshot of the stream's partition")),
    snapshot_age=(float | None, Field(description="seconds since the newest snapshot")),
    age_seconds=(float, Field(description="seconds since the store last said so: many only while it is away")),
    active_at=(str | None, Field(None, description="time of its newest image that is still shown; in lists only")),
)


class TopicSize(BaseModel):
    """A topic of the log. ``bytes`` and ``age_seconds`` (of its oldest record) are null where the log does not tell,
    ``limit_bytes`` where ``retention`` is no size; ``held`` says why more is kept than ``retention`` says."""

    topic: str
    bytes: int | None
    records: int
    retention: str
    held: str
    age_seconds: float | None
    limit_bytes: int | None


class LogSize(BaseModel):
    """What the log takes on disk, measured ``age_seconds`` ago; ``free`` and ``total`` are the disk's bytes,
    ``warning`` what to do before it is full."""

    topics: list[TopicSize]
    free: int | None
    total: int | None
    warning: str
    age_seconds: float


class StreamList(BaseModel):
    """All streams, and the log under them (null in the first moments)."""

    streams: list[StreamAnswer]  # type: ignore[valid-type]  # made of StreamStatus, so that it never lags behind
    log: LogSize | None = None


class Curve(BaseModel):
    """Accuracy over the scored examples, at most 500 points, and where a model's error drifted."""

    stream: str
    points: list[CurvePoint]
    drifts: list[DriftMark]


class ConfusionAnswer(BaseModel):
    """``rows[i][j]`` counts examples of ``labels[i]`` predicted as ``labels[j]``; the last column: as nothing yet."""

    stream: str
    model: str
    labels: list[str]
    rows: list[list[int]]


class ProblemAnswer(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] | None = Field(None, description="field and message, where fields are wrong")
    conflict: str | None = Field(None, description="of 409: content or label")
    first: dict[str, str | None] | None = Field(None, description="of 409: what came first, and its present truth")
    nearest: str | None = Field(None, description="of 404: the stream whose name is most like it")


def json_answer(body: object, status: int = 200) -> Response:
    """Straight to bytes: what we wrote ourselves needs no second validation."""
    return Response(orjson.dumps(body), status, media_type="application/json")


def refused(refusal: Refusal, position: str) -> Problem:
    """The answer to whoever waits for something that became a dead letter."""
    status = 413 if refusal.reason == "too-large" else 422
    more = {"reason": refusal.reason, "id": refusal.id, "position": position}
    return Problem(status, f"{refusal.reason}: {refusal.detail}", more=more)


def refused_trial(rejected: Rejected) -> Problem:
    """The answer to whoever only tries an image that would become a dead letter: the same, but for where it stands."""
    status = 413 if rejected.reason == "too-large" else 422
    return Problem(status, f"{rejected.reason}: {rejected.detail}", more={"reason": rejected.reason})


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a call can answer with, for its description."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemAnswer"}}}
    return {status: {"description": _MEANING[status], "content": content} for status in statuses}


_MEANING = {
    401: "An API key is needed.",
    404: "There is no such thing; the detail says what to look for.",
    409: "It does not fit what is there: the id is another image's, or there is no room. The detail says what to do.",
    410: "It was there, and retention or a deletion has removed it.",
    413: "The body, or the image, is larger than allowed.",
    415: "The Content-Type is not one that is read here.",
    422: "Something is invalid; errors names the field.",
    503: "The log, the store or the learner is away: send it again after Retry-After seconds.",
}
