"""The job of a back-test: replays a range of a stream with the models that are to be tried, and reports on them."""

from typing import Any, NamedTuple

from prequel.services.learner.fold.feature_cache import FeatureCache
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.publishing.stream_status import stream_detail, stream_status
from prequel.services.learner.replay.backtests.range_comparisons import RangeComparisons, range_verdicts
from prequel.services.learner.replay.beginning import begin_replay
from prequel.services.learner.replay.jobs.base import Job, JobContext, JobFailed, Report
from prequel.services.learner.replay.plan import ReplayPlan, plan_from
from prequel.shared.backtests import BacktestResult
from prequel.shared.log.base import EXAMPLES, Log, Position

KIND = "backtest"


class BacktestJob(NamedTuple):
    """``plan`` is the stream's, with the models that are tried, the champion first; ``begin`` and ``end`` are offsets.

    ``backbone`` and ``classes`` are those of the live stream, for a range that begins later than it.
    """

    plan: ReplayPlan
    begin: int
    end: int
    classes: tuple[str, ...]
    backbone: tuple[str, int]

    def as_json(self) -> dict[str, Any]:
        """As JSON holds it; ``job_from`` is the inverse."""
        return self._asdict() | {"plan": self.plan.as_json()}


def job_from(json: dict[str, Any]) -> BacktestJob:
    """The inverse of ``BacktestJob.as_json``."""
    backbone, dim = json["backbone"]
    return BacktestJob(plan_from(json["plan"]), json["begin"], json["end"], tuple(json["classes"]), (backbone, dim))


def backtest(job: Job, context: JobContext, report: Report) -> bytes:
    """A BacktestResult as JSON. Raises as a job does."""
    asked = job_from(dict(job.arguments))
    begin, notes = _begin(asked, context.log)
    plan = asked.plan
    if begin > plan.begun and not plan.decisions.ever_switched:
        # The first record that is read may be one that the stream did not take.
        plan = plan._replace(classes=asked.classes, backbone=asked.backbone)
    cache = FeatureCache(context.log, context.settings.cache_examples, context.settings.cache_bytes)
    replay = begin_replay(plan, context.registry, cache, begin=begin, end=asked.end)
    replay.comparisons = comparisons = RangeComparisons(len(plan.models or ()) - 1)
    for records in cache.read_range(plan.partition, begin, asked.end):
        replay.apply(records)
        report(replay.position - begin, asked.end - begin)
    state = replay.begun_state()
    state.decisions = plan.decisions  # What its classes are called.
    result = _result(state, comparisons, Position(plan.partition, asked.end))
    return result.model_copy(update={"begin": f"{plan.partition}:{begin}", "notes": notes}).model_dump_json().encode()


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


def _result(state: StreamState, comparisons: RangeComparisons, end: Position) -> BacktestResult:
    champion, *others = state.config.models
    status: Any = stream_status(state, end, now=0.0, snapshot=None, address=None)
    detail = stream_detail(state, end)
    return BacktestResult(
        begin="",
        end=str(end),
        images=state.images,
        labelled=state.labelled,
        champion=champion,
        models=status.models,
        verdicts=range_verdicts(comparisons, champion, others),
        label_order=status.label_order,
        curve=detail.curve,
        confusion=detail.confusion,
        reliability=detail.reliability,
        drifts=status.drifts,
    )
