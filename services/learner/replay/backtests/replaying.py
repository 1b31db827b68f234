"""The job of a back-test: replays a range of a stream with the models that are to be tried, and reports on them."""

from prequel.services.learner.fold.feature_cache import FeatureCache
from prequel.services.learner.fold.model_registry import ModelRegistry
from prequel.services.learner.replay.backtests.job import BacktestJob, job_from
from prequel.services.learner.replay.backtests.range_comparisons import RangeComparisons, range_verdicts
from prequel.services.learner.replay.backtests.results import result_of
from prequel.services.learner.replay.backtests.side_by_side import replay_side_by_side
from prequel.services.learner.replay.beginning import begin_replay
from prequel.services.learner.replay.jobs.base import Job, JobContext, JobFailed, Report
from prequel.shared.backtests import BacktestResult
from prequel.shared.log.base import EXAMPLES, Log, Position


def backtest(job: Job, context: JobContext, report: Report) -> bytes:
    """A BacktestResult as JSON. Raises as a job does."""
    asked = job_from(dict(job.arguments))
    begin, notes = _begin(asked, context.log)
    cache = FeatureCache(context.log, context.settings.cache_examples, context.settings.cache_bytes)
    replay = replay_side_by_side if asked.other else _replay_together
    result = replay(asked._replace(begin=begin), context.registry, cache, report)
    more = {"begin": f"{asked.plan.partition}:{begin}", "notes": [*notes, *result.notes]}
    return result.model_copy(update=more).model_dump_json().encode()


def _replay_together(
    asked: BacktestJob, registry: ModelRegistry, cache: FeatureCache, report: Report
) -> BacktestResult:
    """The champion and the other models in one stream."""
    plan, begin = asked.plan, asked.begin
    if begin > plan.begun and not plan.decisions.ever_switched:
        # The first record that is read may be one that the stream did not take.
        plan = plan._replace(classes=asked.classes, backbone=asked.backbone)
    replay = begin_replay(plan, registry, cache, begin=begin, end=asked.end)
    champion, *others = plan.models or ()
    replay.comparisons = comparisons = RangeComparisons(len(others))
    for records in cache.read_range(plan.partition, begin, asked.end):
        replay.apply(records)
        report(replay.position - begin, asked.end - begin)
    state = replay.begun_state()
    state.decisions = plan.decisions  # What its classes are called.
    return result_of(state, range_verdicts(comparisons, champion, others), Position(plan.partition, asked.end))


def _begin(asked: BacktestJob, log: Log) -> tuple[int, list[str]]:
    """The offset of the first record, and a note where there are no earlier ones any more."""
    partition, wanted = asked.plan.partition, asked.begin
    kept = log.bounds(EXAMPLES)[partition].begin
    if kept >= asked.end:
        raise JobFailed(f"retention has removed every event of this range: the log begins at {partition}:{kept}")
    if kept <= wanted:
        return wanted, []
    gone = f"retention has removed the events from {partition}:{wanted} on"
    return kept, [f"The log begins at {partition}:{kept}: {gone}."]
