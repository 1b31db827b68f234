"""The hand-over: at a record of the log, a stream's state becomes what a replay of its rewritten past has made."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prequel.services.learner.fold.decisions.decisions import ADD
from prequel.services.learner.fold.decisions.following import follow_decisions
from prequel.services.learner.fold.decisions.forgetting import forgettings
from prequel.services.learner.fold.decisions.model_handlers import joining_models
from prequel.services.learner.fold.decisions.refusal import Refused
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.replay.beginning import begin_replay
from prequel.services.learner.replay.catch_up import change_models
from prequel.services.learner.replay.companion import with_companion
from prequel.services.learner.replay.plan import ReplayPlan, joining_plan, plan_of
from prequel.services.learner.replay.stream_replay import StreamReplay
from prequel.shared.events.types import Command

if TYPE_CHECKING:
    from prequel.services.learner.fold.partition import Fold


def hand_over(fold: "Fold", stream: StreamState, command: Command) -> None:
    """Put the replay in the stream's place, folded up to this command.

    Nothing that the command says is taken over: anybody may write to the log. It only says where to do what the log
    itself asks for. Blocks while what is left of the replay, or all of it, is read from the log. Raises Refused where
    the stream has been decided about since the replay began, or the log is not as the command says; LogUnavailable.
    """
    if not stream.decisions.pending:
        raise Refused("nothing waits for a replay")
    if _number(command.arguments, "given") != stream.decisions.given or (
        _number(command.arguments, "settings") != len(fold.history)
    ):
        raise Refused("commands or settings have changed since the replay began")
    begin, end = _number(command.arguments, "begin"), command.position.offset
    if begin > (log_begin := fold.cache.begins().get(command.position.partition, 0)):
        raise Refused(f"the log begins at {log_begin}, and not at {begin}")
    if command.arguments.get("problem"):
        _fail(fold, stream, begin)
        return
    if keeps_past(stream, begin) and not joining_specs(stream):
        raise Refused(f"the replay begins at {begin}, and this stream began at {stream.begun}")
    replay = fold.replays.take(stream.name, begun=stream.begun, given=stream.decisions.given, begin=begin, end=end)
    if replay is None or not replay.plan.admits_classes_of(stream):
        if keeps_past(stream, log_begin) and not keeps_past(stream, begin):
            raise Refused(f"the log begins at {log_begin} by now, and this stream began at {stream.begun}")
        replay = new_replay(fold, stream, command.position.partition, begin=begin, end=end)
    replay_to(fold, replay, end)
    replayed, decisions = replay.begun_state(), stream.decisions.catch_up()
    if replay.plan.models is None:
        replayed.adopted, replayed.decisions = set(stream.adopted), decisions
        replayed.begun = max(stream.begun, begin)  # What the log had lost, somebody has agreed to lose.
        _drop_forgotten(fold, stream)
        fold.streams[stream.name] = replayed
        return
    change_models(replayed, joining_specs(stream), None)  # Without the companion.
    stream.decisions = decisions
    follow_decisions(stream, fold.config, replayed)


def would_lose(stream: StreamState, begin: int) -> str:
    """Why commands that rewrite the past are refused where the log begins at ``begin``; empty where they are not."""
    if not keeps_past(stream, begin) or all(decision.do == ADD for decision in stream.decisions.waiting):
        return ""
    return (
        f"the log begins at {begin}, and this stream began at {stream.begun}: what it learned before would be lost;"
        ' give the command again with "from": "log" where that is wanted (a merge together with models.rebuild)'
    )


def _fail(fold: "Fold", stream: StreamState, begin: int) -> None:
    """Refuse the commands that wait, after all. Raises Refused where they lose nothing."""
    problem = would_lose(stream, begin)
    if not problem:
        raise Refused(f"a replay from {begin} on would lose nothing of this stream, which began at {stream.begun}")
    stream.decisions = stream.decisions.fail(problem)
    follow_decisions(stream, fold.config)


def _drop_forgotten(fold: "Fold", stream: StreamState) -> None:
    """Keep no features in memory of images that the stream is about to have forgotten."""
    waiting = [each.forgotten for each in forgettings(stream) if not each.caught_up]
    for id, position, _ in stream.window.rows() if waiting else ():
        if any(forgotten.concerns(id) for forgotten in waiting):
            fold.cache.remove(position)


def new_replay(fold: "Fold", stream: StreamState, partition: int, *, begin: int, end: int) -> StreamReplay:
    """A replay that has folded nothing yet: see ``begin_replay``."""
    plan = stream_plan(fold, stream, partition, begin=begin)
    return begin_replay(plan, fold.registry, fold.cache, begin=begin, end=end)


def stream_plan(fold: "Fold", stream: StreamState, partition: int, *, begin: int) -> ReplayPlan:
    """The plan for a log that begins at ``begin``: of a stream whose beginning is gone, only what joins is replayed."""
    plan = plan_of(fold, stream, partition)
    if keeps_past(stream, begin):
        return joining_plan(plan, stream, with_companion(joining_specs(stream)))
    return plan


def keeps_past(stream: StreamState, begin: int) -> bool:
    """Whether retention has removed what the stream learned first, and nobody has agreed to lose that."""
    return begin > stream.begun and not any(decision.rebuilds_from_log for decision in stream.decisions.waiting)


def joining_specs(stream: StreamState) -> tuple[str, ...]:
    """The models that join the stream with its next hand-over."""
    return tuple(joining_models(stream.decisions))


def replay_to(fold: "Fold", replay: StreamReplay, end: int) -> None:
    """Fold the log into the replay, up to ``end``. Blocks; raises LogUnavailable."""
    for records in fold.cache.read_range(replay.plan.partition, replay.position, end):
        replay.apply(records)
    replay.position = end


def _number(arguments: Mapping[str, Any], name: str) -> int:
    value = arguments.get(name)
    if type(value) is not int or value < 0:
        raise Refused(f"field {name} must be a number from 0 on: learners write this command, nobody else")
    return value
