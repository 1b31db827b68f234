"""A change of the configuration in the log: other limits for every stream, other models that a replay has caught up."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from prequel.services.learner.fold.config_history import ConfigChange
from prequel.services.learner.fold.decisions.following import follow_decisions
from prequel.services.learner.fold.drift.reactions import reaction
from prequel.services.learner.fold.model_registry import ModelRegistry
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.models.spec import UnknownModel
from prequel.services.learner.replay.catch_up import change_models
from prequel.services.learner.replay.companion import with_companion
from prequel.shared.config import ConfigError
from prequel.shared.log.base import EXAMPLES

if TYPE_CHECKING:
    from prequel.services.learner.fold.partition import Fold

PROBE_DIM = 8
"""Features of a model that is made only to check its spec: whether it can be made does not depend on their number."""


def change_config(fold: "Fold", change: ConfigChange, partition: int) -> None:
    """Use another configuration from this record on. Blocks while models that are new are caught up.

    Raises ConfigError for a model that cannot be made, LogUnavailable.
    """
    before = fold.config
    if fold.live_streams is not None:
        change = change._replace(config=replace(change.config, models=before.models))
    if change.config == before:
        fold.history.add(change)
        return
    check_models(fold.registry, set(change.config.models) - set(before.models))
    replayed = _replay_new_models(fold, change, partition)
    fold.history.add(change)
    fold.orphan_labels.resize(change.config.max_waiting, change.config.window)
    # The state of every stream may change now: what the store has of it and how large it is must not be relied on.
    fold.stored.clear()
    fold.capacity.reconfigured()
    for name, stream in fold.streams.items():
        follow_decisions(stream, change.config, replayed.get(name))


def check_models(registry: ModelRegistry, specs: Iterable[str]) -> None:
    """Raises ConfigError for a model that the log names and this Prequel cannot make.

    To leave the model out would be another fold than that of whoever wrote the record.
    """
    for spec in sorted(specs):
        try:
            registry.create(reaction(spec).spec, PROBE_DIM, seed=0)
        except UnknownModel as error:
            raise ConfigError(
                f"the settings in the log (topic {EXAMPLES}) name model {spec!r}, which this Prequel cannot make: "
                f"{error}. Use the version of Prequel that wrote them, with every package that the model needs"
            ) from error


def _replay_new_models(fold: "Fold", change: ConfigChange, partition: int) -> dict[str, StreamState]:
    """The models that are new, by stream: as if they had been there since the earliest record that the log has."""
    added = tuple(spec for spec in change.config.models if spec not in fold.config.models)
    live = fold.replayable_streams
    if not added or not live:
        return {}
    begin, batches = fold.cache.replay(partition, change.offset)
    config = replace(fold.history.at(begin), models=with_companion(added))
    replay = fold.empty_replay(config, begin)
    for records in batches:
        replay.apply(records)
    missing = {name: stream.empty_copy(config) for name, stream in live.items() if name not in replay.streams}
    streams = replay.streams | missing
    for stream in streams.values():
        change_models(stream, added, None)  # Without the companion.
    return streams
