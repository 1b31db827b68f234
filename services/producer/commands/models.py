"""The command `models`: list the models of a stream, add, remove, promote or rebuild them."""

import json
from collections.abc import Sequence
from typing import Any

from prequel.services.producer.errors import ProducerError, WrongUsage
from prequel.services.producer.report import print_lines
from prequel.services.producer.stream_changes import StreamChanges, nearest
from prequel.services.producer.tables import aligned, score
from prequel.shared.status import StreamStatus


def change_models(
    changes: StreamChanges, action: str | None, specs: Sequence[str], *, begin: str | None, as_json: bool
) -> int:
    """List the models, or do what ``action`` says with the one that is named; the exit code. Raises ProducerError."""
    if begin and action not in ("add", "rebuild"):
        raise WrongUsage("--from is for add and rebuild: it says where they begin to learn")
    if action is None:
        return _show(changes, as_json)
    if len(specs) != (action != "rebuild"):
        raise WrongUsage(
            "rebuild takes no model: it rebuilds all" if action == "rebuild" else f"{action} takes one model"
        )
    status = changes.status()
    beginning = {"from_": begin} if begin else {}
    if action == "rebuild":
        return changes.give("models.rebuild", "the models are rebuilt", **beginning)
    (spec,) = specs
    if action == "add":
        return changes.give("models.add", f"{spec} joins its models", model=spec, **beginning)
    _require_model(status, spec)
    if action == "promote":
        return changes.give("models.promote", f"{spec} answers now", model=spec)
    changes.confirmation.confirm_deletion(f"{changes.stream}: {_described(status, spec)} will be removed")
    return changes.give("models.remove", f"{spec} is removed", model=spec)


def _show(changes: StreamChanges, as_json: bool) -> int:
    status = changes.status()
    if as_json:
        print(json.dumps(_json(status), indent=2), file=changes.console.file)
        return 0
    print_lines(changes.console, *_table(status), *catching_up_lines(status))
    return 0


def _json(status: StreamStatus) -> dict[str, Any]:
    return {
        "champion": status.champion,
        "models": {name: _numbers(status, name) for name in status.models},
        "catching_up": status.catching_up.model_dump() if status.catching_up else None,
    }


def _numbers(status: StreamStatus, name: str) -> dict[str, Any]:
    verdict = status.verdicts.get(name)
    numbers = status.models[name].model_dump(include={"scored", "accuracy", "window_accuracy", "interval"})
    return {**numbers, "verdict": verdict.model_dump(include={"verdict", "text"}) if verdict else None}


def _table(status: StreamStatus) -> list[str]:
    rows = [["model", "scored", "accuracy", "95 % interval", "recent", ""]]
    for name, model in status.models.items():
        interval = f"{model.interval[0]:.4f} to {model.interval[1]:.4f}" if model.interval else "-"
        verdict = status.verdicts.get(name)
        role = "champion" if name == status.champion else verdict.verdict if verdict else ""
        numbers = [f"{model.scored:,}", score(model.accuracy), interval, score(model.window_accuracy)]
        rows.append([name, *numbers, role])
    return aligned(rows, right=range(1, 5))


def catching_up_lines(status: StreamStatus) -> list[str]:
    """How far the replay is that some commands wait for, and which models join with it."""
    if (replay := status.catching_up) is None:
        return []
    joining = f"; {', '.join(replay.models)} will join" if replay.models else ""
    problem = f"; it cannot go on: {replay.problem}" if replay.problem else ""
    return [f"catching up {replay.progress:.0%}{joining}{problem}"]


def _require_model(status: StreamStatus, spec: str) -> None:
    joining = status.catching_up.models if status.catching_up else []
    if spec in status.models or spec in joining:
        return
    problem = f"{status.stream} has no model {spec}{nearest(spec, status.models)}"
    raise ProducerError(f"{problem}; it has {', '.join(status.models)}")


def _described(status: StreamStatus, spec: str) -> str:
    model = status.models.get(spec)
    if model is None:
        return f"{spec}, which is catching up,"
    return f"{spec}, with accuracy {score(model.accuracy)} over {model.scored:,} scored labels,"
