"""The settings that a fold depends on: part of its state, and changed only by a record of the log."""

from dataclasses import asdict, astuple, dataclass, fields
from typing import Any

from pydantic import ValidationError

from prequel.shared.config import Settings
from prequel.shared.events.types import Defaults, Rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldConfig:
    """The settings that a state depends on, named as they are in Settings, where each is described.

    Two folds of one log end in the same state only with the same values here, so a change of one comes from the log.
    """

    models: tuple[str, ...]
    """Specs; the first is the champion's."""
    seed: int
    window: int
    duplicates: int
    accuracy_window: int
    max_streams: int
    max_labels: int
    max_waiting: int
    max_model_bytes: int
    unknown_probability: float
    unknown_distance: float
    set_level: float

    def values(self) -> list[Any]:
        """The values in the order of the fields: how a stream's state stores them."""
        return list(astuple(self))

    def as_settings(self) -> dict[str, Any]:
        """By the settings' names, as a record of the log and the root of a snapshot have them."""
        return asdict(self) | {"models": ",".join(self.models)}


def fold_config(settings: Settings) -> FoldConfig:
    """The part of the settings that a state depends on."""
    return FoldConfig(
        models=tuple(settings.model_names),
        seed=settings.seed,
        window=settings.window,
        duplicates=settings.duplicates,
        accuracy_window=settings.accuracy_window,
        max_streams=settings.max_streams,
        max_labels=settings.max_labels,
        max_waiting=settings.max_waiting,
        max_model_bytes=settings.max_model_bytes,
        unknown_probability=settings.unknown_probability,
        unknown_distance=settings.unknown_distance,
        set_level=settings.set_level,
    )


def config_from(settings: dict[str, Any]) -> FoldConfig:
    """The inverse of ``FoldConfig.as_settings``. Raises ValidationError, which is a ValueError."""
    return fold_config(Settings.model_validate(settings))


def config_of(values: list[Any]) -> FoldConfig:
    """The inverse of ``FoldConfig.values``."""
    names = [field.name for field in fields(FoldConfig)]
    return FoldConfig(**dict(zip(names, values, strict=True)) | {"models": tuple(values[0])})


BUILT_IN_CONFIG = config_from({})
"""The settings' own defaults: the first record in the log changes them, and names all that its writer knew."""


def with_defaults(current: FoldConfig, event: Defaults) -> FoldConfig:
    """The configuration from a record on: what it does not name stays. Raises Rejected for a value not allowed.

    A name that is no setting here is left out: a newer Prequel wrote it, and knows what an older one makes of it.
    """
    names = {field.name for field in fields(FoldConfig)}
    named = {name: value for name, value in event.settings.items() if name in names}
    try:
        return config_from(current.as_settings() | named)
    except ValidationError as error:
        raise Rejected("bad-defaults", str(error)) from None
