"""The table of commands, and the parser of the command line that is made from it."""

import argparse

from prequel import __version__
from prequel.services.cli.commands import clients, offline, operators, reextract, services, stream_changes
from prequel.services.cli.commands.backtest import BACKTEST
from prequel.services.cli.commands.base import CliCommand
from prequel.services.cli.commands.demo import DEMO
from prequel.services.cli.commands.evaluate import EVALUATE
from prequel.services.cli.commands.export import EXPORT
from prequel.services.cli.commands.predict import PREDICT

COMMANDS: tuple[CliCommand, ...] = (
    services.UP,
    DEMO,
    operators.REBUILD,
    operators.TOPICS,
    operators.PRUNE,
    operators.DOCTOR,
    services.EXTRACTOR,
    services.LEARNER,
    services.GATEWAY,
    clients.STREAM,
    clients.LABEL,
    clients.DELETE,
    clients.STATUS,
    stream_changes.STREAMS,
    stream_changes.MODELS,
    stream_changes.CLASSES,
    stream_changes.SET,
    reextract.REEXTRACT,
    stream_changes.SWITCH,
    stream_changes.HISTORY,
    stream_changes.UNDO,
    stream_changes.FORGET,
    BACKTEST,
    offline.EXTRACT,
    PREDICT,
    EVALUATE,
    EXPORT,
)
"""Every command, in the order of `prequel --help`. A new command is a file in commands/ and a row here."""

HIDDEN_COMMANDS: tuple[CliCommand, ...] = (services.RUN_JOB, services.RUN_EXPORT)
"""Commands that only Prequel itself runs: `prequel --help` does not list them."""


_SETTINGS_HELP = "Settings are environment variables PREQUEL_...; docs/configuration.md lists all of them."
"""Services such as `prequel learner` have no other options: without this line their help would not say so."""


def create_parser() -> argparse.ArgumentParser:
    """A parser whose result has the command's ``run``."""
    parser = argparse.ArgumentParser(
        prog="prequel", description="Teach a model from a live stream of images.", epilog=_SETTINGS_HELP
    )
    parser.add_argument("--version", action="version", version=f"prequel {__version__}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        _complete(command, subparsers.add_parser(command.name, help=command.help))
    for command in HIDDEN_COMMANDS:
        _complete(command, subparsers.add_parser(command.name))
    return parser


def _complete(command: CliCommand, parser: argparse.ArgumentParser) -> None:
    parser.description, parser.epilog = command.help, _SETTINGS_HELP
    command.add_arguments(parser)
    parser.set_defaults(run=command.run)
