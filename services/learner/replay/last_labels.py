"""Finds the labels that corrected examples had when models were rebuilt, by a replay with hardly a model."""

from prequel.services.learner.fold.feature_cache import FeatureCache
from prequel.services.learner.fold.model_registry import ModelRegistry
from prequel.services.learner.replay.plan import ReplayPlan
from prequel.services.learner.replay.rewriting import LastLabels, rebuilt_at
from prequel.services.learner.replay.stream_replay import StreamReplay, changed_labels
from prequel.services.learner.replay.substitutes import Substitutes

CHEAPEST_MODEL = "ncm"
"""A stream has at least one model; which does not matter here."""


def find_last_labels(
    plan: ReplayPlan,
    registry: ModelRegistry,
    cache: FeatureCache,
    substitutes: Substitutes | None,
    *,
    begin: int,
    end: int,
) -> LastLabels | None:
    """The labels by which ``models.rebuild`` is exact; None where no such command stands. ``end`` is after it.

    What a label did, whether it corrected, waited or had expired, is what it did in the fold: so it is asked of a fold.
    Blocks; raises LogUnavailable.
    """
    before = rebuilt_at(plan.decisions)
    if before is None:
        return None
    cheap = plan._replace(models=(CHEAPEST_MODEL,))
    replay = StreamReplay(cheap, registry, cache.empty_copy(), begin=begin, substitutes=substitutes)
    known: dict[str, str | None] = {}
    for records in cache.read_range(plan.partition, begin, min(end, before)):
        changed_labels(replay.apply(records), before, known)
    return LastLabels(before, known)
