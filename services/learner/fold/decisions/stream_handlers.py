"""What commands about a stream's settings and single examples do."""

from typing import TYPE_CHECKING

from prequel.services.learner.fold.decisions.decisions import Decision, decision_of
from prequel.services.learner.fold.decisions.forgetting import forgotten_arguments
from prequel.services.learner.fold.decisions.own_settings import BadSetting, check_own_settings
from prequel.services.learner.fold.decisions.refusal import Refused
from prequel.services.learner.fold.stream import StreamState
from prequel.shared.backbone_specs import matches
from prequel.shared.events.types import Command

if TYPE_CHECKING:
    from prequel.services.learner.fold.partition import Fold


def set_settings(fold: "Fold", stream: StreamState, command: Command) -> Decision:
    """Give the stream settings of its own, from here on; null is that of all streams again."""
    try:
        check_own_settings(fold.config, command.arguments)
    except BadSetting as error:
        raise Refused(str(error)) from None
    return decision_of(command)


def switch_backbone(stream: StreamState, command: Command) -> Decision:
    """Learn from the features of another backbone, as if they had been there from the beginning."""
    spec = command.arguments.get("backbone")
    if not isinstance(spec, str) or not spec:
        raise Refused("field backbone must be the name or the id of a backbone")
    # Where it comes from, so that an undo can say whose features later images lack.
    arguments = {**command.arguments, "backbone": find_other_backbone(stream, spec), "from": stream.backbone}
    return decision_of(command._replace(arguments=arguments), replays=True)


def find_other_backbone(stream: StreamState, spec: str) -> str:
    """The id of the backbone that is meant, of those whose features the log has. Raises Refused."""
    if stream.models and matches(spec, stream.backbone):
        raise Refused(f"the stream learns from {stream.backbone} already")
    found = [backbone for backbone in stream.other_features if matches(spec, backbone)]
    if not found:
        raise Refused(
            f"the log has no features of backbone {spec} for this stream: "
            f"prequel reextract {stream.name} --backbone {spec} makes them"
        )
    if len(found) > 1:
        raise Refused(f"{spec} is the beginning of several: name one of {', '.join(found)}")
    return found[0]


def forget_examples(stream: StreamState, command: Command) -> Decision:
    """Make the stream as if the images with these ids had never come; an image sent later is another one."""
    return decision_of(command._replace(arguments=forgotten_arguments(stream, command)), replays=True)
