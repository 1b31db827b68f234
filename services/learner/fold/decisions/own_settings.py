"""The settings that a stream may have of its own, and the configuration that it has with them."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from prequel.services.learner.fold.config import FoldConfig, config_from

FOLDED = ("window", "accuracy_window", "unknown_probability", "unknown_distance", "set_level")
"""Those that the fold depends on, named as the settings for all streams. Limits of the partition are no stream's."""
SHOWN = ("goal", "title")
"""Those that are only shown: the accuracy to reach, and what people call the stream."""
MAX_TITLE = 128
"""Characters: a line on the page, as a label."""


class BadSetting(ValueError):
    """A setting that no stream can have, or a value that it must not have. The text says which."""


def own_config(defaults: FoldConfig, own: Mapping[str, Any], models: tuple[str, ...]) -> FoldConfig:
    """The configuration of a stream with settings of its own, and these models."""
    return replace(defaults, models=models, **{name: value for name, value in own.items() if name in FOLDED})


def check_own_settings(defaults: FoldConfig, own: Mapping[str, Any]) -> None:
    """Raises BadSetting; None is a value of every setting, and stands for that of all streams.

    The texts are in the state where a command is refused: another text is another digest.
    """
    if not own:
        raise BadSetting(f"name at least one setting of {', '.join(FOLDED + SHOWN)}")
    for name, value in own.items():
        if name not in FOLDED + SHOWN:
            raise BadSetting(f"{name} is no setting of a stream: use one of {', '.join(FOLDED + SHOWN)}")
        if value is not None:
            _check(defaults, name, value)


def _check(defaults: FoldConfig, name: str, value: Any) -> None:
    if name == "title":
        if not isinstance(value, str) or len(value) > MAX_TITLE or not value.isprintable():
            raise BadSetting(f"title must be a line of at most {MAX_TITLE} characters")
    elif isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadSetting(f"{name} must be a number")
    elif name == "goal":
        if not 0 < value <= 1:
            raise BadSetting("goal must be an accuracy above 0 and at most 1")
    else:
        _check_folded(defaults, name, value)


def _check_folded(defaults: FoldConfig, name: str, value: float) -> None:
    if isinstance(getattr(defaults, name), int) and not isinstance(value, int):
        raise BadSetting(f"{name} must be a whole number")
    try:
        config_from(defaults.as_settings() | {name: value})
    except ValidationError as error:
        raise BadSetting(f"{name}: {error.errors()[0]['msg']}") from None
