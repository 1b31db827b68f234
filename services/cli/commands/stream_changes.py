"""The commands on the life of a stream: `streams`, `models`, `classes`, `set`, `switch`, `history`, `undo`, ..."""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from prequel.services.cli.commands.base import CliCommand
from prequel.services.cli.commands.gateway_client import (
    add_change_arguments,
    add_gateway_arguments,
    add_json_argument,
    run_with_client,
    stream_changes,
)

if TYPE_CHECKING:
    from prequel.services.producer.stream_changes import StreamChanges


def _with_changes(arguments: argparse.Namespace, call: Callable[["StreamChanges"], int]) -> int:
    """``call`` with what changes the stream that the arguments name; the exit code."""
    return run_with_client(arguments, lambda client, console, stop: call(stream_changes(arguments, client, console)))


def _add_stream_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stream", help="name of the stream")


def _streams(arguments: argparse.Namespace) -> int:
    from prequel.services.producer.commands.streams import show_streams

    return run_with_client(
        arguments, lambda client, console, stop: show_streams(client, as_json=arguments.json, console=console)
    )


def _add_streams_arguments(parser: argparse.ArgumentParser) -> None:
    add_json_argument(parser)
    add_gateway_arguments(parser)


def _models(arguments: argparse.Namespace) -> int:
    from prequel.services.producer.commands.models import change_models

    return _with_changes(
        arguments,
        lambda changes: change_models(
            changes, arguments.action, arguments.model, begin=arguments.begin, as_json=arguments.json
        ),
    )


def _add_models_arguments(parser: argparse.ArgumentParser) -> None:
    _add_stream_argument(parser)
    actions = ("add", "remove", "promote", "rebuild")
    parser.add_argument("action", nargs="?", choices=actions, help="without it, the models are listed")
    parser.add_argument("model", nargs="*", metavar="MODEL", help="a model, as in 'ridge;width=512'")
    parser.add_argument(
        "--from",
        dest="begin",
        choices=("log", "now"),
        help="where an added model begins: with the earliest record of the log (default), or with the next label; "
        "rebuild --from log: also where that loses what retention has removed",
    )
    add_json_argument(parser)
    add_change_arguments(parser)


def _classes(arguments: argparse.Namespace) -> int:
    from prequel.services.producer.commands.classes import change_classes

    return _with_changes(
        arguments,
        lambda changes: change_classes(changes, arguments.action, arguments.name, as_json=arguments.json),
    )


def _add_classes_arguments(parser: argparse.ArgumentParser) -> None:
    _add_stream_argument(parser)
    actions = ("rename", "merge", "delete")
    parser.add_argument("action", nargs="?", choices=actions, help="without it, the classes are listed")
    parser.add_argument("name", nargs="*", metavar="NAME", help="rename OLD NEW, merge OLD NEW, or delete NAME")
    add_json_argument(parser)
    add_change_arguments(parser)


def _set(arguments: argparse.Namespace) -> int:
    from prequel.services.producer.commands.settings import change_settings

    return _with_changes(arguments, lambda changes: change_settings(changes, arguments.setting, as_json=arguments.json))


def _add_set_arguments(parser: argparse.ArgumentParser) -> None:
    _add_stream_argument(parser)
    parser.add_argument(
        "setting", nargs="*", metavar="NAME=VALUE", help="title, goal, window, ...; NAME=default: the learner's own"
    )
    add_json_argument(parser)
    add_change_arguments(parser)


def _switch(arguments: argparse.Namespace) -> int:
    from prequel.services.producer.commands.switch import switch_backbone

    return _with_changes(arguments, lambda changes: switch_backbone(changes, arguments.backbone))


def _add_switch_arguments(parser: argparse.ArgumentParser) -> None:
    _add_stream_argument(parser)
    parser.add_argument("backbone", nargs="?", metavar="BACKBONE", help="its id, or how that begins; without it: list")
    add_change_arguments(parser)


def _history(arguments: argparse.Namespace) -> int:
    from prequel.services.producer.commands.history import show_history

    arguments.yes, arguments.by = False, ""  # It changes nothing.
    return _with_changes(arguments, lambda changes: show_history(changes, as_json=arguments.json))


def _add_history_arguments(parser: argparse.ArgumentParser) -> None:
    _add_stream_argument(parser)
    add_json_argument(parser)
    add_gateway_arguments(parser)


def _undo(arguments: argparse.Namespace) -> int:
    from prequel.services.producer.commands.history import undo

    return _with_changes(arguments, lambda changes: undo(changes, arguments.command))


def _add_undo_arguments(parser: argparse.ArgumentParser) -> None:
    _add_stream_argument(parser)
    parser.add_argument("command", help="the command's id, or how it begins: `prequel history S` lists all")
    add_change_arguments(parser)


def _forget(arguments: argparse.Namespace) -> int:
    from prequel.services.producer.commands.forget import forget_images

    return _with_changes(arguments, lambda changes: forget_images(changes, arguments.id))


def _add_forget_arguments(parser: argparse.ArgumentParser) -> None:
    _add_stream_argument(parser)
    parser.add_argument("id", nargs="+", help="ids of images, as the page and the HTTP calls show them")
    add_change_arguments(parser)


STREAMS = CliCommand("streams", "list the streams", _streams, _add_streams_arguments)
MODELS = CliCommand("models", "list a stream's models, add, remove, promote or rebuild", _models, _add_models_arguments)
CLASSES = CliCommand("classes", "list a stream's classes, rename, merge or delete", _classes, _add_classes_arguments)
SET = CliCommand("set", "show or change the settings of a stream", _set, _add_set_arguments)
SWITCH = CliCommand("switch", "let a stream learn from another backbone", _switch, _add_switch_arguments)
HISTORY = CliCommand("history", "show who changed a stream, and who labelled", _history, _add_history_arguments)
UNDO = CliCommand("undo", "take a change of a stream back", _undo, _add_undo_arguments)
FORGET = CliCommand("forget", "forget images, as if they had never come", _forget, _add_forget_arguments)
