"""What each command does to a partition: one row of a table for each, and what is the same for all."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from prequel.services.learner.fold.batch import FoldBatch
from prequel.services.learner.fold.commands import command_result, parse_deletion
from prequel.services.learner.fold.decisions import class_handlers, model_handlers, stream_handlers
from prequel.services.learner.fold.decisions.decisions import MAX_DECISIONS, Decision, decision_of
from prequel.services.learner.fold.decisions.following import follow_decisions
from prequel.services.learner.fold.decisions.forgetting import newly_forgotten, without_ids
from prequel.services.learner.fold.decisions.refusal import Refused
from prequel.services.learner.fold.decisions.undo_handler import find_undone, undo, undo_advice
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.replay.hand_over import hand_over
from prequel.shared.backbone_specs import RULE, parse_spec
from prequel.shared.events.types import Applied, Command, Rejected

if TYPE_CHECKING:
    from prequel.services.learner.fold.partition import Fold


def apply_command(fold: "Fold", command: Command, batch: FoldBatch) -> Applied:
    """Do what the command says, once: a command with an id that was given before changes nothing.

    Raises LogUnavailable where a replay is handed over and cannot be finished.
    """
    if known := fold.commands.earlier_result(command):
        batch.duplicates += 1
        return known
    try:
        result = _PARTITION_HANDLERS.get(command.do, _decide)(fold, command, batch)
    except Refused as error:
        result = command_result(command, "refused", error.why)
    fold.commands.remember(result)
    return result


def _create(fold: "Fold", command: Command, batch: FoldBatch) -> Applied:
    if command.stream in fold.streams:
        # Texts of refusals are in the state (a repeated command gets the same answer): another text is another digest.
        raise Refused(f"there is a stream {command.stream} already")
    backbone = command.arguments.get("backbone") or ""
    if not isinstance(backbone, str) or (backbone and parse_spec(backbone) is None):
        raise Refused(f"field backbone must be {RULE}")
    try:
        stream = fold.stream_at(command.stream, command.position)
    except Rejected as error:
        raise Refused(error.detail) from None
    stream.backbone = backbone
    stream.decide(decision_of(command))
    return command_result(command, "applied")


def _delete(fold: "Fold", command: Command, batch: FoldBatch) -> Applied:
    deletion = parse_deletion(command)
    if deletion is None:
        raise Refused('field images must be an object of partition and offset, like {"0": 17}')
    if command.stream in fold.streams:
        batch.flush(fold.streams.pop(command.stream))
    elif not any(deletion.images.values()):  # Else its images may be on their way, and must not bring it back.
        raise Refused(f"there is no stream {command.stream}")
    fold.orphan_labels.remove_stream(command.stream)
    fold.capacity.rejected.pop(command.stream, None)
    batch.deletions.append(fold.commands.add_deletion(deletion))
    return command_result(command, "applied")


def _catch_up(fold: "Fold", command: Command, batch: FoldBatch) -> Applied:
    stream = _stream(fold, command)
    batch.flush(stream)
    hand_over(fold, stream, command)
    return command_result(command, "applied")


def _decide(fold: "Fold", command: Command, batch: FoldBatch) -> Applied:
    """A command that is in the stream's history, whatever becomes of it."""
    if command.do not in _DECISIONS:
        known = ", ".join([*_PARTITION_HANDLERS, *_DECISIONS])
        raise Refused(f"{command.do} is not known to this version, which knows {known}")
    stream = _stream(fold, command)
    batch.flush(stream)
    try:
        if stream.decisions.full:
            raise Refused(f"the stream has {MAX_DECISIONS} commands in its history, as many as it can keep")
        advice = _DECISIONS[command.do](fold, stream, command)
    except Refused as error:
        stream.refuse(without_ids(command), error.why)
        raise
    follow_decisions(stream, fold.config)
    catching_up = stream.decisions[-1].replays
    forgotten = newly_forgotten(stream, command)
    applied = command_result(command, "applied")
    return applied._replace(catching_up=catching_up, forgotten=forgotten, advice=advice)


def _undo(fold: "Fold", stream: StreamState, command: Command) -> str:
    target = find_undone(stream, command)
    stream.decisions = stream.decisions.undo(target, undo(target, command))
    return undo_advice(stream, target)


def _stream(fold: "Fold", command: Command) -> StreamState:
    stream = fold.streams.get(command.stream)
    if stream is None:
        raise Refused(f"there is no stream {command.stream}")
    return stream


def _of_stream(decide: Callable[[StreamState, Command], Decision]) -> "DecisionHandler":
    return _of_fold(lambda fold, stream, command: decide(stream, command))


def _of_fold(decide: Callable[["Fold", StreamState, Command], Decision]) -> "DecisionHandler":
    def handle(fold: "Fold", stream: StreamState, command: Command) -> str:
        stream.decide(decide(fold, stream, command))
        return ""

    return handle


PartitionHandler = Callable[["Fold", Command, FoldBatch], Applied]
DecisionHandler = Callable[["Fold", StreamState, Command], str]
_PARTITION_HANDLERS: Mapping[str, PartitionHandler] = {
    "stream.create": _create,
    "stream.delete": _delete,
    "stream.catch-up": _catch_up,
}
_DECISIONS: Mapping[str, DecisionHandler] = {
    "stream.set": _of_fold(stream_handlers.set_settings),
    "stream.switch": _of_stream(stream_handlers.switch_backbone),
    "models.add": _of_fold(model_handlers.add_model),
    "models.remove": _of_fold(model_handlers.remove_model),
    "models.promote": _of_fold(model_handlers.promote_model),
    "models.rebuild": _of_stream(model_handlers.rebuild_models),
    "class.rename": _of_stream(class_handlers.rename_class),
    "class.merge": _of_stream(class_handlers.merge_classes),
    "class.delete": _of_stream(class_handlers.delete_class),
    "example.forget": _of_stream(stream_handlers.forget_examples),
    "undo": _undo,
}
"""Each makes a decision, and returns what to do besides; or raises Refused: nothing has changed then."""
