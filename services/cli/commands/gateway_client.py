"""What commands that call a gateway share: their arguments, the client, and the question before a change."""

import argparse
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

from prequel.services.cli.exit_codes import INTERRUPTED, WRONG_USAGE
from prequel.shared.invocation import DEFAULT_URL

if TYPE_CHECKING:
    from rich.console import Console

    from prequel.services.producer.client import Client
    from prequel.services.producer.confirmation import Confirmation
    from prequel.services.producer.stream_changes import StreamChanges

Call = Callable[["Client", "Console", threading.Event], int]
"""What a command does with a client, until the event is set; the exit code."""


def add_gateway_arguments(parser: argparse.ArgumentParser) -> None:
    """``--url`` and ``--api-key``, which ``run_with_client`` reads."""
    parser.add_argument("--url", default=DEFAULT_URL, help=f"the gateway's address ({DEFAULT_URL})")
    parser.add_argument("--api-key", help="one of the gateway's keys; default: the first of PREQUEL_API_KEYS")


def add_confirmation_argument(parser: argparse.ArgumentParser) -> None:
    """``--yes``, which ``confirmation`` reads."""
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")


def add_change_arguments(parser: argparse.ArgumentParser) -> None:
    """``--yes``, ``--by``, ``--url`` and ``--api-key``, which ``stream_changes`` and ``run_with_client`` read."""
    add_confirmation_argument(parser)
    parser.add_argument("--by", default="prequel", metavar="NAME", help="who makes the change (prequel)")
    add_gateway_arguments(parser)


def add_json_argument(parser: argparse.ArgumentParser) -> None:
    """``--json``."""
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def run_with_client(arguments: argparse.Namespace, call: Call) -> int:
    """``call`` with a client of the gateway; the exit code. A ProducerError becomes a message on stderr."""
    from rich.console import Console

    from prequel.services.cli import composition
    from prequel.services.producer.errors import ProducerError, WrongUsage
    from prequel.shared.runtime.signals import stop_on_signals

    stop = threading.Event()
    stop_on_signals(stop)
    try:
        with closing(composition.connect_client(arguments.url, arguments.api_key, stop)) as client:
            return call(client, Console(), stop)
    except ProducerError as error:
        print(f"prequel: {error}", file=sys.stderr)
        return WRONG_USAGE if isinstance(error, WrongUsage) else 1


def stream_changes(arguments: argparse.Namespace, client: "Client", console: "Console") -> "StreamChanges":
    """What changes the stream that the arguments name."""
    from prequel.services.cli import composition
    from prequel.services.producer.stream_changes import StreamChanges

    return StreamChanges(
        client=client,
        stream=arguments.stream,
        console=console,
        confirmation=confirmation(arguments, console),
        new_id=composition.new_id,
        by=arguments.by,
    )


def confirmation(arguments: argparse.Namespace, console: "Console") -> "Confirmation":
    """Asks the user for confirmation, if both input and output are a terminal."""
    from prequel.services.producer.confirmation import Confirmation
    from prequel.shared.runtime.signals import ending_signals

    def ask(question: str) -> str:
        try:
            with ending_signals():
                return input(question)
        except EOFError:
            print()
            return ""
        except KeyboardInterrupt:
            print()
            raise SystemExit(INTERRUPTED) from None

    return Confirmation(console, ask if sys.stdin.isatty() and sys.stdout.isatty() else None, yes=arguments.yes)
