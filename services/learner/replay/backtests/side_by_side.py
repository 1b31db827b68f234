"""Another backbone beside a stream's own: two replays of the same images, the champion's and that of the models."""

from prequel.services.learner.fold.feature_cache import FeatureCache
from prequel.services.learner.fold.model_registry import ModelRegistry
from prequel.services.learner.replay.backtests.champion_elsewhere import ComparisonsElsewhere, NotedPredictions
from prequel.services.learner.replay.backtests.job import BacktestJob
from prequel.services.learner.replay.backtests.range_comparisons import range_verdicts
from prequel.services.learner.replay.backtests.results import join_results, result_of, row_name
from prequel.services.learner.replay.jobs.base import JobFailed, Report
from prequel.services.learner.replay.last_labels import find_last_labels
from prequel.services.learner.replay.stream_replay import StreamReplay
from prequel.services.learner.replay.substitutes import Substitutes, find_shared
from prequel.shared.backtests import BacktestResult
from prequel.shared.log.base import Position


def replay_side_by_side(
    asked: BacktestJob, registry: ModelRegistry, cache: FeatureCache, report: Report
) -> BacktestResult:
    """The champion on the stream's own backbone, the other models on ``asked.other``; images without both are left out.

    Each image is where its first features stand, whichever they are. Blocks; raises LogUnavailable, JobFailed.
    """
    own, other = find_shared(asked.plan, (asked.backbone[0], asked.other), cache, begin=asked.begin, end=asked.end)
    if not own.images:
        raise JobFailed(f"no image of this range has features of both {own.backbone} and {other.backbone}")
    replays = champion, models = _replays(asked, registry, cache, own, other)
    noted = NotedPredictions(lambda: _label_number(champion))
    tried = len(models.plan.models or ())
    comparisons = ComparisonsElsewhere(tried, noted.predicted, lambda: _label_number(models))
    champion.comparisons, models.comparisons = noted, comparisons
    for records in cache.read_range(asked.plan.partition, asked.begin, asked.end):
        for replay in replays:  # The champion first: its predictions are asked for.
            replay.apply(records)
        report(champion.position - asked.begin, asked.end - asked.begin)
    return _result(champion, models, comparisons, own, other, Position(asked.plan.partition, asked.end))


def _result(
    champion: StreamReplay,
    models: StreamReplay,
    comparisons: ComparisonsElsewhere,
    own: Substitutes,
    other: Substitutes,
    end: Position,
) -> BacktestResult:
    """Raises JobFailed where the two have not learned the same labels."""
    states = [replay.begun_state() for replay in (champion, models)]
    if states[0].learned != states[1].learned:
        raise JobFailed(
            f"features of {own.backbone} or {other.backbone} in the log are damaged: some have another size"
        )
    for state in states:
        state.decisions = champion.plan.decisions  # What its classes are called.
    result, others = (result_of(state, {}, end) for state in states)
    names = [row_name(spec, other.backbone) for spec in models.plan.models or ()]
    verdicts = range_verdicts(comparisons, row_name(result.champion, own.backbone), names)
    more = {"verdicts": verdicts, "notes": _notes(champion.plan.stream, other)}
    return join_results(result, others, other.backbone).model_copy(update=more)


def _notes(stream: str, other: Substitutes) -> list[str]:
    count, backbone = len(other.missing), other.backbone
    if not count:
        return []
    images = "1 image has" if count == 1 else f"{count:,} images have"
    return [
        f"{images} no features of {backbone}, and no part in this: prequel reextract {stream} --backbone {backbone} "
        "makes them from what is still stored."
    ]


def _replays(
    asked: BacktestJob, registry: ModelRegistry, cache: FeatureCache, own: Substitutes, other: Substitutes
) -> tuple[StreamReplay, StreamReplay]:
    """The champion's, and that of the models."""
    first, *others = asked.plan.models or ()
    last = find_last_labels(asked.plan, registry, cache, own, begin=asked.begin, end=asked.end)

    def replay(models: tuple[str, ...], substitutes: Substitutes) -> StreamReplay:
        plan = asked.plan._replace(models=models)
        return StreamReplay(
            plan, registry, cache.empty_copy(), begin=asked.begin, last_labels=last, substitutes=substitutes
        )

    return replay((first,), own), replay(tuple(others), other)


def _label_number(replay: StreamReplay) -> int:
    assert replay.state is not None, "it scores"
    return replay.state.learned - 1
