"""Makes a portable model out of a stream's live state."""

import numpy as np

from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.models.capabilities import portable_steps
from prequel.services.learner.portable.archive import ModelMeta, Novel, PortableModel
from prequel.services.learner.portable.calibrated import calibrate_step
from prequel.services.learner.portable.steps import Step
from prequel.shared.queries import ModelCannotLeave


def portable_model(state: StreamState, position: str, spec: str) -> PortableModel:
    """One of the stream's models as it answers now; empty ``spec``: the champion. Raises ModelCannotLeave.

    The arrays are copies: call it under the lock that holds the state still, and write the file outside of it.
    """
    spec = spec or state.config.models[0]
    if spec not in state.config.models:
        raise ModelCannotLeave(f"this stream has no model {spec[:100]!r}; it has {', '.join(state.config.models)}")
    number = state.config.models.index(spec)
    if not state.models or not state.models[number].labels:
        raise ModelCannotLeave(f"{spec} has learned no label yet, and so predicts nothing: label some examples first")
    model = state.models[number]
    labels = tuple(state.names_of(state.class_numbers(model)))
    own = (*portable_steps(spec, model), *calibrate_step(state.calibrators[number], len(labels)))
    meta = ModelMeta(
        stream=state.name, position=position, model=spec, backbone=state.backbone, dim=state.dim, labels=labels
    )
    if number:  # What follows is the champion's alone.
        return PortableModel(meta, own, np.zeros(0), np.zeros(0))
    return _of_champion(state, meta, own)


def _of_champion(state: StreamState, meta: ModelMeta, own: tuple[Step, ...]) -> PortableModel:
    novelty = state.novelty
    novel = Novel(probability=novelty.probability, distance=novelty.distance)
    means, variances = novelty.spreads()
    update = {"novel": novel, "set_threshold": state.sets.threshold(), "set_level": state.sets.level}
    return PortableModel(meta.model_copy(update=update), own, means, variances)
