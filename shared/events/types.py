"""The events as frozen values, the CloudEvents type of each, and the exception for a record that is none of them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from prequel.shared.events.attributes import NO_ATTRIBUTES, Attributes
from prequel.shared.log.base import Position
from prequel.shared.vectors import Vector

# Topic `images`.
IMAGE_TYPE = "prequel.image.v1"

# Topic `examples`.
FEATURES_TYPE = "prequel.features.v1"
LABEL_TYPE = "prequel.label.v1"
COMMAND_TYPE = "prequel.command.v1"
DEFAULTS_TYPE = "prequel.defaults.v1"

# Topic `predictions`.
PREDICTION_TYPE = "prequel.prediction.v1"
OUTCOME_TYPE = "prequel.outcome.v1"
DRIFT_TYPE = "prequel.drift.v1"
APPLIED_TYPE = "prequel.applied.v1"

# Topic `dead-letters`.
REJECTED_TYPE = "prequel.rejected.v1"

# Any topic: put in the place of a record whose stream was deleted.
ERASED_TYPE = "prequel.erased.v1"


class Rejected(Exception):
    """A record that cannot be processed, now or ever: it becomes a dead letter with this reason and detail.

    ``reason`` is one of a few fixed words (a metric's label), ``detail`` a sentence for people. With ``counted`` the
    record is only counted, and no dead letter is written: an earlier one has the same cause.
    """

    def __init__(self, reason: str, detail: str, *, counted: bool = False) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail, self.counted = reason, detail, counted


class Image(NamedTuple):
    """An encoded image that arrived. ``time`` is in seconds since the epoch, as in every event."""

    id: str
    stream: str
    label: str | None
    time: float
    data: bytes
    position: Position
    attributes: Attributes = NO_ATTRIBUTES
    """The sender's own CloudEvents attributes: they travel with the image to its features, prediction and outcome."""
    key_id: str = ""
    """Which key ``data`` is encrypted with (see shared/images/encryption.py); empty where it is not encrypted."""


class Features(NamedTuple):
    """The feature vector (float32, shape [dim]) of one image; ``image`` is the image's position in the log, None where
    somebody sent features of their own, without an image.

    Those of another backbone, for an image whose features came before, have the header ``ce_reextracted: true``, and
    ``ce_id`` and ``ce_image`` as these had them: a stream can be switched to them.
    """

    id: str
    stream: str
    label: str | None
    time: float
    backbone: str
    vector: Vector
    image: Position | None
    position: Position
    attributes: Attributes = NO_ATTRIBUTES
    digest: str = ""
    """``content_digest`` of the image's bytes, without an image of the vector's; empty where the event has none."""
    reextracted: bool = False
    """Whether they are those of another backbone, for an image whose features came before."""


class Label(NamedTuple):
    """The label that somebody gives to an image; None retracts an earlier one.

    ``why`` is how the image was chosen to be labelled: producer (it came with its label), random, uncertain,
    correction, or another word of small letters, digits and hyphens; only labels of randomly chosen images estimate
    accuracy without bias. It may be left out.
    """

    id: str
    stream: str
    label: str | None
    by: str
    time: float
    position: Position
    why: str = ""


class Command(NamedTuple):
    """A change that somebody asks for in a stream: ``do`` is its name (`stream.delete`), ``arguments`` its JSON fields.

    A second command of the same ``id`` has no effect.
    """

    id: str
    stream: str
    do: str
    arguments: Mapping[str, Any]
    by: str
    time: float
    position: Position


class Defaults(NamedTuple):
    """The settings that the learner of this partition uses from here on, by name as in ``prequel.shared.config``.

    ``started`` is when the process that has these settings began, in seconds since the epoch: of two learners with
    different settings the one that started later is right.
    """

    settings: Mapping[str, Any]
    started: float
    position: Position


class Erased(NamedTuple):
    """The remains of an event whose stream was deleted: what the other streams of the partition still need of it.

    Of features, ``backbone`` and ``dim``, the length of the vector; of a label, ``id``, which is a digest of the
    image's id, and whether it ``retracts``. Where nothing is needed, all of them are empty.
    """

    stream: str
    backbone: str
    dim: int
    id: str
    retracts: bool
    position: Position


ExampleEvent = Features | Label | Defaults | Command | Erased
"""Everything that the topic `examples` may hold."""


class Prediction(NamedTuple):
    """The models' predictions of one example, made before they learned it.

    ``model`` is the champion, ``label`` and ``probabilities`` are its prediction; ``models`` has every model's label.
    ``truth`` is the label that came with the image, if one did. The truth is among the ``set_size`` labels of the set
    in a share ``set_level`` of cases; ``set`` has the 10 most probable of them. ``image`` is None where the example
    came as features, without an image.
    """

    id: str
    stream: str
    position: Position
    model: str
    label: str | None
    probabilities: Mapping[str, float]
    models: Mapping[str, str | None]
    truth: str | None
    image: Position | None
    time: float
    unknown: bool = False
    """Whether the champion abstained: ``label`` is None then, and ``models`` has the label that it would have given."""
    attributes: Attributes = NO_ATTRIBUTES
    labels: tuple[str, ...] = ()
    """The set that holds the truth in a share ``set_level`` of cases: its 10 most probable labels (`set` in JSON)."""
    set_level: float = 0.0
    set_size: int = 0
    """How many labels belong to the set."""


class Outcome(NamedTuple):
    """The effect of one label event, whose position this is; ``exact``: whether every model could correct exactly."""

    id: str
    stream: str
    position: Position
    status: str
    label: str | None
    previous: str | None
    predicted: str | None
    exact: bool
    time: float
    attributes: Attributes = NO_ATTRIBUTES
    """The image's, where its features were read for this: with learned, corrected and retracted."""


class Drift(NamedTuple):
    """A change of one model's error, found after ``scored`` examples; ``reset``: whether the model started over.

    Where the features themselves have changed, ``detector`` is features and ``model`` is empty: it is no model's.
    """

    stream: str
    position: Position
    model: str
    detector: str
    scored: int
    reset: bool
    time: float


FEATURES_DETECTOR = "features"
"""The detector that looks at the features, where the others look at a model's errors."""


class Applied(NamedTuple):
    """The effect of one command, whose position this is.

    ``status`` is applied, unchanged (the command was applied before) or refused; ``why`` explains it.
    """

    id: str
    stream: str
    position: Position
    do: str
    status: str
    why: str
    by: str
    time: float
    catching_up: bool = False
    """Whether the models, metrics and classes of the stream follow only when a replay of its log has caught up."""
    forgotten: tuple[str, ...] = ()
    """The digests (``id_digest``) of the ids whose images it has forgotten, for those who show them."""
    advice: str = ""
    """What to do besides, in a sentence; empty where there is nothing."""


PredictionEvent = Prediction | Outcome | Drift | Applied
"""Everything that the topic `predictions` may hold."""
