"""What models would say now of images that they have predicted before: what to label next, and what is near."""

from typing import Annotated, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

By = Literal["uncertain", "disagreement", "random", "suspect"]
MAX_LISTED = 200
"""Examples in one answer. Each is looked at by somebody; a thousand would take a learner a second, and nobody looks."""


PLACE = r"^\d{1,18}:\d{1,18}$"
"""The place of an example in a queue: its rank, and its number in the stream."""
PLACE_RULE = "the `next` of the page before, which is two numbers with a colon between them, as in 120:7"


class QueueRequest(BaseModel):
    """Which examples of a stream to show, and in which order. ``predicted`` and ``truth`` are labels, None: any; an
    empty ``predicted``: none yet. ``sample`` True: only those of the random sample, False: only others. ``after`` is
    the ``next`` of the answer before."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: By
    predicted: str | None = None
    truth: str | None = None
    sample: bool | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_LISTED)] = 50
    after: Annotated[str | None, Field(pattern=PLACE)] = None


class Opinion(BaseModel):
    """What the models say of an example."""

    label: str | None = Field(
        description="the champion's, or, while that has learned no label, that of the first other model that has; null "
        "before the first label, and where the model abstains"
    )
    probabilities: dict[str, float] = Field(description="the same model's five largest")
    models: dict[str, str | None] = Field(description="the label that each model predicts")
    unknown: bool = Field(False, description="whether the model abstains")


ImagePlace = Annotated[
    str | None,
    Field(description="where its image is in the log; null: it has none, or its prediction has left the memory"),
]
"""Filled in by the gateway, which knows where images are; a learner does not."""


class QueuedExample(BaseModel):
    """An example to look at. The scores of the models do not change by their opinions."""

    id: str
    position: str
    at: str = Field(description="when its image came")
    truth: str | None
    opinion: Opinion = Field(
        description="of the models as they are now; for a suspect, `model`'s as if it had not learned it"
    )
    prediction: Opinion = Field(
        description="of the time, which is the one that is scored: the champion's, or, where that was added later, "
        "that of the first other model that was there"
    )
    duplicates: list[str] = Field(description="ids of nearly equal images that are folded into this one, 100 at most")
    duplicate_count: int = Field(description="how many there are")
    image: ImagePlace = None


class ExampleQueue(BaseModel):
    """What to look at next, by the models as they are at ``position``. ``next`` is the ``after`` of the next page."""

    stream: str
    position: str
    by: str
    model: str = Field(
        description="whose opinions these are: the champion, or, while that has learned no label, the first other "
        "model that has"
    )
    exact: bool = Field(
        description="false where `model` cannot leave out an example: then a suspect is one whose label it has "
        "learned and still denies"
    )
    examples: list[QueuedExample]
    asked: int = Field(description="of how many examples `model` was asked")
    not_asked: int = Field(description="of how many it was not: their features are not in memory, or time was up")
    next: str | None


class SimilarExample(BaseModel):
    """A labelled example."""

    id: str
    position: str
    at: str = Field(description="when its image came")
    label: str
    by: str = Field(description="who gave the label; producer: it came with the image")
    labelled_at: str = Field(description="when")
    distance: float = Field(description="Euclidean distance between the features")
    image: ImagePlace = None


class SimilarExamples(BaseModel):
    """The labelled examples of the window that are nearest to an image."""

    stream: str
    position: str
    id: str
    examples: list[SimilarExample]
    typical_distance: float = Field(description="of two images of the stream, about: what a distance is to be seen by")
    asked: int = Field(description="labelled examples whose distance was measured")
    not_asked: int = Field(description="those whose features are not in memory")


class UnknownExample(LookupError):
    """The stream's window has no such example, or its features are gone."""


class OpinionQueries(Protocol):
    """Part of ``shared.queries.Queries``. Safe from any thread; blocks for a second at most, and never the learner."""

    def queue(self, stream: str, request: QueueRequest) -> ExampleQueue:
        """Raises UnknownStream, and LogUnavailable while features cannot be read."""
        ...

    def similar(self, stream: str, id: str, limit: int, position: str | None = None) -> SimilarExamples:
        """The nearest labelled examples of image ``id``; ``position`` is where its features stand in the log, which
        is needed where it has left the window. Raises UnknownStream, UnknownExample, LogUnavailable."""
        ...
