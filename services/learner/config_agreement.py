"""Which process's settings a partition is folded with: those in the log, of the process that started last."""

import logging

from prequel.services.learner.context import LearnerContext
from prequel.services.learner.owned_partition import OwnedPartition

logger = logging.getLogger(__name__)


def agree_on_config(context: LearnerContext, partition: OwnedPartition) -> bool:
    """Have the fold use this process's settings from here on, unless a process that started later wrote others.

    Called whenever the fold's settings may have changed; returns whether they have since the last call. So two learners
    with different settings write one record each, and do not overrule each other for ever. Blocks; raises
    LogUnavailable.
    """
    current = partition.fold.history.current
    if current == partition.checked_config:
        return False
    if current.config != context.config and overrules(context.started, current.started, context.clock()):
        context.log.append([context.config_record(partition.number)])
        logger.info("examples:%d: the settings change from here on; what was learned stays", partition.number)
    elif current.config != context.config:
        logger.warning(
            "examples:%d is folded with the settings of a learner that started after this one, not with this one's:"
            " %s. Restart this one if its own are right",
            partition.number,
            current.config.as_settings(),
        )
    partition.checked_config = current
    return True


def overrules(started: float, other_started: float, now: float) -> bool:
    """Whether the settings of a process overrule those of another one: it started later.

    A start in the future is a clock's that was wrong: it must not overrule everybody else until then.
    """
    return started > other_started or other_started > now
