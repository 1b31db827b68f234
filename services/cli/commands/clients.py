"""The commands that call a gateway: `stream`, `label`, `delete`, `status`."""

import argparse
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from prequel.services.cli.commands.base import CliCommand
from prequel.services.cli.commands.gateway_client import (
    add_confirmation_argument,
    add_gateway_arguments,
    add_json_argument,
    confirmation,
    run_with_client,
)

if TYPE_CHECKING:
    from rich.console import Console

    from prequel.services.producer.client import Client


def _stream(arguments: argparse.Namespace) -> int:
    from prequel.services.producer import report
    from prequel.services.producer.commands import stream

    def run(client: "Client", console: "Console", stop: threading.Event) -> int:
        summary = stream.stream_images(
            client,
            arguments.stream,
            arguments.source,
            labels=arguments.labels,
            label_delay=arguments.label_delay,
            rate=arguments.rate,
            order=arguments.order,
            shuffle=arguments.shuffle,
            correct=arguments.correct,
            console=console,
            stop=stop,
            clock=time.monotonic,
            confirmation=confirmation(arguments, console),
        )
        return report.exit_code(summary)

    return run_with_client(arguments, run)


def _add_stream_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="a folder, an image, a feature file (.parquet, .npz, .csv), or: digits")
    parser.add_argument("--stream", required=True, metavar="S", help="name of the stream")
    parser.add_argument(
        "--labels",
        metavar="folder|filename|csv:FILE[#COLUMN]|none",
        help="where labels come from; default: folder if the images lie in folders, else none",
    )
    parser.add_argument(
        "--label-delay",
        type=int,
        default=0,
        metavar="N",
        help="send each label as an event of its own, N images after its image",
    )
    parser.add_argument(
        "--rate", type=float, default=0.0, metavar="R", help="images per second; 0: as fast as possible"
    )
    parser.add_argument(
        "--order",
        choices=("as-is", "name", "time", "shuffle"),
        help="the order of the images; default: shuffle for folders of classes, else as-is",
    )
    parser.add_argument("--shuffle", type=int, metavar="SEED", help="shuffle with this seed instead of 0")
    parser.add_argument(
        "--correct", action="store_true", help="correct the labels of an earlier run that the source has changed"
    )
    add_confirmation_argument(parser)
    add_gateway_arguments(parser)


def _label(arguments: argparse.Namespace) -> int:
    from prequel.services.producer.commands.label import label_image
    from prequel.services.producer.errors import WrongUsage

    def run(client: "Client", console: "Console", stop: threading.Event) -> int:
        if arguments.csv is not None:
            return _label_by_table(arguments, client, console, stop)
        if arguments.id is None or (arguments.label is None) != arguments.retract:
            raise WrongUsage("give an image's id and its label, an id and --retract, or --csv FILE")
        return label_image(
            client,
            arguments.stream,
            arguments.id,
            arguments.label,
            console=console,
            confirmation=confirmation(arguments, console),
            by=arguments.by,
            why=arguments.why,
        )

    return run_with_client(arguments, run)


def _label_by_table(arguments: argparse.Namespace, client: "Client", console: "Console", stop: threading.Event) -> int:
    from prequel.services.producer.commands.label_table import label_images
    from prequel.services.producer.errors import WrongUsage
    from prequel.services.producer.label_table import LabelFormat

    if arguments.id is not None or arguments.retract:
        raise WrongUsage("--csv FILE names the images: leave out id, label and --retract (--retract-empty is for FILE)")
    folders = [arguments.folder] if arguments.folder else []
    return label_images(
        client,
        arguments.stream,
        arguments.csv,
        format=LabelFormat(arguments.by, arguments.why, folders, arguments.retract_empty),
        skip_bad=arguments.skip_bad,
        console=console,
        stop=stop,
        clock=time.monotonic,
        confirmation=confirmation(arguments, console),
    )


def _add_label_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stream", help="name of the stream")
    parser.add_argument("id", nargs="?", help="id of the image, as the page and the HTTP calls show it")
    parser.add_argument("label", nargs="?", help="the label it is to have from now on")
    parser.add_argument("--retract", action="store_true", help="remove the label")
    parser.add_argument(
        "--csv",
        metavar="FILE",
        help="label many images: a table with columns id or file, label, perhaps by and why; -: standard input",
    )
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="where the files of a column file lie; default: beside FILE"
    )
    parser.add_argument("--skip-bad", action="store_true", help="leave out rows of FILE that cannot be sent")
    parser.add_argument("--retract-empty", action="store_true", help="an empty label in FILE removes the image's label")
    parser.add_argument("--by", default="prequel label", metavar="NAME", help="who gives the labels (prequel label)")
    parser.add_argument(
        "--why",
        default="correction",
        metavar="WORD",
        help="how the image was chosen: random, uncertain, correction (default) or another word",
    )
    add_confirmation_argument(parser)
    add_gateway_arguments(parser)


def _delete(arguments: argparse.Namespace) -> int:
    from prequel.services.cli import composition
    from prequel.services.producer.commands.delete import delete_stream

    return run_with_client(
        arguments,
        lambda client, console, stop: delete_stream(
            client,
            arguments.stream,
            console,
            confirmation=confirmation(arguments, console),
            new_id=composition.new_id,
        ),
    )


def _add_delete_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stream", help="name of the stream")
    add_confirmation_argument(parser)
    add_gateway_arguments(parser)


def _status(arguments: argparse.Namespace) -> int:
    from prequel.services.producer.commands.status import show_status

    return run_with_client(
        arguments,
        lambda client, console, stop: show_status(client, arguments.stream, as_json=arguments.json, console=console),
    )


def _add_status_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stream", nargs="?", help="name of a stream; without it, all are listed")
    add_json_argument(parser)
    add_gateway_arguments(parser)


STREAM = CliCommand(
    "stream", "stream a folder, an image, a feature file or `digits` into a stream", _stream, _add_stream_arguments
)
LABEL = CliCommand("label", "label images, correct their labels, or remove them", _label, _add_label_arguments)
DELETE = CliCommand("delete", "delete a stream and everything that was learned in it", _delete, _add_delete_arguments)
STATUS = CliCommand("status", "show one stream, or all", _status, _add_status_arguments)
