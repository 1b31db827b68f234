"""Brings a stream's models and configuration in line with its decisions and the settings of all streams."""

from prequel.services.learner.fold.config import FoldConfig
from prequel.services.learner.fold.decisions.own_settings import own_config
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.replay.catch_up import change_models


def follow_decisions(state: StreamState, defaults: FoldConfig, replayed: StreamState | None = None) -> None:
    """Let the stream have the models and settings that its decisions and ``defaults`` say.

    ``replayed`` is the stream with only the models that are new to it, at the same place of the log; without it, they
    begin here. A model that waits for a replay is none yet.
    """
    wanted = state.decisions.models_at(None, defaults.models)
    waiting = {d.arguments["model"] for d in state.decisions.joining}
    joins = set(replayed.config.models) if replayed else set()
    specs = tuple(spec for spec in wanted if spec in state.config.models or spec in joins or spec not in waiting)
    take_models(state, defaults, specs, replayed)
    config = own_config(defaults, state.decisions.settings, specs)
    if config != state.config:
        state.reconfigure(config)


def take_models(
    state: StreamState, defaults: FoldConfig, specs: tuple[str, ...], replayed: StreamState | None = None
) -> None:
    """Let the stream have these models; those that are new begin here unless ``replayed`` has them."""
    new = tuple(spec for spec in specs if spec not in state.config.models)
    if specs == state.config.models:
        return
    if new and replayed is None and state.models:
        replayed = state.empty_copy(own_config(defaults, state.decisions.settings, new))
    change_models(state, specs, replayed)
