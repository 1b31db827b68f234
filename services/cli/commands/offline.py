"""The commands that work on files, without a log: `extract`."""

import argparse
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from prequel.services.cli.commands.base import CliCommand
from prequel.services.cli.exit_codes import INTERRUPTED, WRONG_USAGE

if TYPE_CHECKING:
    from prequel.services.extractor.backbones.base import Choice
    from prequel.shared.config import Settings


def add_backbone_arguments(parser: argparse.ArgumentParser) -> None:
    """How images become features; ``chosen_backbone`` reads them."""
    parser.add_argument("--backbone", metavar="B", help="a backbone: compact, resnet50, mobilenetv2-multi or another")
    parser.add_argument(
        "--pooling", metavar="P", help="how feature maps become vectors: avg, max, none (flattened), multi or layers"
    )
    parser.add_argument("--batch", type=int, metavar="N", help="images in one inference (32)")
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16"), help="arithmetic of the backbone")


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    """Where labels come from, and the order of the images, as `stream` has them."""
    parser.add_argument(
        "--labels",
        metavar="folder|filename|csv:FILE[#COLUMN]|none",
        help="where labels come from; default: folder if the images lie in folders, else none",
    )


def chosen_backbone(arguments: argparse.Namespace) -> "tuple[Choice, Settings]":
    """The backbone that the arguments ask for, else the settings' own. Raises ConfigError."""
    from prequel.services.cli import composition
    from prequel.services.extractor.backbones.registry import choose
    from prequel.shared.config import ConfigError

    spec, pooling = arguments.backbone or "", arguments.pooling
    plain = "-" not in spec
    if pooling and not plain:
        raise ConfigError(f"--pooling {pooling} and --backbone {spec}: give the pooling in one place")
    arguments.backbone = spec if plain and spec else None
    settings = composition.load_settings(
        arguments, pooling=pooling, batch=arguments.batch, precision=arguments.precision
    )
    # A pooling from the environment is that of the services' backbone, one from the command line is for this one.
    return choose("" if pooling else spec, settings), settings


def _extract(arguments: argparse.Namespace) -> int:
    from prequel.services.extractor.backbones.base import OutOfMemory
    from prequel.services.extractor.engines.conversion import ConversionInterrupted
    from prequel.services.producer.errors import ProducerError, Stopped, WrongUsage
    from prequel.shared.features.base import FeatureFileError
    from prequel.shared.runtime.signals import stop_on_signals

    stop = threading.Event()
    stop_on_signals(stop)
    try:
        return _extract_to_file(arguments, stop)
    except (Stopped, ConversionInterrupted):
        print("stopped: give the same command again", file=sys.stderr)
        return INTERRUPTED
    except (ProducerError, FeatureFileError) as error:
        print(f"prequel: {error}", file=sys.stderr)
        return WRONG_USAGE if isinstance(error, WrongUsage) else 1
    except OutOfMemory as error:
        print(
            f"prequel: memory does not suffice ({error}): give the command again with a smaller --batch",
            file=sys.stderr,
        )
        return 1


def _extract_to_file(arguments: argparse.Namespace, stop: threading.Event) -> int:
    from rich.console import Console

    from prequel.services.cli import composition
    from prequel.services.producer.report import print_lines
    from prequel.shared.config import ConfigError

    try:
        from prequel.services.offline.extraction import file_extraction, report
        from prequel.services.offline.extraction.image_source import open_image_source
        from prequel.shared.features.opening import check_extension
    except ImportError as error:
        raise ConfigError(f"extract needs {error.name}: pip install 'prequel-stream[offline]'") from error

    path, console = arguments.out, Console()
    check_extension(path)
    source = open_image_source(
        arguments.source, labels=arguments.labels, order=arguments.order, shuffle=arguments.shuffle, stop=stop
    )
    choice, settings = chosen_backbone(arguments)
    if not arguments.force and (finished := file_extraction.finished_before(path, source, choice)):
        print_lines(console, finished)
        return 0
    print_lines(console, source.order_line)
    with composition.image_backbone(choice, settings, stop) as images:
        result = file_extraction.extract_to_file(
            source, images, path, replace=arguments.force, console=console, stop=stop, clock=time.monotonic
        )
    print_lines(console, *report.extraction_lines(result, source))
    return report.exit_code(result)


def _add_extract_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="a folder, an image, or: digits")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="features.parquet, .npz or .csv")
    add_backbone_arguments(parser)
    add_source_arguments(parser)
    parser.add_argument(
        "--order",
        choices=("as-is", "name", "time", "shuffle"),
        help="the order of the images; default: shuffle for folders of classes, else as-is",
    )
    parser.add_argument("--shuffle", type=int, metavar="SEED", help="shuffle with this seed instead of 0")
    parser.add_argument("--force", action="store_true", help="replace a file that is there already")


EXTRACT = CliCommand("extract", "extract the features of images into a file", _extract, _add_extract_arguments)
