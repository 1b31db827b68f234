"""What each command does to a partition: one function a command, and one row of the table at the end."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from prequel.services.learner.fold.batch import FoldBatch
from prequel.services.learner.fold.commands import command_result, parse_deletion
from prequel.shared.backbone_specs import RULE, parse_spec
from prequel.shared.events.types import Applied, Command, Rejected

if TYPE_CHECKING:
    from prequel.services.learner.fold.partition import Fold


def apply_command(fold: "Fold", command: Command, batch: FoldBatch) -> Applied:
    """Do what the command says, once: a command with an id that was given before changes nothing."""
    if known := fold.commands.earlier_result(command):
        batch.duplicates += 1
        return known
    handler = _HANDLERS.get(command.do, _unknown)
    result = handler(fold, command, batch)
    fold.commands.remember(result)
    return result


def _create(fold: "Fold", command: Command, batch: FoldBatch) -> Applied:
    if command.stream in fold.streams:
        # Texts of refusals are in the state (a repeated command gets the same answer): another text is another digest.
        return command_result(command, "refused", f"there is a stream {command.stream} already")
    backbone = command.arguments.get("backbone") or ""
    if not isinstance(backbone, str) or (backbone and parse_spec(backbone) is None):
        return command_result(command, "refused", f"field backbone must be {RULE}")
    try:
        fold.stream_at(command.stream, command.position).backbone = backbone
    except Rejected as error:
        return command_result(command, "refused", error.detail)
    return command_result(command, "applied")


def _delete(fold: "Fold", command: Command, batch: FoldBatch) -> Applied:
    deletion = parse_deletion(command)
    if deletion is None:
        return command_result(
            command, "refused", 'field images must be an object of partition and offset, like {"0": 17}'
        )
    if command.stream in fold.streams:
        batch.flush(fold.streams.pop(command.stream))
    elif not any(deletion.images.values()):  # Else its images may be on their way, and must not bring it back.
        return command_result(command, "refused", f"there is no stream {command.stream}")
    fold.orphan_labels.remove_stream(command.stream)
    fold.capacity.rejected.pop(command.stream, None)
    batch.deletions.append(fold.commands.add_deletion(deletion))
    return command_result(command, "applied")


def _unknown(fold: "Fold", command: Command, batch: FoldBatch) -> Applied:
    known = " and ".join(_HANDLERS)
    return command_result(command, "refused", f"{command.do} is not known to this version, which knows {known}")


CommandHandler = Callable[["Fold", Command, FoldBatch], Applied]
_HANDLERS: Mapping[str, CommandHandler] = {"stream.create": _create, "stream.delete": _delete}
