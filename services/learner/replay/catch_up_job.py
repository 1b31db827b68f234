"""The job that replays a stream beside the live fold, until it has nearly met it."""

from prequel.services.learner.fold.feature_cache import FeatureCache
from prequel.services.learner.replay.beginning import begin_replay
from prequel.services.learner.replay.jobs.base import Job, JobContext, Report
from prequel.services.learner.replay.plan import ReplayPlan, plan_from
from prequel.services.learner.replay.stored_replay import encode_replay
from prequel.shared.log.base import EXAMPLES

CATCH_UP = "catch-up"
CLOSE = 500
"""Records by which a replay may be behind the log's end when it is handed over: the live fold folds them at once, in
some hundredths of a second. With ten times as many people would see it stop; with a tenth, a busy log might never be
met."""
MAX_PASSES = 20
"""How often the log's new end is run after. A replay that is not much faster than the log grows gets no nearer."""


def plan_catch_up(plan: ReplayPlan, begin: int) -> Job:
    """The job for a plan, in a log that begins at ``begin``."""
    return Job(CATCH_UP, {"plan": plan.as_json(), "begin": begin})


def catch_up(job: Job, context: JobContext, report: Report) -> bytes:
    """Replay to nearly the log's end; the result is for ``decode_replay``. Raises LogUnavailable, ConfigError."""
    plan, begin = plan_from(dict(job.arguments["plan"])), job.arguments["begin"]
    cache = FeatureCache(context.log, context.settings.cache_examples, context.settings.cache_bytes)
    end = context.log.bounds(EXAMPLES)[plan.partition].end
    replay = begin_replay(plan, context.registry, cache, begin=begin, end=end)
    for _ in range(MAX_PASSES):
        for records in cache.read_range(plan.partition, replay.position, end):
            replay.apply(records)
            report(replay.position - begin, max(1, end - begin))
        replay.position = max(replay.position, end)
        end = context.log.bounds(EXAMPLES)[plan.partition].end
        if end - replay.position <= CLOSE:
            break
    return encode_replay(replay, context.settings.snapshot_key.get_secret_value().encode())
