"""The fold of one stream's past as its decisions have made it: what its state is by definition."""

import math
from collections.abc import Iterable, Sequence

from prequel.services.learner.fold.batch import FoldBatch
from prequel.services.learner.fold.config import FoldConfig
from prequel.services.learner.fold.decisions.decisions import created_for
from prequel.services.learner.fold.decisions.following import take_models
from prequel.services.learner.fold.decisions.own_settings import own_config
from prequel.services.learner.fold.drift.feature_drift import FeatureDrift
from prequel.services.learner.fold.evaluation.comparisons import Comparisons
from prequel.services.learner.fold.feature_cache import FeatureCache
from prequel.services.learner.fold.join.orphan_labels import OrphanLabels
from prequel.services.learner.fold.label_features import read_ahead
from prequel.services.learner.fold.model_registry import ModelRegistry
from prequel.services.learner.fold.outputs import Output
from prequel.services.learner.fold.relocation import Relocations
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.fold.stream_events import apply_features, apply_stream_label
from prequel.services.learner.replay.plan import ReplayPlan
from prequel.services.learner.replay.rewriting import LastLabels, Rewriting
from prequel.services.learner.replay.substitutes import Substitutes, image_key
from prequel.shared.events.decoding import decode_example
from prequel.shared.events.types import Defaults, ExampleEvent, Features, Label, Outcome, Rejected
from prequel.shared.log.base import Position, Record
from prequel.shared.vectors import Vector


class StreamReplay:
    """Folds the records of a partition from ``begin`` on for the stream of ``plan`` alone.

    However records are cut into calls, the state is the same. ``state`` is None until the stream has begun.
    """

    def __init__(
        self,
        plan: ReplayPlan,
        registry: ModelRegistry,
        cache: FeatureCache,
        *,
        begin: int,
        last_labels: LastLabels | None = None,
        substitutes: Substitutes | None = None,
    ) -> None:
        self.plan, self.position = plan, begin
        self.state: StreamState | None = None
        self._substitutes = substitutes
        self._found: dict[str, tuple[Position, Vector]] = {}
        self._substituted = set[str]()
        self._registry, self._cache = registry, cache
        self.comparisons: Comparisons | None = None
        """For a back-test, what counts in place of the state's own."""
        self._rewriting = Rewriting(plan.decisions, last_labels)
        configured = (*plan.decisions.about_settings, *plan.decisions.about_models)
        self._configured_at = {decision.position.offset for decision in configured}
        self.relocations = Relocations(plan.partitions)
        self._orphans = OrphanLabels(max(1, len(plan.adopted)), 0)
        self._key = plan.stream.encode()

    def apply(self, records: Sequence[Record]) -> list[Output]:
        """Fold records in; what became of the examples' labels among them. Blocks, and raises LogUnavailable."""
        self._cache.begin_batch()
        here, _, _ = self.relocations.sort(records)
        events = [event for record in here if (event := self._decode(record))]
        streams = {self.plan.stream: self.state} if self.state else {}
        self._found = self._substitutes.fetch(self.plan.partition, events) if self._substitutes else {}
        batch = FoldBatch(read_ahead(events, streams, self._cache), self._cache)
        for event in events:
            self._step(event, batch)
        batch.flush()
        if records:
            self.position = records[-1].offset + 1
        if self.state:
            self.state.delays.clear()  # For metrics, which nobody reads here.
        return batch.outputs

    def begun_state(self) -> StreamState:
        """The state, also of a stream of which the log has nothing."""
        self._begin(max(self.position, self.plan.begun))
        assert self.state is not None, "it has begun"
        return self.state

    def _decode(self, record: Record) -> ExampleEvent | None:
        """What concerns the stream; other streams' records are not looked at."""
        if record.key not in (self._key, None, b""):
            return None
        try:
            return decode_example(record)
        except Rejected:
            return None

    def _step(self, event: ExampleEvent, batch: FoldBatch) -> None:
        self._begin(event.position.offset)
        if isinstance(event, Defaults) or event.position.offset in self._configured_at:
            batch.flush()
            self._configure(event.position.offset)
        elif isinstance(event, Label):
            self._apply_label(event, batch)
        elif isinstance(event, Features):
            self._apply_features(event, batch)

    def _apply_features(self, event: Features, batch: FoldBatch) -> None:
        image = event.image
        deleted = image is not None and image.offset < self.plan.deleted.get(image.partition, 0)
        rewritten = self._rewriting.event(event)
        if self.state is None or deleted or rewritten is None:
            return
        try:
            if (features := self._of_backbone(self.state, rewritten)) is not None:
                apply_features(self.state, features, batch)
        except Rejected:
            return  # As it was in the live fold, which has said why.

    def _of_backbone(self, state: StreamState, event: Features) -> Features | None:
        """The features of the backbone that the stream was switched to; None where the log has none of them.

        The image keeps its place. What was extracted later is where the features are read again, and no image more: ids
        are not remembered for ever, so without that an old one would be learned twice.
        """
        if self._substitutes is None:
            return event
        if not self._substitutes.takes(event):
            return None
        key, late = image_key(event), event.position.offset >= self._substitutes.before
        if event.backbone == self._substitutes.backbone:
            return None if event.reextracted and not late and key in self._substituted else event
        state.note_other_features(event.backbone, event.vector.size)
        if event.reextracted or late or key not in self._found:
            return None
        self._substituted.add(key)
        position, vector = self._found[key]
        return event._replace(backbone=self._substitutes.backbone, vector=vector, position=position)

    def _apply_label(self, event: Label, batch: FoldBatch) -> None:
        rewritten = self._rewriting.event(event)
        if rewritten is None:
            return
        if self.state is None:
            if event.position.offset in self.plan.adopted:
                self._orphans.apply(rewritten)
            return
        outputs = apply_stream_label(self.state, rewritten, batch)
        if rewritten.id in self.state.window:  # What only waits was never an example's label.
            batch.outputs += outputs

    def _begin(self, offset: int) -> None:
        """Make the empty state when the record at which the live stream began is met, or the first one after that."""
        if self.state is not None or offset < self.plan.begun:
            return
        plan = self.plan
        state = StreamState(plan.stream, self._config(offset), self._registry)
        state.seed, state.begun = plan.seed, plan.begun
        state.feature_drift = FeatureDrift(0, plan.seed)
        state.backbone = self._substitutes.backbone if self._substitutes else created_for(plan.decisions)
        if plan.classes is not None:
            state.admissible = set(plan.classes)
            state.begin(*plan.backbone)
        state.comparisons = self.comparisons or state.comparisons
        state.adopt(self._orphans.remove_stream(plan.stream))
        self.state = state

    def _configure(self, offset: int) -> None:
        """Let the stream have the models and settings that it has from this record on."""
        if self.state is not None:
            config = self._config(offset)
            take_models(self.state, config, config.models)
            if config != self.state.config:
                self.state.reconfigure(config)

    def _config(self, offset: int) -> FoldConfig:
        decisions, defaults = self.plan.decisions, self.plan.history.at(offset)
        if self.plan.models is not None:
            specs = self.plan.models
        else:
            # A model that the settings name later has been there from the beginning, too.
            own_from = decisions.about_models[0].position.offset if decisions.about_models else math.inf
            later = self.plan.history.models_between(offset, own_from)
            specs = decisions.models_at(offset, tuple(dict.fromkeys([*defaults.models, *later])))
        return own_config(defaults, decisions.settings_at(offset), specs)


def changed_labels(outputs: Iterable[Output], before: int, known: dict[str, str | None]) -> None:
    """Note in ``known`` the labels that examples have after they were corrected or retracted, before an offset."""
    for _, event in outputs:
        if not isinstance(event, Outcome) or event.position.offset >= before:
            continue
        if event.status in ("corrected", "retracted") or (event.status == "learned" and event.id in known):
            known[event.id] = event.label
