"""The state of one stream: what the fold knows of it, and how it begins and changes its configuration."""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from prequel.services.learner.fold.calibration.calibrator import Calibrator
from prequel.services.learner.fold.config import FoldConfig
from prequel.services.learner.fold.decisions.decisions import Decision, Decisions
from prequel.services.learner.fold.drift.error_drift import ErrorDrift
from prequel.services.learner.fold.drift.feature_drift import FeatureDrift
from prequel.services.learner.fold.drift.reactions import reaction
from prequel.services.learner.fold.evaluation.abstentions import AbstentionCounts
from prequel.services.learner.fold.evaluation.comparisons import Comparisons
from prequel.services.learner.fold.evaluation.label_reasons import LabelReasons
from prequel.services.learner.fold.evaluation.labellers import Labellers
from prequel.services.learner.fold.evaluation.prediction_sets import PredictionSets
from prequel.services.learner.fold.evaluation.scores import Scores
from prequel.services.learner.fold.join.conflicts import Conflicts
from prequel.services.learner.fold.join.expired_ids import ExpiredIds
from prequel.services.learner.fold.join.waiting_labels import WaitingLabel, WaitingLabels
from prequel.services.learner.fold.join.window import Window
from prequel.services.learner.fold.label_order import LabelOrder
from prequel.services.learner.fold.model_registry import ModelRegistry
from prequel.services.learner.fold.novelty import Novelty
from prequel.services.learner.fold.predictions import ModelPrediction
from prequel.services.learner.models.base import Model
from prequel.shared.backbone_specs import matches
from prequel.shared.events.types import Command, Rejected

MAX_OTHER_BACKBONES = 8
"""Other backbones whose features a stream counts: whoever compares more does so on files."""


class CurveMark(NamedTuple):
    """A drift on the accuracy curve: after ``scored`` scored examples, of one model, found by a detector."""

    scored: int
    model: str
    detector: str


class FeatureMark(NamedTuple):
    """A drift of the features on the accuracy curve: found with example ``images``, after ``scored`` scored ones."""

    scored: int
    images: int
    score: float


class StreamState:
    """All state of one stream. Nothing in it looks at a clock or at anything random.

    The steps of the fold work on it: new_examples.py, correction.py, scoring.py.
    """

    def __init__(self, name: str, config: FoldConfig, registry: ModelRegistry) -> None:
        self.name, self.config, self.registry = name, config, registry
        self.seed = config.seed
        """The seed that the stream began with: another one in the settings is for streams that begin later."""
        self.admissible: Collection[str] | None = None
        """In a replay, the labels that the live stream has admitted; None where this is the live one."""
        self.reactions = [reaction(spec) for spec in config.models]
        self._decisions = Decisions()
        self.names = self._decisions.new_names()
        """What people call the classes. Its own: later decisions change it."""
        self.begun = 0
        """The offset at which it began: earlier events of its name are of another stream, since deleted, or of none."""
        self.adopted: set[int] = set()
        """Offsets of the labels that had come before it began, and waited for it."""
        self.backbone, self.dim = "", 0
        """The id of the backbone that it learns from, and its dimension; 0 before the first features: until then the
        backbone is the spec that was chosen for it, or empty."""
        self.other_features: dict[str, tuple[int, int]] = {}
        """By other backbone whose features the log has too, their size and how many there are: it may learn from them
        instead, once a command says so."""
        self.models: list[Model] = []
        self.reset_at = [0] * len(config.models)
        """By model, how many examples had been scored when it last reacted to a drift: what it learned before, it has
        forgotten, or half forgotten. 0 where it never did."""
        self.labels: list[str] = []
        """The classes by number. People may call one something else since: see ``class_names``."""
        self.class_names: list[str] = []
        """What people call them, by number: kept, since every prediction names its classes."""
        self.classes: dict[str, int] = {}
        """The inverse of ``labels``: class number by label."""
        self.scores = Scores(len(config.models), config.accuracy_window)
        self.comparisons = Comparisons(len(config.models) - 1)
        self.label_reasons = LabelReasons(len(config.models))
        self.labellers = Labellers()
        self.abstentions = AbstentionCounts()
        self.abstentions_from = 0
        """Sequence number of the first example whose abstention counts: those before were another champion's."""
        self.novelty = Novelty(config.unknown_probability, config.unknown_distance)
        self.sets = PredictionSets(config.set_level)
        self.calibrators = [self.new_calibrator(number) for number in range(len(self.reactions))]
        self.drifts = [ErrorDrift() for _ in config.models]
        self.drift_counts = [0] * len(config.models)
        self.marks: list[CurveMark] = []
        self.feature_drift = FeatureDrift(0, self.seed)
        self.label_order = LabelOrder()
        self.feature_marks: list[FeatureMark] = []
        self.window = Window(config.window, len(config.models))
        self.expired_ids = ExpiredIds(config.duplicates)
        self.waiting = WaitingLabels(config.max_waiting)
        self.images = self.labelled = self.pending = 0
        self.learned = 0
        """First labels so far, those taken back since among them: the time that models count in whose past fades."""
        self.conflicts = Conflicts()
        self.statuses: dict[str, int] = {}
        """Labels by what became of them."""
        self.delays: list[float] = []
        """Seconds from example to first label, until a metric has taken them. Not part of the state."""

    # How it begins.

    def adopt(self, labels: Sequence[tuple[str, WaitingLabel]]) -> None:
        """Take over the labels that came before the stream began, by image id."""
        for id, waiting in labels:
            self.waiting.put(id, waiting)
            self.adopted.add(waiting.position.offset)
            self.count_status("waiting")

    def begin(self, backbone: str, dim: int) -> None:
        """Learn from features of this backbone, float32 of shape [dim], unless it learns from a backbone already."""
        if self.models:
            return
        self.backbone, self.dim = backbone, dim
        self.models = [self.new_model(number) for number in range(len(self.reactions))]
        self.feature_drift = FeatureDrift(self.dim, self.seed)

    def check_features(self, backbone: str, dim: int) -> None:
        """Begin with features of this kind. Raises Rejected where the stream learns from another kind, or is to."""
        if not self.dim and not matches(self.backbone, backbone):
            raise Rejected(
                "wrong-backbone", f"stream {self.name} is to learn from {self.backbone}, not from {backbone}"
            )
        self.begin(backbone, dim)
        if backbone != self.backbone or dim != self.dim:
            raise Rejected(
                "wrong-backbone",
                f"stream {self.name} learns from {self.backbone} ({self.dim} values), not from {backbone} ({dim}); "
                f"prequel reextract {self.name} --backbone {self.backbone} extracts the image again",
            )

    def note_other_features(self, backbone: str, dim: int) -> None:
        """Count features that a command may have it learn from. Raises Rejected where there are too many kinds."""
        known, count = self.other_features.get(backbone, (dim, 0))
        if known != dim:
            raise Rejected("wrong-backbone", f"{backbone} has {known} values here, not {dim}")
        if not count and len(self.other_features) >= MAX_OTHER_BACKBONES:
            raise Rejected(
                "wrong-backbone", f"stream {self.name} has features of {MAX_OTHER_BACKBONES} other backbones already"
            )
        self.other_features[backbone] = dim, count + 1

    def new_model(self, number: int) -> Model:
        """Model ``number`` as it is before it has learned anything."""
        return self.registry.create(self.reactions[number].spec, self.dim, seed=self.seed)

    def new_calibrator(self, number: int, *, first: int = 0) -> Calibrator:
        """The calibrator of model ``number`` before any score; ``first`` is the index of the first that counts."""
        reaction = self.reactions[number]
        return Calibrator(active=reaction.calibrated, sharpen=reaction.sharpened, first=first)

    def empty_copy(self, config: FoldConfig) -> "StreamState":
        """An empty state for a replay of this stream: it takes the features and admits the labels that this one did."""
        copy = StreamState(self.name, config, self.registry)
        copy.seed, copy.backbone, copy.dim, copy.admissible = self.seed, self.backbone, self.dim, self.classes.keys()
        copy.models = [copy.new_model(number) for number in range(len(config.models))]
        copy.feature_drift = FeatureDrift(self.dim, self.seed)
        return copy

    # What changes in it.

    def reconfigure(self, config: FoldConfig) -> None:
        """Use another configuration of the same models in the same order; what is beyond its limits expires."""
        self.config = config
        self.scores.resize(config.accuracy_window)
        self.novelty.change(config.unknown_probability, config.unknown_distance, self.scores.total)
        self.sets.change(config.set_level, self.window.bounds[1])
        self.window.resize(config.window)
        self.expired_ids.resize(config.duplicates)
        self.waiting.resize(config.max_waiting)
        self.expire()

    def expire(self) -> None:
        """Remove the examples that are beyond the window, and remember their ids."""
        for id, had_label in self.window.expire():
            self.expired_ids.add(id)
            self.pending -= not had_label

    def admit(self, label: str) -> bool:
        """Make the label a class; False where it is none and there is no room for another."""
        if label not in self.classes:
            if len(self.labels) >= self.config.max_labels:
                return False
            if self.admissible is not None and label not in self.admissible:
                return False
            self.classes[label] = len(self.labels)
            self.labels.append(label)
            self.class_names.append(self.names.name(label))
        return True

    @property
    def decisions(self) -> Decisions:
        """What people have decided about it."""
        return self._decisions

    @decisions.setter
    def decisions(self, decisions: Decisions) -> None:
        self._decisions, self.names = decisions, decisions.new_names()
        self.class_names = self.names.names(self.labels)

    def decide(self, decision: Decision) -> None:
        """Take in one more decision that is applied. However many there are, only what it changes is made anew."""
        self._decisions = self._decisions.apply(decision)
        if decision.change:
            self.names.apply(decision.change)
            if (number := self.classes.get(decision.change.label)) is not None:
                self.class_names[number] = self.names.name(decision.change.label)

    def refuse(self, command: Command, why: str) -> None:
        """Keep in the history that a command was refused: nothing else changes."""
        self._decisions = self._decisions.refuse(command, why)

    def count_status(self, status: str) -> None:
        """Count a label by what became of it."""
        self.statuses[status] = self.statuses.get(status, 0) + 1

    # What it knows.

    def knows(self, id: str) -> bool:
        """Whether an example with this id has come before, as far back as ids are remembered."""
        return id in self.window or id in self.expired_ids

    @property
    def has_own_models(self) -> bool:
        """Whether its models are those that commands have given it, and not those of the settings."""
        return bool(self.decisions.about_models)

    def name_of(self, label: int) -> str | None:
        """What people call a class, None for -1."""
        return self.class_names[label] if label >= 0 else None

    def names_of(self, classes: Iterable[int]) -> list[str]:
        """What people call these classes."""
        return [self.class_names[label] for label in classes]

    def class_named(self, name: str) -> str | None:
        """The label of the class that is called so now; None where there is none."""
        label = self.names.label(name)
        return label if label in self.classes and self.names.name(label) == name else None

    def class_numbers(self, model: Model) -> list[int]:
        """The stream's class numbers of a model's classes, in the model's order."""
        return [self.classes[label] for label in model.labels]

    def probabilities_by_label(self, prediction: ModelPrediction) -> dict[str, float]:
        """A prediction's classes by label, most probable first."""
        names = map(self.class_names.__getitem__, prediction.classes)
        return dict(zip(names, prediction.probabilities, strict=True))

    def labels_by_model(self, predicted: Sequence[int]) -> dict[str, str | None]:
        """The label that each model predicted, by spec; ``predicted`` are the classes, -1 for none."""
        names = [self.class_names[label] if label >= 0 else None for label in predicted]
        return dict(zip(self.config.models, names, strict=True))
