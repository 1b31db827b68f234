"""The command `evaluate`: predict and learn the examples of a file or a folder, and say how good models are."""

import argparse
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from prequel.services.cli.commands.base import CliCommand
from prequel.services.cli.commands.gateway_client import add_json_argument
from prequel.services.cli.exit_codes import WRONG_USAGE

if TYPE_CHECKING:
    from prequel.services.offline.evaluation.command import Report
    from prequel.services.offline.evaluation.examples import Examples
    from prequel.services.offline.evaluation.result import Evaluation
    from prequel.shared.config import Settings


def _evaluate(arguments: argparse.Namespace) -> int:
    from prequel.services.offline.evaluation.errors import EvaluationError, WrongOptions
    from prequel.services.producer.errors import ProducerError, WrongUsage
    from prequel.shared.features.base import FeatureFileError
    from prequel.shared.runtime.signals import stop_on_signals

    stop = threading.Event()
    stop_on_signals(stop)
    try:
        return _run(arguments, stop)
    except (EvaluationError, FeatureFileError, ProducerError) as error:
        print(f"prequel: {error}", file=sys.stderr)
        return WRONG_USAGE if isinstance(error, WrongOptions | WrongUsage) else 1


def _run(arguments: argparse.Namespace, stop: threading.Event) -> int:
    """Raises EvaluationError, FeatureFileError, ProducerError, ConfigError."""
    from rich.console import Console

    from prequel.services.cli import composition
    from prequel.services.learner.fold.config import fold_config
    from prequel.services.learner.models import registry
    from prequel.services.offline.evaluation.command import Output, run_evaluation
    from prequel.services.offline.evaluation.evaluator import Evaluator, Tools
    from prequel.services.offline.evaluation.options import Options

    settings = composition.load_settings(arguments, seed=arguments.seed)
    console = Console(stderr=arguments.json)
    specs = composition.check_models(settings)
    options = Options(arguments.order, settings.seed, arguments.holdout, arguments.label_delay, arguments.mini_batch)
    with closing(_examples(arguments)) as examples:
        tools = Tools(registry, settings.cache_bytes, time.monotonic, stop)
        evaluator = Evaluator(examples, options, fold_config(settings), tools)
        with console.status("compiling the models"):
            composition.compile_fold(specs)
        report = _report_writer(settings) if arguments.report else _no_report
        output = Output(console, arguments.json, arguments.report, report)
        return run_evaluation(evaluator, arguments.source, output, time.monotonic)


def _examples(arguments: argparse.Namespace) -> "Examples":
    from prequel.services.offline.evaluation.file_examples import FileExamples
    from prequel.services.producer.errors import WrongUsage
    from prequel.shared.features.opening import open_features

    if arguments.labels:
        raise WrongUsage("--labels is for images: the rows of a feature file have their labels already")
    return FileExamples(open_features(Path(arguments.source)), arguments.source, arguments.backbone or "")


def _report_writer(settings: "Settings") -> "Report":
    """Writes the report. Imports all that needs before hours of work, not after. Raises EvaluationError."""
    from prequel.services.offline.evaluation.errors import EvaluationError

    try:
        from prequel.services.offline.report.pictures import SourcePictures
        from prequel.services.offline.report.writing import write_report
        from prequel.shared.images.limits import ImageLimits
    except ImportError as error:
        raise EvaluationError(f"--report needs {error.name}: pip install 'prequel-stream[offline]'") from error

    def write(evaluation: "Evaluation", directory: Path) -> Path:
        limits = ImageLimits(settings.max_image_bytes, settings.max_pixels)
        with closing(SourcePictures(evaluation.folder, limits)) as pictures:
            (page, *_) = write_report(evaluation, directory, pictures)
        return page

    return write


def _no_report(evaluation: "Evaluation", directory: Path) -> Path:
    return directory


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="FEATURES|SOURCE", help="a file of features, a folder of images, or digits")
    parser.add_argument("--models", metavar="SPEC,...", help="what is evaluated; default: the models of the settings")
    parser.add_argument("--backbone", metavar="B", help="what makes features of images; of a file: what it must be of")
    parser.add_argument("--labels", metavar="RULE", help="of images: folder, filename, csv:FILE or none")
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
