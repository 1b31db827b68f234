"""The commands `history` and `undo`: who changed a stream, and taking a change back."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

from prequel.services.producer.errors import ProducerError, WrongUsage
from prequel.services.producer.report import check_stream, print_lines
from prequel.services.producer.stream_changes import StreamChanges, no_stream
from prequel.services.producer.tables import aligned
from prequel.shared.events.names import ID_RULE, valid_id

MIN_PREFIX = 4
"""Characters of an id that are enough, where they are those of one command only: fewer are mistyped too easily."""
OPPOSITES = {"models.add": "remove", "models.remove": "add"}
"""What takes a command on a model back: `undo` does not, since a model that is added again learns anew."""
MAX_ARGUMENTS = 60
"""Characters of a command's arguments in the table; `--json` has all."""


def show_history(changes: StreamChanges, *, as_json: bool) -> int:
    """Print the commands of a stream, the newest last, and who gave its labels. Raises ProducerError."""
    history = _history(changes)
    if as_json:
        print(json.dumps(history, indent=2), file=changes.console.file)
        return 0
    commands = history["commands"]
    lines = _table(commands[::-1]) if commands else [f"nobody has changed {changes.stream} yet"]
    print_lines(changes.console, *lines, *_label_lines(history["labels"]))
    return 0


def undo(changes: StreamChanges, command: str) -> int:
    """Take a command back, named by its id or by how that begins; the exit code. Raises ProducerError."""
    if not valid_id(command):
        raise WrongUsage(f"{command[:150]!r} is not the id of a command: use {ID_RULE}")
    found = _find(changes, command)
    text = described(found)
    if not found["undoable"]:
        raise ProducerError(f"{text} of {found['at'][:19]} is not undone: {_why_not(changes.stream, found)}")
    return changes.give("undo", f"{text} of {found['at'][:19]} is undone", command=found["id"])


def _why_not(stream: str, command: Mapping[str, Any]) -> str:
    if command["status"] != "applied":
        return f"it is {command['status']}"
    if command["do"] in OPPOSITES:
        opposite, model = OPPOSITES[command["do"]], shlex.quote(command["arguments"]["model"])
        return f"give prequel models {stream} {opposite} {model} instead"
    if command["do"] == "example.forget":
        return "what is forgotten cannot come back"
    if command["do"] == "undo":
        return "give the command that it took back once more instead"
    return "it is not one that can be undone"


def described(command: Mapping[str, Any]) -> str:
    """A command in a line: `class.rename moggy -> cat`."""
    arguments = dict(command["arguments"])
    if command["do"] == "stream.switch" and "from" in arguments:
        words = [f"{arguments['from']} -> {arguments.get('backbone')}"]
    elif command["do"] in ("class.rename", "class.merge"):
        words = [f"{arguments.get('from')} -> {arguments.get('to')}"]
    elif command["do"] == "example.forget":
        # Their ids are forgotten, too; where the command was refused, their number is not known.
        words = [f"images={arguments['images']:,}"] if arguments.get("images") else []
    elif command["do"] == "stream.set":
        words = [f"{name}={'default' if value is None else value}" for name, value in arguments.items()]
    else:
        words = [", ".join(map(str, value)) if isinstance(value, list) else str(value) for value in arguments.values()]
    text = " ".join([command["do"], *words])
    return text if len(text) <= MAX_ARGUMENTS else f"{text[: MAX_ARGUMENTS - 3]}..."


def _history(changes: StreamChanges) -> dict[str, Any]:
    check_stream(changes.stream)
    changes.client.check()
    history = changes.client.history(changes.stream)
    if history is None:
        raise no_stream(changes.client, changes.stream)
    return history


def _find(changes: StreamChanges, id: str) -> dict[str, Any]:
    commands = _history(changes)["commands"]
    exact = [command for command in commands if command["id"] == id]
    found = exact or [command for command in commands if len(id) >= MIN_PREFIX and command["id"].startswith(id)]
    if len(found) == 1:
        return dict(found[0])
    if found:
        problem = f"{len(found)} commands have an id that begins with {id}"
    elif len(id) < MIN_PREFIX:
        problem = f"{id} is too short: give {MIN_PREFIX} characters of an id, or more"
    else:
        problem = f"no command has the id {id}"
    raise ProducerError(f"{problem}; `prequel history {changes.stream}` lists all")


def _table(commands: list[dict[str, Any]]) -> list[str]:
    # What became of it comes last: a reason is a sentence, and would push an id out of sight.
    rows = [["when", "by", "what", "id", ""]]
    rows += [[_when(each), each["by"], described(each), each["id"], _result(each)] for each in commands]
    return aligned(rows, right=())


def _when(command: Mapping[str, Any]) -> str:
    return str(command["at"])[:19].replace("T", " ")


def _result(command: Mapping[str, Any]) -> str:
    if command["status"] == "refused":
        return f"refused: {command['why']}"
    if command["status"] == "undone":
        return f"undone by {command['undone_by'] or ''}"
    return "catching up" if command["catching_up"] else str(command["status"])


def _label_lines(labels: Mapping[str, Mapping[str, int]]) -> list[str]:
    lines = [
        f"labels by {kind}: {', '.join(f'{name or unknown} {count:,}' for name, count in counts.items())}"
        for kind, unknown, counts in (("who", "nobody", labels["by"]), ("why", "no reason", labels["why"]))
        if counts
    ]
    return ["", *lines] if lines else []
