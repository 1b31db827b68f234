"""The commands on a log and its store, for operators: `rebuild`, `topics`, `prune`, `doctor`."""

import argparse
import os
import sys
import threading
import time
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING

from prequel.services.cli.commands.base import CliCommand, add_data_argument
from prequel.services.cli.exit_codes import INTERRUPTED

if TYPE_CHECKING:
    from prequel.shared.config import Settings
    from prequel.shared.log.base import Log


def _rebuild(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from prequel.services.cli import composition
    from prequel.services.cli.rebuild import rebuild
    from prequel.services.learner.models import registry
    from prequel.services.learner.replay.rebuild import Rebuild
    from prequel.shared.retention.pruning import ReplayableLog
    from prequel.shared.runtime.backends import open_log, open_store
    from prequel.shared.runtime.signals import stop_on_signals

    settings = composition.load_settings(arguments)
    composition.check_models(settings)
    stop = threading.Event()
    stop_on_signals(stop)
    # Without a log there is nothing to rebuild from, so none is created: a mistyped folder must not become one. A lost
    # store is created again, but not by --verify: an empty log equals an empty store, and that would pass for success.
    log, store = open_log(settings, create=False), open_store(settings, create=not arguments.verify)
    # The embedded log removes nothing while it is replayed; Kafka's brokers prune as their topics say.
    no_pruning = log.replay_lock() if isinstance(log, ReplayableLog) else nullcontext()
    with closing(log), closing(store), no_pruning:
        return rebuild(
            Console(),
            lambda advance: Rebuild(
                settings, log=log, store=store, registry=registry, advance=advance, stop=stop, now=time.time()
            ),
            verify=arguments.verify,
            threads=os.cpu_count() or 1,
            owner=composition.new_id(),
        )


def _add_rebuild_arguments(parser: argparse.ArgumentParser) -> None:
    add_data_argument(parser)
    parser.add_argument("--verify", action="store_true", help="only compare with the stored snapshots")


def _topics(arguments: argparse.Namespace) -> int:
    from prequel.services.cli import composition
    from prequel.shared import topics
    from prequel.shared.runtime.backends import open_log

    settings = composition.load_settings(arguments)
    with closing(open_log(settings)) as log:
        if not isinstance(log, topics.Cluster):
            print(f"{settings.log_url} is the embedded log: its topics need no set-up")
            return 0
        for created in [] if arguments.check else topics.create(log, settings):
            print(f"created topic {settings.kafka_topic_prefix}{created}")
        problems = [str(mismatch) for mismatch in topics.check(log, settings)] + _check_retention(log, settings)
    for problem in problems:
        print(problem, file=sys.stderr)
    print("all topics are configured as they should be" if not problems else f"{len(problems)} problems with topics")
    return int(bool(problems))


def _check_retention(log: "Log", settings: "Settings") -> list[str]:
    """Print remarks on the topics' retention, and return its problems.

    Only the store knows how far back the streams' windows reach: while it is unavailable, that is not checked.
    """
    from prequel.shared import topics
    from prequel.shared.log.kafka.retention_check import check_retention
    from prequel.shared.runtime.backends import open_store
    from prequel.shared.store.base import StoreUnavailable

    assert isinstance(log, topics.Cluster)
    with closing(open_store(settings)) as store:
        try:
            report = check_retention(log, log, store, settings=settings, now=time.time())
        except StoreUnavailable as error:
            print(f"not checked: whether topics are kept for as long as the streams' windows need them: {error}")
            return []
    for remark in report.remarks:
        print(remark)
    return [str(problem) for problem in report.too_short]


def _add_topics_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check", action="store_true", help="create nothing, only check")


def _prune(arguments: argparse.Namespace) -> int:
    from prequel.services.cli import composition
    from prequel.services.cli.prune import prune
    from prequel.shared.runtime.backends import open_log, open_store
    from prequel.shared.runtime.signals import stop_on_signals

    settings, stop = composition.load_settings(arguments), threading.Event()
    stop_on_signals(stop)
    with closing(open_log(settings, create=False)) as log, closing(open_store(settings, create=False)) as store:
        for line in prune(log, store, settings, stop, clock=time.time):
            print(line, flush=True)
    return INTERRUPTED if stop.is_set() else 0


def _doctor(arguments: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.text import Text

    from prequel.services.cli import composition
    from prequel.shared.doctor import examine
    from prequel.shared.runtime.backends import open_log, open_store

    settings, console = composition.load_settings(arguments), Console()
    problems = 0
    with closing(open_log(settings, create=False)) as log, closing(open_store(settings, create=False)) as store:
        for finding in examine(settings, log, store, time.time()):
            problems += not finding.ok
            # Texts, not strings: rich would take a [bold] in a folder's name for markup.
            sign = Text("ok", "green") if finding.ok else Text("problem", "red")
            console.print(sign, Text(f"{finding.subject}: {finding.found}"), soft_wrap=True)
            if not finding.ok:
                console.print(Text(f"   {finding.remedy}"), soft_wrap=True)
    return int(problems > 0)


REBUILD = CliCommand("rebuild", "replay the log from its start into new snapshots", _rebuild, _add_rebuild_arguments)
TOPICS = CliCommand(
    "topics", "create the topics on Kafka and check their configuration", _topics, _add_topics_arguments
)
PRUNE = CliCommand("prune", "remove now what retention allows, and return its disk space", _prune, add_data_argument)
DOCTOR = CliCommand(
    "doctor", "check log, store, clock, disk, GPU and keys, and say what to do", _doctor, add_data_argument
)
