"""The command `classes`: list the classes of a stream, rename, merge or delete them."""

import json
from collections.abc import Sequence
from typing import Any

from prequel.services.producer.errors import ProducerError, WrongUsage
from prequel.services.producer.report import print_lines
from prequel.services.producer.stream_changes import StreamChanges, nearest, read_label
from prequel.services.producer.tables import aligned, score
from prequel.shared.status import StreamStatus

ACTIONS = {"rename": 2, "merge": 2, "delete": 1}
"""What can be done with classes, and how many names it takes."""


def change_classes(changes: StreamChanges, action: str | None, names: Sequence[str], *, as_json: bool) -> int:
    """List the classes, or do what ``action`` says with those that are named; the exit code. Raises ProducerError."""
    if action is None:
        return _show(changes, as_json)
    if len(names) != ACTIONS[action]:
        wanted = "two names of classes: the old and the new" if ACTIONS[action] == 2 else "the name of one class"
        raise WrongUsage(f"{action} takes {wanted}, not {len(names)}")
    labels = [read_label(name) for name in names]
    if len(set(labels)) < len(labels):
        raise WrongUsage(f"{labels[0]!r} is the same class twice: give another name")
    status = changes.status()
    _require_class(status, labels[0])
    if action == "delete":
        return _delete(changes, status, labels[0])
    if action == "merge":
        _require_class(status, labels[1])
    return _rename(changes, status, *labels)


def _show(changes: StreamChanges, as_json: bool) -> int:
    status = changes.status()
    rows = [_row(status, label) for label in status.labels]
    if as_json:
        print(json.dumps(rows, indent=2), file=changes.console.file)
    elif rows:
        print_lines(changes.console, *_table(rows))
    else:
        print_lines(changes.console, f"{status.stream} has no classes yet: label one of its images")
    return 0


def _row(status: StreamStatus, label: str) -> dict[str, Any]:
    """A class as the champion knows it: it has no numbers before one of its examples was scored."""
    known = status.models[status.champion].classes.get(label) if status.models else None
    numbers = known.model_dump() if known else {"support": 0, "precision": None, "recall": None}
    return {"class": label, "scored": numbers["support"], **{name: numbers[name] for name in ("precision", "recall")}}


def _table(classes: Sequence[dict[str, Any]]) -> list[str]:
    rows = [["class", "scored", "precision", "recall"]]
    rows += [[row["class"], f"{row['scored']:,}", score(row["precision"]), score(row["recall"])] for row in classes]
    return aligned(rows, right=range(1, 4))


def _require_class(status: StreamStatus, label: str) -> None:
    if label not in status.labels:
        problem = f"{status.stream} has no class {label}{nearest(label, status.labels)}"
        raise ProducerError(f"{problem}; `prequel classes {status.stream}` lists all")


def _rename(changes: StreamChanges, status: StreamStatus, old: str, new: str) -> int:
    if new not in status.labels:
        return changes.give("class.rename", f"{old} is called {new} now", from_=old, to=new)
    changes.confirmation.confirm_deletion(
        f"{changes.stream}: {_described(status, old)} and {_described(status, new)} become one class, {new}",
        question="Merge them?",
    )
    return changes.give("class.merge", f"{old} is part of {new} now", from_=old, to=new)


def _delete(changes: StreamChanges, status: StreamStatus, label: str) -> int:
    changes.confirmation.confirm_deletion(
        f"{changes.stream}: all labels {_described(status, label)} will be taken back, and the class is gone"
    )
    return changes.give("class.delete", f"the class {label} is deleted", label=label)


def _described(status: StreamStatus, label: str) -> str:
    """With the count of the model that knows most: a champion that was added later has scored only what came since."""
    known = [model.classes[label].support for model in status.models.values() if label in model.classes]
    return f"{label} ({max(known, default=0):,} scored)"
