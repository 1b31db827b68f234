"""What commands about models do: a challenger that joins, one that goes, one that answers from here on."""

from typing import TYPE_CHECKING

from prequel.services.learner.fold.decisions.decisions import (
    FROM_LOG,
    FROM_NOW,
    REMOVE,
    Decision,
    Decisions,
    decision_of,
)
from prequel.services.learner.fold.decisions.refusal import Refused
from prequel.services.learner.fold.drift.reactions import reaction
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.models.base import Model
from prequel.services.learner.models.capabilities import full_size_of
from prequel.services.learner.models.registry import is_pickled
from prequel.services.learner.models.spec import UnknownModel
from prequel.shared.events.types import Command

if TYPE_CHECKING:
    from prequel.services.learner.fold.partition import Fold

MAX_MODELS = 16
"""Models of one stream: each costs time and memory for every image. A comparison of more is a back-test's."""
MAX_SPEC = 1_000
"""Characters of a spec: every status and event names it, and each transform in it is a call within another."""
PROBE_DIM = 8
"""Features of a model that is made only to check its spec, while no features say how many there are."""


def add_model(fold: "Fold", stream: StreamState, command: Command) -> Decision:
    """Let a challenger join: once a replay has caught it up, as if it had been there all the time, or from now."""
    spec, origin = _spec(command), command.arguments.get("from", FROM_LOG)
    if origin not in (FROM_LOG, FROM_NOW):
        raise Refused(f"field from must be {FROM_LOG} (learn what the log has) or {FROM_NOW}")
    if spec in stream.config.models or spec in joining_models(stream.decisions):
        raise Refused(f"the stream has model {spec} already")
    if len(stream.config.models) + len(joining_models(stream.decisions)) >= MAX_MODELS:
        raise Refused(f"the stream has {MAX_MODELS} models: remove one first")
    _check_spec(fold, stream, spec)
    _check_room(fold, stream, spec)
    replays = origin == FROM_LOG and bool(stream.models)  # Before the first image there is nothing to learn from.
    return _decision(fold, command, spec, replays=replays)


def remove_model(fold: "Fold", stream: StreamState, command: Command) -> Decision:
    """Let a challenger go."""
    spec = _spec(command)
    if spec == stream.config.models[0]:
        raise Refused(f"{spec} is the champion: promote another model first")
    if spec not in stream.config.models and spec not in joining_models(stream.decisions):
        raise Refused(f"the stream has no model {spec}")
    return _decision(fold, command, spec)


def promote_model(fold: "Fold", stream: StreamState, command: Command) -> Decision:
    """Let a model answer from here on."""
    spec = _spec(command)
    if spec == stream.config.models[0]:
        raise Refused(f"{spec} is the champion already")
    if spec in joining_models(stream.decisions):
        raise Refused(f"model {spec} is catching up: promote it when it has")
    if spec not in stream.config.models:
        raise Refused(f"the stream has no model {spec}: add it first")
    return _decision(fold, command, spec)


def rebuild_models(stream: StreamState, command: Command) -> Decision:
    """Have every model learn again, each corrected example with its last label from the first."""
    if not stream.models:
        raise Refused("the stream has learned nothing yet")
    return decision_of(command, replays=True)


def joining_models(decisions: Decisions) -> list[str]:
    """The models that join once a replay has caught them up."""
    return [d.arguments["model"] for d in decisions.joining if d.stands and not _removed_since(decisions, d)]


def _decision(fold: "Fold", command: Command, spec: str, *, replays: bool = False) -> Decision:
    arguments = {**command.arguments, "model": spec}
    return decision_of(command._replace(arguments=arguments), models=fold.config.models, replays=replays)


def _removed_since(decisions: Decisions, added: Decision) -> bool:
    return any(
        d.do == REMOVE and d.number > added.number and d.arguments["model"] == added.arguments["model"]
        for d in decisions.about_models
    )


def _spec(command: Command) -> str:
    spec = command.arguments.get("model")
    if not isinstance(spec, str) or not spec.strip():
        raise Refused("field model must be a model's spec, like slda or ridge;width=1024")
    if len(spec) > MAX_SPEC:
        raise Refused(f"field model must have at most {MAX_SPEC} characters")
    return spec.strip()


def _check_room(fold: "Fold", stream: StreamState, spec: str) -> None:
    """Raises Refused for a model that would take the memory of all streams once it has learned enough."""
    joining = [_new_model(fold, stream, new) for new in (*joining_models(stream.decisions), spec)]
    size = sum(map(full_size_of, [*stream.models, *joining]))
    if size > fold.config.max_model_bytes:
        raise Refused(
            f"with {spec}, the stream's models would grow to {size} bytes, more than the {fold.config.max_model_bytes} "
            "that there are for all (PREQUEL_MAX_MODEL_BYTES)"
        )


def _new_model(fold: "Fold", stream: StreamState, spec: str) -> Model:
    return fold.registry.create(reaction(spec).spec, stream.dim or PROBE_DIM, seed=stream.seed)


def _check_spec(fold: "Fold", stream: StreamState, spec: str) -> None:
    """Raises Refused for a model that cannot be made, or whose state could not be signed."""
    try:
        model = reaction(spec).spec
        _new_model(fold, stream, spec)
    except UnknownModel as error:
        raise Refused(str(error)) from None
    # Whether this process has the key is not in the log; that the settings name such a model is.
    if is_pickled(model) and not any(is_pickled(reaction(named).spec) for named in fold.config.models):
        raise Refused(
            f"{model} is stored as a pickle, which is signed: set PREQUEL_SNAPSHOT_KEY, and name it in PREQUEL_MODELS"
        )
