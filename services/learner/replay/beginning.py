"""The beginning of a replay: what it has to know of the whole log before it folds the first record."""

from prequel.services.learner.fold.feature_cache import FeatureCache
from prequel.services.learner.fold.model_registry import ModelRegistry
from prequel.services.learner.replay.last_labels import find_last_labels
from prequel.services.learner.replay.plan import ReplayPlan
from prequel.services.learner.replay.stream_replay import StreamReplay
from prequel.services.learner.replay.substitutes import find_substitutes


def begin_replay(
    plan: ReplayPlan, registry: ModelRegistry, cache: FeatureCache, *, begin: int, end: int
) -> StreamReplay:
    """A replay of the log from ``begin`` on that has folded nothing yet; ``end`` is after the newest decision.

    Blocks while the log is read once for features of another backbone, where the stream was switched, and once more for
    corrected labels, where models were rebuilt. Raises LogUnavailable.
    """
    substitutes = find_substitutes(plan, cache, begin=begin)
    last = find_last_labels(plan, registry, cache, substitutes, begin=begin, end=end)
    return StreamReplay(plan, registry, cache.empty_copy(), begin=begin, last_labels=last, substitutes=substitutes)
