"""`prequel.evaluate`: how good models are on features or images, by the very fold of a stream."""

import argparse
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console

from prequel.services.cli import composition
from prequel.services.learner.fold.config import fold_config
from prequel.services.learner.models import registry
from prequel.services.library.arrays import Arrays, Source, arrays_of
from prequel.services.library.images import ImageOptions, chosen_backbone
from prequel.services.library.packages import require
from prequel.services.library.stopping import stoppable
from prequel.services.offline.evaluation.array_examples import ArrayExamples
from prequel.services.offline.evaluation.command import Report, save_evaluation
from prequel.services.offline.evaluation.evaluator import Evaluator, Tools
from prequel.services.offline.evaluation.examples import Examples
from prequel.services.offline.evaluation.file_examples import FileExamples
from prequel.services.offline.evaluation.image_examples import ImageExamples
from prequel.services.offline.evaluation.options import Options
from prequel.services.offline.evaluation.result import Evaluation
from prequel.services.offline.evaluation.running import run_evaluator
from prequel.services.offline.extraction.extraction import Extraction
from prequel.services.offline.extraction.image_source import open_image_source
from prequel.services.producer.errors import WrongUsage
from prequel.services.producer.sources.order import AS_IS
from prequel.shared.features.opening import FORMATS, is_feature_file, open_features

if TYPE_CHECKING:
    from prequel.shared.config import Settings


class EvaluationRequest(NamedTuple):
    """What to evaluate, and how; None is what the settings say. ``with_report``: a report will be asked for."""

    source: str | Arrays
    models: str | None
    options: Options
    seed: int | None = None
    images: ImageOptions = ImageOptions()
    with_report: bool = False

    @property
    def name(self) -> str:
        """For the progress bar."""
        return Path(self.source).name if isinstance(self.source, str) else "arrays"


class Prepared(NamedTuple):
    """An evaluation that can be run, and what writes its report."""

    evaluator: Evaluator
    report: Report


def evaluate(
    source: Source,
    *,
    models: str | Sequence[str] | None = None,
    holdout: str | float | None = None,
    order: str | None = None,
    seed: int | None = None,
    label_delay: int = 0,
    mini_batch: int = 1,
    backbone: str | None = None,
    pooling: str | None = None,
    labels: str | None = None,
    batch: int | None = None,
    precision: str | None = None,
    report: str | Path | None = None,
    progress: bool = True,
) -> Evaluation:
    """Predict each example by what was learned from those before it, then learn it: what `prequel evaluate` does.

    ``source`` is a feature file, a folder of images, `digits`, a pair ``(X, y)`` of features [n, dim] and labels, or a
    data frame with a column of labels. ``models`` are specs, ``holdout`` a split or a share that is predicted at the
    end and never learned, ``order`` is `shuffled`, `as-is`, `by-class` or `by-time`. ``report`` is a folder for the
    report. The others are as the command has them; None is what the settings (``PREQUEL_...``) say.

    Ctrl-C, or the notebook's stop button, ends it after the batch in progress: the result is what was found until then,
    and its notes say so. Blocks. Raises PrequelError.

    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> found = prequel.evaluate((X, y), models="slda,ncm", progress=False)
    >>> found
    <Evaluation of arrays: slda 0.93..., ncm 0.88...>
    """
    request = EvaluationRequest(
        source=arrays_of(source),
        models=",".join(models) if models is not None and not isinstance(models, str) else models,
        options=Options(order, 0, None if holdout is None else str(holdout), label_delay, mini_batch),
        seed=seed,
        images=ImageOptions(backbone, pooling, batch, precision, labels),
        with_report=report is not None,
    )
    console = Console(stderr=True, quiet=not progress)
    return stoppable(lambda stop: _evaluate(request, report, console, stop))


def _evaluate(
    request: EvaluationRequest, report: str | Path | None, console: Console, stop: threading.Event
) -> Evaluation:
    directory = None if report is None else Path(report)
    with prepared(request, console, stop) as (evaluator, write_report):
        evaluation = run_evaluator(evaluator, request.name, directory, console, time.monotonic)
        if directory and not evaluator.stopped:
            save_evaluation(evaluation, directory, write_report)
    return evaluation


@contextmanager
def prepared(request: EvaluationRequest, console: Console, stop: threading.Event) -> Iterator[Prepared]:
    """Open the examples and compile the models. Blocks.

    Raises EvaluationError, FeatureFileError, ProducerError, ConfigError, OutOfMemory, MissingPackage.
    """
    require("evaluate", "pyarrow", "sklearn")
    settings = composition.load_settings(argparse.Namespace(models=request.models), seed=request.seed)
    specs = composition.check_models(settings)
    report = _report_writer(settings) if request.with_report else _no_report
    with _opened(request, console, stop) as examples:
        tools = Tools(registry, settings.cache_bytes, time.monotonic, stop)
        options = request.options._replace(seed=settings.seed)
        evaluator = Evaluator(examples, options, fold_config(settings), tools)
        with _waiting(console, "compiling the models"):
            composition.compile_fold(specs)
        yield Prepared(evaluator, report)


@contextmanager
def _opened(request: EvaluationRequest, console: Console, stop: threading.Event) -> Iterator[Examples]:
    """The examples of arrays, of a feature file, or of images whose features are extracted on the way."""
    source, images = request.source, request.images
    if isinstance(source, str) and _holds_images(Path(source)):
        with _images(source, images, console, stop) as examples:
            yield examples
        return
    for option in ("labels", "pooling", "precision", "batch"):
        if getattr(images, option) is not None:
            raise WrongUsage(f"--{option} is for images: {request.name} has features and labels already")
    if isinstance(source, Arrays):
        yield ArrayExamples(source.X, source.columns, images.backbone or "")
        return
    with closing(open_features(Path(source))) as reader:
        yield FileExamples(reader, source, images.backbone or "")


def _holds_images(path: Path) -> bool:
    return not is_feature_file(path) and (path.exists() or path.suffix.lower() not in FORMATS)


@contextmanager
def _images(name: str, options: ImageOptions, console: Console, stop: threading.Event) -> Iterator[Examples]:
    source = open_image_source(name, labels=options.labels, order=AS_IS, shuffle=None, stop=stop)
    choice, settings = chosen_backbone(options)
    with ExitStack() as stack:
        with _waiting(console, "loading the backbone"):
            images = stack.enter_context(composition.image_backbone(choice, settings, stop))
        yield ImageExamples(source, images, Extraction(source, images, stop))


def _report_writer(settings: "Settings") -> Report:
    """Writes the report. Imports all that needs before hours of work, not after. Raises MissingPackage."""
    require("a report", "jinja2")
    from prequel.services.offline.report.pictures import SourcePictures
    from prequel.services.offline.report.writing import write_report
    from prequel.shared.images.limits import ImageLimits

    def write(evaluation: Evaluation, directory: Path) -> Path:
        limits = ImageLimits(settings.max_image_bytes, settings.max_pixels)
        with closing(SourcePictures(evaluation.folder, limits)) as pictures:
            (page, *_) = write_report(evaluation, directory, pictures)
        return page

    return write


def _no_report(evaluation: Evaluation, directory: Path) -> Path:
    return directory


def _waiting(console: Console, text: str) -> AbstractContextManager[object]:
    """Shows what is waited for, on a terminal: in a notebook rich needs packages for it that few have."""
    return nullcontext() if console.is_jupyter or console.quiet else console.status(text)
