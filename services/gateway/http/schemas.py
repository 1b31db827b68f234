"""The shapes of answers, as /openapi.json describes them."""

from typing import Any

from pydantic import BaseModel, Field, create_model

from prequel.shared.backtests import BacktestResult
from prequel.shared.status import CurvePoint, DriftMark, ReliabilityPoint, SnapshotStatus, StreamStatus

EXCLUDED_STATUS_FIELDS = {"address", "snapshot"}
"""Fields of a stream's status that are not answered as they are: only gateways need the learner's address, and the
partition's status has a newer snapshot."""
BINARY = {"schema": {"type": "string", "format": "binary"}}


class Accepted(BaseModel):
    """An event that is durable in the log."""

    id: str = Field(description="the image's id")
    stream: str
    position: str = Field(description="where the event stands in the log: partition:offset")


class PredictionAnswer(BaseModel):
    """The models' predictions of one image before they learned it, and its present truth."""

    id: str
    stream: str
    position: str
    model: str = Field(description="the champion, which made this prediction")
    label: str | None = Field(description="null before the first label, and where the model abstains")
    probabilities: dict[str, float] = Field(description="the ten largest")
    models: dict[str, str | None] = Field(description="the label that each model predicted")
    truth: str | None
    image: str | None = Field(description="where it stands in the log; null: the example came as features, without one")
    at: str
    unknown: bool = Field(False, description="whether the champion abstains: then label is null")
    set: list[str] = Field([], description="the labels that hold the truth in a share set_level of cases, 10 at most")
    set_level: float = Field(0.0, description="how often the set holds the truth; 0: there is no set")
    set_size: int = Field(0, description="how many labels belong to the set")
    attributes: dict[str, str] = Field(
        {}, description="the image's CloudEvents attributes that are not Prequel's own; left out where it has none"
    )


class OutcomeAnswer(BaseModel):
    """The effect of one label."""

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
    reason: str | None = Field(None, description="why it was rejected, where the learner gives a reason")
    detail: str | None = None


class CommandAccepted(BaseModel):
    """A command that is durable in the log."""

    id: str = Field(description="the command's id")
    stream: str
    position: str = Field(description="where the command stands in the log: partition:offset")
    records: str | None = Field(
        None, description="what remains of a deleted stream, or of a forgotten image, in the log"
    )


class BacktestSummary(BaseModel):
    """A back-test: models tried on a stream's past, beside its champion."""

    id: str
    stream: str
    status: str = Field(description="waiting, running, done, failed, cancelled; forgotten, where it was just deleted")
    progress: float = Field(description="the share that is done, 0 to 1")
    champion: str
    models: list[str] = Field(description="those that are tried beside it")
    backbone: str = Field(description="id of the backbone that these are tried on; empty: the stream's own")
    since: str | None
    last: int | None
    asked_at: str
    ended_at: str | None
    why: str = Field(description="the reason, where it failed")


class BacktestAnswer(BacktestSummary):
    """A back-test with its result."""

    result: BacktestResult | None = Field(description="null before it is done")


class BacktestList(BaseModel):
    """The newest first."""

    stream: str
    backtests: list[BacktestSummary]


class AppliedAnswer(CommandAccepted):
    """The effect of one command."""

    do: str
    status: str = Field(description="applied, unchanged (it was applied before) or refused")
    why: str = Field(description="the reason, where it was refused")
    by: str | None = None
    at: str | None = None
    catching_up: bool = Field(False, description="whether its full effect comes once a replay has caught up")
    advice: str = Field("", description="what to do besides, as after the undo of a switch")


class AcceptedWithPrediction(Accepted):
    """An image that is durable in the log, and its prediction."""

    prediction: PredictionAnswer | None = None


class PredictionList(BaseModel):
    """A page of predictions. ``next`` is the ``before`` of the next page; null: this is the last."""

    predictions: list[PredictionAnswer]
    next: str | None


_STATUS_FIELDS: Any = {
    name: (field.annotation, field)
    for name, field in StreamStatus.model_fields.items()
    if name not in EXCLUDED_STATUS_FIELDS
}
StreamAnswer = create_model(
    "StreamAnswer",
    __doc__=(
        "A stream's status; its curve and confusion matrix have calls of their own.\n\n"
        "``label_reasons`` counts the labelled examples by ``why`` they were labelled, ``random_sample`` is null where "
        "no scored label says that its image was chosen at random. The inputs have changed where ``feature_drift`` is "
        "beyond ``feature_drift_threshold``; it is 0 before the first comparison. See docs/evidence.md for "
        "``verdicts``, ``sets`` and ``label_order`` too."
    ),
    **_STATUS_FIELDS,
    snapshot=(SnapshotStatus | None, Field(description="the newest snapshot of the stream's partition")),
    snapshot_age=(float | None, Field(description="seconds since the newest snapshot")),
    age_seconds=(float, Field(description="seconds since this was read from the store: many only while it is away")),
    active_at=(str | None, Field(None, description="time of its newest image in memory here; in lists only")),
)


class HistoryCommand(BaseModel):
    """A command that the stream was given. ``undone_by`` is the id of the command that undid it."""

    id: str
    do: str
    arguments: dict[str, Any]
    by: str
    at: str
    position: str
    status: str = Field(description="applied, refused or undone")
    why: str = Field(description="the reason, where it was refused")
    undone_by: str | None
    undoable: bool = Field(description="whether the command `undo` can take it back")
    catching_up: bool = Field(description="whether its full effect comes once a replay has caught up")


class LabelCounts(BaseModel):
    """Labels by who gave them, and by why the images were chosen."""

    by: dict[str, int]
    why: dict[str, int]


class HistoryAnswer(BaseModel):
    """Who changed a stream: its commands, the newest first, and its labels."""

    stream: str
    position: str
    commands: list[HistoryCommand]
    labels: LabelCounts


class TopicSize(BaseModel):
    """A topic of the log. ``bytes`` and ``age_seconds`` (of its oldest record) are null where the log cannot tell,
    ``limit_bytes`` where ``retention`` is no size; ``held`` says why more is stored than ``retention`` allows."""

    topic: str
    bytes: int | None
    records: int
    retention: str
    held: str
    age_seconds: float | None
    limit_bytes: int | None


class LogSize(BaseModel):
    """The log's size on disk, measured ``age_seconds`` ago; ``free`` and ``total`` are the disk's bytes,
    ``warning`` says what to do before it is full."""

    topics: list[TopicSize]
    free: int | None
    total: int | None
    warning: str
    age_seconds: float


class StreamList(BaseModel):
    """All streams, and the size of the log (null until it has been measured)."""

    streams: list[StreamAnswer]  # type: ignore[valid-type]  # made of StreamStatus, so that it never lags behind
    log: LogSize | None = None


class CurveAnswer(BaseModel):
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


class ReliabilityAnswer(BaseModel):
    """How often each model was right when it was so sure: a point for each of 15 bins of confidence that has any."""

    stream: str
    models: dict[str, list[ReliabilityPoint]]


class ProblemAnswer(BaseModel):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] | None = Field(None, description="field and message, where fields are wrong")
    conflict: str | None = Field(None, description="of 409: content or label")
    first: dict[str, str | None] | None = Field(None, description="of 409: the image that came first, and its truth")
    nearest: str | None = Field(None, description="of 404: the stream with the most similar name")
