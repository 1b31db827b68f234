"""The command `reextract`: features of a stream's stored images through another backbone, and the switch to it."""

import argparse
import os
import sys
import threading
import time
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING

from prequel.services.cli.commands.base import CliCommand, add_data_argument
from prequel.services.cli.commands.gateway_client import add_change_arguments, stream_changes
from prequel.services.cli.exit_codes import INTERRUPTED, WRONG_USAGE

if TYPE_CHECKING:
    from prequel.services.cli.extractor_progress import ExtractorProgress
    from prequel.services.cli.reextract import ReextractedStream


def _reextract(arguments: argparse.Namespace) -> int:
    from prequel.services.cli.reextract import NICENESS, CannotReextract
    from prequel.services.extractor.engines.conversion import ConversionInterrupted
    from prequel.services.extractor.reextraction.reextraction import Interrupted
    from prequel.services.producer.errors import ProducerError, WrongUsage
    from prequel.shared.runtime.signals import stop_on_signals

    os.nice(NICENESS)
    stop = threading.Event()
    stop_on_signals(stop)
    try:
        return _run(arguments, stop)
    except (CannotReextract, ProducerError) as error:
        print(f"prequel: {error}", file=sys.stderr)
        return WRONG_USAGE if isinstance(error, WrongUsage) else 1
    except (Interrupted, ConversionInterrupted):
        print("interrupted: give the command again, and it goes on from here")
        return INTERRUPTED


def _run(arguments: argparse.Namespace, stop: threading.Event) -> int:
    """Raises CannotReextract, Interrupted, ConversionInterrupted, ConfigError, LogUnavailable, StoreUnavailable."""
    from rich.console import Console

    from prequel.services.cli import composition
    from prequel.services.cli.extractor_progress import ExtractorProgress
    from prequel.services.cli.reextract import ReextractedStream, own_backbone
    from prequel.services.extractor.backbones.registry import choose
    from prequel.shared.retention.pruning import ReplayableLog
    from prequel.shared.runtime.backends import open_log, open_store

    spec = arguments.backbone
    arguments.backbone = None  # The default backbone stays the services': its pooling and size are not for this one.
    settings = composition.load_settings(arguments)
    choice = choose(spec, settings)
    log, store = open_log(settings, create=False), open_store(settings, create=False)
    # The embedded log removes no image meanwhile; Kafka's brokers prune as their topics say.
    no_pruning = log.replay_lock() if isinstance(log, ReplayableLog) else nullcontext()
    with closing(log), closing(store), no_pruning:
        own = own_backbone(store, arguments.stream)
        with composition.one_backbone(choice, settings, store, stop) as (extractor, backbone):
            work = ReextractedStream(
                log, arguments.stream, backbone, extractor, own=own, batch=settings.batch, console=Console(), stop=stop
            )
            if arguments.switch and not work.is_own:
                progress = ExtractorProgress(log, f"{settings.group}-extractor")
                return _extract_and_switch(arguments, work, progress, stop)
            work.extract(time.monotonic)
            work.say_what_next()
            return 0


def _extract_and_switch(
    arguments: argparse.Namespace,
    work: "ReextractedStream",
    extractors: "ExtractorProgress",
    stop: threading.Event,
) -> int:
    from rich.console import Console

    from prequel.services.cli import composition
    from prequel.services.cli.switch_over import SwitchOver

    with closing(composition.connect_client(arguments.url, arguments.api_key, stop)) as client:
        client.check()  # Before hours of work, not after them.
        changes = stream_changes(arguments, client, Console())
        return SwitchOver(changes, work, extractors, stop=stop, clock=time.monotonic).run()


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stream", help="name of the stream")
    parser.add_argument("--backbone", required=True, metavar="B", help="a backbone, as in mobilenetv2 or compact-multi")
    parser.add_argument("--switch", action="store_true", help="let the stream learn from it when all are extracted")
    add_data_argument(parser)
    add_change_arguments(parser)


REEXTRACT = CliCommand(
    "reextract", "extract a stream's stored images through another backbone", _reextract, _add_arguments
)
