"""What the parts of one learner share: settings, log, store, registry, clock, and what is made from them."""

from collections.abc import Callable
from dataclasses import dataclass

from prequel.services.learner.fold.config import FoldConfig
from prequel.services.learner.fold.feature_cache import FeatureCache
from prequel.services.learner.fold.model_registry import ModelRegistry
from prequel.services.learner.snapshots.envelope import Envelope, SnapshotId
from prequel.shared.config import Settings
from prequel.shared.events.defaults import encode_defaults
from prequel.shared.log.base import Log, Message
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.store.base import Store

SOURCE = "prequel/learner"
"""``ce_source`` of every event that a learner writes."""


@dataclass(kw_only=True)
class LearnerContext:
    """``owner`` is this process's id, ``started`` when it began: seconds since the epoch, as ``clock`` says."""

    settings: Settings
    config: FoldConfig
    log: Log
    store: Store
    registry: ModelRegistry
    metrics: Metrics
    health: Health
    clock: Callable[[], float]
    owner: str
    started: float

    def new_cache(self) -> FeatureCache:
        """An empty cache, as large as the settings say."""
        return FeatureCache(self.log, self.settings.cache_examples, self.settings.cache_bytes)

    def envelope(self, snapshot: SnapshotId) -> Envelope:
        """Seals and opens the models of one snapshot with the settings' key."""
        return Envelope(self.settings.snapshot_key.get_secret_value().encode(), snapshot)

    def config_record(self, partition: int) -> Message:
        """The record that makes this process's settings the partition's, from where it stands in the log on."""
        return encode_defaults(
            self.config.as_settings(),
            partition,
            started=self.started,
            by=self.owner,
            time=self.clock(),
            event_id=f"defaults:{partition}:{self.owner}",
            source=SOURCE,
        )
