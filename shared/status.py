"""The status of streams and partitions, written by learners and served by the gateway: metrics, curve, snapshot."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

PREFIX, DETAIL_PREFIX, PARTITION_PREFIX = "status/", "detail/", "partition/"
MAX_LABELS = 50
"""Classes in a published status, in a confusion matrix and in the metrics by class: the most frequent ones. With a
thousand each status would be 300 KB, written four times a second."""

MAX_RENAMED = 1_000
"""Former names of classes in a published status, 30 KB: as many as a stream has classes, unless set otherwise."""

Interval = tuple[float, float]
"""Its ends, the lower one first: 95 % of all streams never see it miss, however often one looks."""


class ClassStatus(BaseModel):
    """One class of one model. ``support`` counts scored examples that truly belong to it."""

    precision: float | None
    recall: float | None
    f1: float | None = None
    support: int
    forgetting: float | None = None
    """Its best recall in a slice of the stream minus that in the newest slice where it was seen."""


class ModelStatus(BaseModel):
    """Prequential metrics of one model: each example scored on the prediction made before it was learned.

    As in River, a prediction made before any class was known is not scored, and an example of a class that the model
    could not know yet adds nothing to the log loss.
    """

    scored: int
    accuracy: float | None
    window_accuracy: float | None
    kappa: float | None
    log_loss: float | None
    interval: Interval | None = None
    """Where the mean chance of a right prediction lies since the start: 95 %, however often one looks."""
    fading_accuracy: float | None = None
    """Each example weighs 0.999 of the one after it."""
    calibration_error: float | None = None
    """Expected calibration error of the predicted class over about the newest 4,000 scored examples, in 15 bins."""
    classes: dict[str, ClassStatus]
    drifts: int = 0


class CurvePoint(BaseModel):
    """Accuracy per model after ``scored`` scored examples: since the start, and over the last window of them.

    ``interval`` is where the accuracy since the start lies, of the points that have one: see ``Interval``.
    """

    scored: int
    accuracy: dict[str, float]
    window_accuracy: dict[str, float]
    interval: dict[str, Interval] = {}


class ReliabilityPoint(BaseModel):
    """Predictions of one of 15 equal bins of confidence: mean confidence, share that was right, how many."""

    confidence: float
    accuracy: float
    count: int


class Confusion(BaseModel):
    """``rows[i][j]`` counts examples of true class ``labels[i]`` that were predicted as ``labels[j]``.

    The last column counts those for which the model named no class. ``labels`` are the MAX_LABELS most frequent.
    """

    labels: list[str]
    rows: list[list[int]]


class DriftMark(BaseModel):
    """A drift of one model's error, found by a detector after ``scored`` scored examples."""

    scored: int
    model: str
    detector: str


class FeatureDriftMark(BaseModel):
    """A drift of the features, found with image number ``images`` of the stream, after ``scored`` scored examples."""

    scored: int
    images: int
    score: float


class UnknownStatus(BaseModel):
    """Abstentions of the champion among labelled examples: ``novel`` of them on classes that it could not know.

    ``answered_accuracy`` is over the others.
    """

    abstained: int
    novel: int
    answered: int
    answered_accuracy: float | None


class VerdictStatus(BaseModel):
    """A challenger against the champion, on the newest ``scored`` labels, from number ``since`` of the curve on.

    ``verdict`` is better, worse, open (not told apart) or silent (labels come class after class). ``wins`` counts the
    examples that only the challenger predicted right, ``losses`` those that only the champion did; ``difference`` is
    the challenger's accuracy minus the champion's. ``text`` says it as a sentence.
    """

    verdict: str
    scored: int
    wins: int
    losses: int
    difference: float | None
    interval: Interval | None
    since: int
    text: str


class RandomSampleStatus(BaseModel):
    """The champion on the ``labelled`` examples that were chosen at random: these alone estimate its accuracy."""

    labelled: int
    accuracy: float
    interval: Interval


class SetStatus(BaseModel):
    """The sets of labels beside the champion's predictions, as they were served, over the newest ``scored`` labels.

    These are 500 at most, fewer after the level or the champion has changed. ``level`` is how often sets are to hold
    the truth, ``coverage`` how often they did, ``mean_size`` how many labels they had.
    """

    level: float
    coverage: float | None
    mean_size: float | None
    scored: int


class LabelOrderStatus(BaseModel):
    """Whether the newest labels come mixed, as a sample would, or class after class; ``text`` says it in words."""

    mixed: bool
    text: str


class CatchUpStatus(BaseModel):
    """A replay of the stream's log that some commands wait for, beside the live fold.

    ``progress`` is 0 to 1, ``commands`` are their ids, ``models`` the specs that join with it, ``problem`` says why it
    cannot go on (empty while it does).
    """

    progress: float
    commands: list[str] = []
    models: list[str] = []
    problem: str = ""


class SnapshotStatus(BaseModel):
    """The newest snapshot of the stream's partition: where learning resumes after a crash."""

    position: str
    at: float
    bytes: int
    seconds: float


class StreamStatus(BaseModel):
    """A stream as of ``position`` (next to read). ``pending``: examples in the window that have no label yet.

    ``backbone`` is the id of the one that it learns from, ``dim`` the length of its vectors. Before the first image
    ``dim`` is 0, and ``backbone`` what was chosen for the stream, or empty.
    """

    stream: str
    position: str
    updated_at: float
    backbone: str
    dim: int
    images: int
    labelled: int
    label_coverage: float
    pending: int
    waiting: int
    labels: list[str]
    statuses: dict[str, int]
    champion: str
    window: int
    models: dict[str, ModelStatus]
    """With at most MAX_LABELS classes each: a StreamDetail has all."""
    drifts: list[DriftMark] = []
    feature_drift: float = 0.0
    """How much further than usual the newest features are from those before, in deviations of what is usual."""
    feature_drift_threshold: float = 0.0
    """Where the features count as changed."""
    feature_drifts: list[FeatureDriftMark] = []
    unknown: UnknownStatus | None = None
    verdicts: dict[str, VerdictStatus] = {}
    """By challenger."""
    random_sample: RandomSampleStatus | None = None
    """None where no scored label says that its image was chosen at random."""
    label_reasons: dict[str, int] = {}
    """Labelled examples by why they were labelled: producer, random, uncertain, correction, unknown, ..."""
    sets: SetStatus | None = None
    """None in statuses that an older Prequel wrote."""
    label_order: LabelOrderStatus | None = None
    """None in statuses that an older Prequel wrote."""
    conflicts: dict[str, int] = {}
    """Ids that were sent again: with another image (``content``), or another label (``label``)."""
    snapshot: SnapshotStatus | None = None
    address: str | None = None
    """host:port at which the stream's learner answers queries; None if it runs in the gateway's process."""
    title: str = ""
    """What people call the stream; empty: its name."""
    goal: float | None = None
    """The accuracy that is enough, 0 to 1."""
    settings: dict[str, Any] = {}
    """Those that the stream has of its own, by name as in a command ``stream.set``; the others are the learner's."""
    catching_up: CatchUpStatus | None = None
    """None while no command waits for a replay."""
    renamed: dict[str, str] = {}
    """What classes are called now, by names that they have had and events of the past have: 1,000 at most."""
    other_features: dict[str, int] = {}
    """How many features the log has of other backbones, by their ids: the stream can be switched to these."""


class StreamDetail(BaseModel):
    """The parts of a status that grow with the stream: every class of every model, the curve, the matrices."""

    stream: str
    position: str
    classes: dict[str, dict[str, ClassStatus]]
    curve: list[CurvePoint]
    confusion: dict[str, Confusion]
    reliability: dict[str, list[ReliabilityPoint]] = {}
    """By model, over about the newest 4,000 scored examples; without the bins that have none."""


class CommandEntry(BaseModel):
    """A command that the stream was given, and what became of it.

    ``status`` is applied, refused or undone; ``why`` says why it was refused. ``at`` is in seconds since the epoch,
    ``position`` where the command stands in the log. ``undone_by`` is the id of the command that undid it.
    ``catching_up``: it is in effect once a replay of the log has caught up.
    """

    id: str
    do: str
    arguments: dict[str, Any]
    by: str
    at: float
    position: str
    status: str
    why: str = ""
    undone_by: str | None = None
    undoable: bool = False
    catching_up: bool = False


class StreamHistory(BaseModel):
    """Who changed a stream: its commands, the newest first, and labels counted by who gave them and why."""

    stream: str
    position: str
    commands: list[CommandEntry]
    labels_by: dict[str, int] = {}
    labels_why: dict[str, int] = {}


class PartitionStatus(BaseModel):
    """A partition as its learner sees it. ``full`` says why it accepts no more streams; empty if it does.

    ``deleted`` is the position of the newest command that deleted a stream.
    """

    partition: int
    partitions: int
    streams: int
    full: str = ""
    deleted: str | None = None
    snapshot: SnapshotStatus | None = None


def key(stream: str) -> str:
    """The store's key of a stream's status."""
    return PREFIX + stream


def detail_key(stream: str) -> str:
    """The store's key of a stream's detail as of its newest snapshot, for when no learner answers."""
    return DETAIL_PREFIX + stream


def partition_key(partition: int) -> str:
    """The store's key of a partition's status."""
    return f"{PARTITION_PREFIX}{partition}"


def largest(probabilities: dict[str, float], max_count: int = 10) -> dict[str, float]:
    """The ``max_count`` largest probabilities, the largest first; equal ones in the order given."""
    return dict(sorted(probabilities.items(), key=lambda item: -item[1])[:max_count])


def streams(keys: Sequence[str]) -> list[str]:
    """The names of the streams whose status keys these are."""
    return [name.removeprefix(PREFIX) for name in keys]
