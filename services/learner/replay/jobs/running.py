"""Runs a job's function, and makes one sentence of whatever it raises."""

import logging
from collections.abc import Mapping

from prequel.services.learner.models.spec import UnknownModel
from prequel.services.learner.replay.jobs.base import Job, JobContext, JobFailed, JobFunction, Report
from prequel.shared.config import ConfigError
from prequel.shared.log.base import LogUnavailable
from prequel.shared.store.base import StoreUnavailable

logger = logging.getLogger(__name__)


def run_job(kinds: Mapping[str, JobFunction], job: Job, context: JobContext, report: Report) -> bytes:
    """The job's result. Raises JobFailed and nothing else."""
    if job.kind not in kinds:
        raise JobFailed(f"this Prequel has no job {job.kind!r}, only {', '.join(kinds)}: run one version everywhere")
    try:
        return kinds[job.kind](job, context, report)
    except JobFailed:
        raise
    except LogUnavailable as error:
        raise JobFailed(f"the log could not be read: {error}") from error
    except StoreUnavailable as error:
        raise JobFailed(f"the store could not be reached: {error}") from error
    except (ConfigError, UnknownModel) as error:
        raise JobFailed(str(error)) from error
    except MemoryError as error:
        raise JobFailed("the job needed more memory than there is") from error
    except Exception as error:
        logger.exception("job %s failed", job.kind)
        raise JobFailed(f"a bug; the learner's log has the traceback ({error!r})") from error
