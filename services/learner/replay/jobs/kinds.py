"""The table of jobs: what each kind does."""

from collections.abc import Mapping

from prequel.services.learner.replay.backtests.job import KIND
from prequel.services.learner.replay.backtests.replaying import backtest
from prequel.services.learner.replay.catch_up_job import CATCH_UP, catch_up
from prequel.services.learner.replay.jobs.base import JobFunction

KINDS: Mapping[str, JobFunction] = {CATCH_UP: catch_up, KIND: backtest}
"""A new kind is a function and a row here. It runs in a process of its own, with log and store opened there."""
