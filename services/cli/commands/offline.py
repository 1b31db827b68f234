"""The commands that work on files, without a log: `extract`."""

import argparse
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from prequel.services.cli.commands.base import CliCommand
from prequel.services.cli.commands.without_log import run_without_log

if TYPE_CHECKING:
    from prequel.services.library.images import ImageOptions


def add_backbone_arguments(parser: argparse.ArgumentParser) -> None:
    """How images become features; ``image_options`` reads them."""
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


def image_options(arguments: argparse.Namespace) -> "ImageOptions":
    """What the arguments say of the backbone and the labels."""
    from prequel.services.library.images import ImageOptions

    return ImageOptions(*(getattr(arguments, name) for name in ImageOptions._fields))


def _extract(arguments: argparse.Namespace) -> int:
    return run_without_log(partial(_extract_to_file, arguments), stopped="stopped: give the same command again")


def _extract_to_file(arguments: argparse.Namespace, stop: threading.Event) -> int:
    from rich.console import Console

    from prequel.services.library.packages import require

    require("extract", "pyarrow")
    from prequel.services.library.extraction import ExtractionRequest, run_extraction
    from prequel.services.offline.extraction.report import exit_code, extraction_lines
    from prequel.services.producer.report import print_lines

    console = Console()
    request = ExtractionRequest(
        source=arguments.source,
        out=arguments.out,
        images=image_options(arguments),
        order=arguments.order,
        shuffle=arguments.shuffle,
        force=arguments.force,
    )
    result = run_extraction(request, console, stop, say_order=True)
    print_lines(console, *extraction_lines(result))
    return exit_code(result)


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
