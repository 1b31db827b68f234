"""The entry point of `prequel`: runs one command, and turns its errors into messages and exit codes."""

import argparse
import errno
import os
import sys
from collections.abc import Sequence

from prequel.services.cli.exit_codes import BROKEN_PIPE, INTERRUPTED, WRONG_USAGE
from prequel.services.cli.parser import create_parser

CANNOT_WRITE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Errors of standard output whose file cannot grow. Log and store have errors of their own for a full disk."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code. Usage errors and wrong settings end with 2 and a message."""
    _open_standard_files()
    parsed = create_parser().parse_args(arguments)
    try:
        return _run(parsed)
    except KeyboardInterrupt:
        # A command that has work to finish handles signals itself; until it does, it only imports what it needs.
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of this output wants no more of it (`| head`). What is still buffered must not fail at exit.
        _discard_output()
        return BROKEN_PIPE
    except OSError as error:
        if error.errno not in CANNOT_WRITE:
            raise
        _discard_output()
        print(
            f"prequel: cannot write the output: {error.strerror}. Free some space, or write to another file",
            file=sys.stderr,
        )
        return 1


def _run(parsed: argparse.Namespace) -> int:
    # Imported here and not above: `prequel --version` and `--help` do not need them, and they import numpy.
    from prequel.services.cli import composition
    from prequel.shared.config import ConfigError
    from prequel.shared.log.base import LogUnavailable
    from prequel.shared.runtime.garbage_collection import collect_less_often
    from prequel.shared.store.base import Fenced, StoreUnavailable

    collect_less_often()
    try:
        composition.configure_logging()
        code = int(parsed.run(parsed))
        sys.stdout.flush()  # here, where its errors are still handled, and not at exit
        return code
    except ConfigError as error:
        print(f"prequel: {error}", file=sys.stderr)
        return WRONG_USAGE
    except (LogUnavailable, StoreUnavailable, Fenced) as error:
        print(f"prequel: {error}", file=sys.stderr)
        return 1


def _open_standard_files() -> None:
    """Open the standard files that the caller has closed (`>&-`), as cron and some supervisors do.

    Otherwise the next file that is opened gets the number of a closed one, and messages are printed into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    # For a closed file Python sets None, and printing to that fails.
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")


def _discard_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
