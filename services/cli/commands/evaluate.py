"""The command `evaluate`: predict and learn the examples of a file or a folder, and say how good models are."""

import argparse
import threading
import time
from functools import partial
from pathlib import Path

from prequel.services.cli.commands.base import CliCommand
from prequel.services.cli.commands.gateway_client import add_json_argument
from prequel.services.cli.commands.offline import add_backbone_arguments, add_source_arguments, image_options
from prequel.services.cli.commands.without_log import run_without_log


def _evaluate(arguments: argparse.Namespace) -> int:
    return run_without_log(partial(_run, arguments), stopped="stopped before the first example")


def _run(arguments: argparse.Namespace, stop: threading.Event) -> int:
    from rich.console import Console

    from prequel.services.library.packages import require

    require("evaluate", "pyarrow", "sklearn")
    from prequel.services.library.evaluation import EvaluationRequest, prepared
    from prequel.services.offline.evaluation.command import Output, run_evaluation
    from prequel.services.offline.evaluation.options import Options

    console = Console(stderr=arguments.json)
    options = Options(arguments.order, 0, arguments.holdout, arguments.label_delay, arguments.mini_batch)
    request = EvaluationRequest(
        source=arguments.source,
        models=arguments.models,
        options=options,
        seed=arguments.seed,
        images=image_options(arguments),
        with_report=arguments.report is not None,
    )
    with prepared(request, console, stop) as (evaluator, report):
        output = Output(console, arguments.json, arguments.report, report)
        return run_evaluation(evaluator, request.name, output, time.monotonic)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="FEATURES|SOURCE", help="a file of features, a folder of images, or digits")
    parser.add_argument("--models", metavar="SPEC,...", help="what is evaluated; default: the models of the settings")
    add_backbone_arguments(parser)
    add_source_arguments(parser)
    parser.add_argument("--holdout", metavar="SPLIT|SHARE", help="predict these, or this share, and never learn them")
    parser.add_argument("--order", metavar="O", help="shuffled, as-is, by-class or by-time; default: what suits them")
    parser.add_argument("--seed", type=int, metavar="N", help="of the shuffle, of what is held out, and of the models")
    parser.add_argument(
        "--label-delay", type=int, default=0, metavar="N", help="labels come N further examples after theirs (0)"
    )
    parser.add_argument(
        "--mini-batch", type=int, default=1, metavar="N", help="predict N examples, then learn their N labels (1)"
    )
    parser.add_argument("--report", type=Path, metavar="DIR", help="save everything, as HTML, JSON and CSV")
    add_json_argument(parser)


EVALUATE = CliCommand("evaluate", "say how good models are on features or images", _evaluate, _add_arguments)
