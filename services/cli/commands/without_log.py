"""Runs a command that works without a log: Ctrl-C ends it, and its errors become messages and exit codes."""

import sys
import threading
from collections.abc import Callable

from prequel.services.cli.exit_codes import INTERRUPTED, WRONG_USAGE

Work = Callable[[threading.Event], int]
"""Does it until the event is set; the exit code."""


def run_without_log(work: Work, *, stopped: str = "") -> int:
    """The exit code of ``work``; ``stopped`` is said where Ctrl-C ends it before it has anything to say itself."""
    from prequel.services.extractor.backbones.base import OutOfMemory
    from prequel.services.extractor.engines.conversion import ConversionInterrupted
    from prequel.services.library.packages import MissingPackage
    from prequel.services.offline.evaluation.errors import EvaluationError, WrongOptions
    from prequel.services.producer.errors import ProducerError, Stopped, WrongUsage
    from prequel.shared.features.base import FeatureFileError
    from prequel.shared.runtime.signals import stop_on_signals

    stop = threading.Event()
    stop_on_signals(stop)
    try:
        return work(stop)
    except (Stopped, ConversionInterrupted):
        return _say(stopped, INTERRUPTED)
    except OutOfMemory as error:
        return _say(f"prequel: memory does not suffice ({error}): give the command again with a smaller --batch", 1)
    except (MissingPackage, WrongOptions, WrongUsage) as error:
        return _say(f"prequel: {error}", WRONG_USAGE)
    except (EvaluationError, FeatureFileError, ProducerError) as error:
        return _say(f"prequel: {error}", 1)


def _say(text: str, code: int) -> int:
    if text:
        print(text, file=sys.stderr)
    return code
