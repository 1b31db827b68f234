"""The command `evaluate`: predict and learn the examples of a file or a folder, and say how good models are."""

import argparse
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from prequel.services.cli.commands.base import CliCommand
from prequel.services.cli.commands.gateway_client import add_json_argument
from prequel.services.cli.commands.offline import add_backbone_arguments, add_source_arguments, chosen_backbone
from prequel.services.cli.exit_codes import INTERRUPTED, WRONG_USAGE

if TYPE_CHECKING:
    from rich.console import Console

    from prequel.services.offline.evaluation.command import Report
    from prequel.services.offline.evaluation.examples import Examples
    from prequel.services.offline.evaluation.result import Evaluation
    from prequel.shared.config import Settings


def _evaluate(arguments: argparse.Namespace) -> int:
    from prequel.services.extractor.backbones.base import OutOfMemory
    from prequel.services.extractor.engines.conversion import ConversionInterrupted
    from prequel.services.offline.evaluation.errors import EvaluationError, WrongOptions
    from prequel.services.producer.errors import ProducerError, Stopped, WrongUsage
    from prequel.shared.features.base import FeatureFileError
    from prequel.shared.runtime.signals import stop_on_signals

    stop = threading.Event()
    stop_on_signals(stop)
    try:
        _check_packages()
        return _run(arguments, stop)
    except (Stopped, ConversionInterrupted):
        print("stopped before the first example", file=sys.stderr)
        return INTERRUPTED
    except OutOfMemory as error:
        print(f"prequel: memory does not suffice ({error}): take a smaller --batch", file=sys.stderr)
        return 1
    except (EvaluationError, FeatureFileError, ProducerError) as error:
        print(f"prequel: {error}", file=sys.stderr)
        return WRONG_USAGE if isinstance(error, WrongOptions | WrongUsage) else 1


def _check_packages() -> None:
    """Raises EvaluationError where one is missing that is needed only after hours of work."""
    from importlib.util import find_spec

    from prequel.services.offline.evaluation.errors import EvaluationError

    for package, name in (("pyarrow", "pyarrow"), ("sklearn", "scikit-learn")):
        if find_spec(package) is None:
            raise EvaluationError(f"evaluate needs {name}: pip install 'prequel-stream[offline]'")


def _run(arguments: argparse.Namespace, stop: threading.Event) -> int:
    """Raises EvaluationError, FeatureFileError, ProducerError, ConfigError, OutOfMemory."""
    from rich.console import Console

    from prequel.services.cli import composition
    from prequel.services.learner.fold.config import fold_config
    from prequel.services.learner.models import registry
    from prequel.services.offline.evaluation.command import Output, run_evaluation
    from prequel.services.offline.evaluation.evaluator import Evaluator, Tools
    from prequel.services.offline.evaluation.options import Options

    settings = composition.load_settings(argparse.Namespace(models=arguments.models), seed=arguments.seed)
    specs = composition.check_models(settings)
    options = Options(arguments.order, settings.seed, arguments.holdout, arguments.label_delay, arguments.mini_batch)
    report = _report_writer(settings) if arguments.report else _no_report
    output = Output(Console(stderr=arguments.json), arguments.json, arguments.report, report)
    with _opened(arguments, stop, output.console) as examples:
        tools = Tools(registry, settings.cache_bytes, time.monotonic, stop)
        evaluator = Evaluator(examples, options, fold_config(settings), tools)
        with output.console.status("compiling the models"):
            composition.compile_fold(specs)
        return run_evaluation(evaluator, Path(arguments.source).name, output, time.monotonic)


@contextmanager
def _opened(arguments: argparse.Namespace, stop: threading.Event, console: "Console") -> "Iterator[Examples]":
    """The examples of a feature file, or of images whose features are extracted on the way. Raises as ``_run``."""
    from prequel.services.offline.evaluation.file_examples import FileExamples
    from prequel.services.producer.errors import WrongUsage
    from prequel.shared.features.opening import FORMATS, is_feature_file, open_features

    path = Path(arguments.source)
    if not is_feature_file(path) and (path.exists() or path.suffix.lower() not in FORMATS):
        with _images(arguments, stop, console) as examples:
            yield examples
        return
    for option in ("labels", "pooling", "precision", "batch"):
        if getattr(arguments, option) is not None:
            raise WrongUsage(f"--{option} is for images: {path} has features and labels already")
    with closing(open_features(path)) as reader:
        yield FileExamples(reader, arguments.source, arguments.backbone or "")


@contextmanager
def _images(arguments: argparse.Namespace, stop: threading.Event, console: "Console") -> "Iterator[Examples]":
    from prequel.services.cli import composition
    from prequel.services.offline.evaluation.image_examples import ImageExamples
    from prequel.services.offline.extraction.extraction import Extraction
    from prequel.services.offline.extraction.image_source import open_image_source
    from prequel.services.producer.sources.order import AS_IS

    source = open_image_source(arguments.source, labels=arguments.labels, order=AS_IS, shuffle=None, stop=stop)
    choice, settings = chosen_backbone(arguments)
    with ExitStack() as stack:
        with console.status("loading the backbone"):
            images = stack.enter_context(composition.image_backbone(choice, settings, stop))
        yield ImageExamples(source, images, Extraction(source, images, stop))


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
