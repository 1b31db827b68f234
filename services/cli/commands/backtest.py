"""The command `backtest`: try models on the past of a stream."""

import argparse

from prequel.services.cli.commands.base import CliCommand
from prequel.services.cli.commands.gateway_client import add_gateway_arguments, add_json_argument, run_with_client


def _run(arguments: argparse.Namespace) -> int:
    from prequel.services.cli import composition
    from prequel.services.producer.commands.backtest import BacktestOptions, run_backtest

    options = BacktestOptions(
        arguments.models, arguments.since, arguments.last, arguments.json, backbone=arguments.backbone
    )
    return run_with_client(
        arguments,
        lambda client, console, stop: run_backtest(
            client, arguments.stream, options, id=composition.new_id(), console=console, stop=stop
        ),
    )


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stream", help="name of the stream")
    parser.add_argument("--models", metavar="SPEC,...", help="what to try beside the champion")
    parser.add_argument(
        "--backbone",
        metavar="B",
        help="try them, or the champion's spec, on features that `prequel reextract` has made",
    )
    parser.add_argument("--since", metavar="P", help="begin at this position of the log; default: the whole stream")
    parser.add_argument("--last", type=int, metavar="N", help="only the newest N examples")
    add_json_argument(parser)
    add_gateway_arguments(parser)


BACKTEST = CliCommand("backtest", "try models on the past of a stream", _run, _add_arguments)
