"""The command `export`: what a stream has learned from goes where the user wants it."""

import argparse
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from prequel.services.cli.commands.base import CliCommand
from prequel.services.cli.commands.gateway_client import add_gateway_arguments, run_with_client

if TYPE_CHECKING:
    from rich.console import Console

    from prequel.services.producer.client import Client

WHAT = ("labels", "predictions", "features", "images", "model")
FORMATS = ("csv", "ndjson", "parquet", "zip", "tar", "npz", "onnx", "keras")


def _export(arguments: argparse.Namespace) -> int:
    if arguments.what == "model":
        return _export_model(arguments)
    from prequel.services.producer.commands.export import Wanted, export_stream

    wanted = Wanted(arguments.stream, arguments.what, arguments.format, arguments.out, arguments.force)
    return run_with_client(
        arguments, lambda client, console, stop: export_stream(client, wanted, console=console, stop=stop)
    )


def _export_model(arguments: argparse.Namespace) -> int:
    from prequel.services.cli import composition
    from prequel.services.producer.commands.export_model import WantedModel, export_model

    settings, spec = composition.load_settings(arguments), arguments.model or ""
    wanted = WantedModel(arguments.stream, spec, arguments.format, arguments.out, arguments.force)

    def run(client: "Client", console: "Console", stop: threading.Event) -> int:
        convert = composition.model_converter(settings, stop)
        return export_model(client, wanted, convert=convert, console=console)

    return run_with_client(arguments, run)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stream", help="name of the stream")
    parser.add_argument("--what", choices=WHAT, required=True, help="what to export")
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="default: by the name of --out, else csv; features: parquet; images: a folder; model: npz",
    )
    parser.add_argument("--model", metavar="SPEC", help="with --what model: which one; default: the champion")
    parser.add_argument("--out", type=Path, metavar="FILE|DIR", help="where to (STREAM-WHAT.FORMAT, in this folder)")
    parser.add_argument("--force", action="store_true", help="replace the file, or add to the folder, if it is there")
    add_gateway_arguments(parser)


EXPORT = CliCommand(
    "export",
    "export a stream's labels, predictions, features, images or a model, to a file or a folder",
    _export,
    _add_arguments,
)
