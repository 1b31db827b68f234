"""The command `demo`: all services in this process, and handwritten digits streamed into them."""

import argparse
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from prequel.services.cli.commands.base import CliCommand
from prequel.services.cli.commands.services import add_service_arguments


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_service_arguments(parser)
    parser.add_argument("--exit", action="store_true", help="end when all digits are learned")
    parser.add_argument("--summary", type=Path, metavar="FILE.json", help="write the result to this file")


def _run(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from prequel.services.cli import composition
    from prequel.services.producer.commands.demo import Demo

    with TemporaryDirectory(prefix="prequel-demo-") as folder:
        settings = composition.load_settings(arguments, data=arguments.data or Path(folder))
        process = composition.start_process(settings)
        # Without a terminal nobody looks at the page, and nobody would press Ctrl-C.
        stay = sys.stdout.isatty() and not arguments.exit
        demo = Demo(Console(), stop=process.stop, clock=time.monotonic, stay=stay, summary=arguments.summary)

        def start_demo(url: str) -> None:
            demo.start(composition.connect_client(url, None, process.stop), url)

        # Both are waited for: the services first, since the demo's client ends with them.
        return max(composition.run_all(process, start_demo), demo.finish())


DEMO = CliCommand("demo", "stream handwritten digits into a model and show the page", _run, _add_arguments)
