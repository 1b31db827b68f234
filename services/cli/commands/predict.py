"""The command `predict`: what a model that left a stream answers, without a gateway."""

import argparse
import sys
import threading
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from prequel.services.cli.commands.base import CliCommand
from prequel.services.cli.commands.gateway_client import add_json_argument
from prequel.services.cli.commands.without_log import run_without_log

if TYPE_CHECKING:
    from prequel.services.offline.extraction.image_backbone import ImageBackbone


def _predict(arguments: argparse.Namespace) -> int:
    return run_without_log(partial(_run, arguments))


def _run(arguments: argparse.Namespace, stop: threading.Event) -> int:
    from rich.console import Console

    from prequel.services.cli import composition
    from prequel.services.extractor.backbones.registry import choose
    from prequel.services.offline.prediction.command import predict

    settings = composition.load_settings(arguments, batch=arguments.batch, precision=arguments.precision)

    def open_backbone(id: str) -> "AbstractContextManager[ImageBackbone]":
        return composition.image_backbone(choose(id, settings), settings, stop)

    return predict(
        arguments.model_file,
        arguments.input,
        open_backbone=open_backbone,
        as_json=arguments.json,
        console=Console(),
        warn=lambda text: print(f"prequel: {text}", file=sys.stderr),
        stop=stop,
    )


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model_file", metavar="MODEL", type=Path, help="the .npz file of prequel export S --what model")
    parser.add_argument(
        "input", nargs="+", metavar="IMAGE|FEATURES", help="images, folders of them, or a file of prequel extract"
    )
    add_json_argument(parser)
    parser.add_argument("--batch", type=int, metavar="N", help="images in one inference (32)")
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16"), help="arithmetic of the backbone")


PREDICT = CliCommand("predict", "predict images or features with a model that left a stream", _predict, _add_arguments)
