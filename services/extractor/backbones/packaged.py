"""A backbone of one's own: a function that builds its network, and a weights file that is packaged with Prequel."""

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from prequel.services.extractor.backbones.base import IMAGENET, BackboneConfig, Network
from prequel.services.extractor.backbones.feature_maps import AVERAGE, MULTI
from prequel.services.extractor.backbones.weights_files import existing_file, load_weights
from prequel.shared.config import ConfigError, Settings


class PackagedNetwork(NamedTuple):
    """An Architecture with one input size and its own pooling and weights.

    ``build_model`` gets the module ``keras`` and returns a Keras model of random weights, from float32 RGB
    [n, size, size, 3] with values 0..255 to float32 [n, dim]: preprocessing and pooling are layers of it.
    ``weights`` is the file that ``save_weights`` wrote for it; ``pooling`` is a word for the backbone's id.
    ``build_multi`` builds the same layers with features of more depths, for PREQUEL_POOLING=multi; None: it has none.
    """

    build_model: Callable[[Any], Any]
    weights: Path
    size: int
    pooling: str
    build_multi: Callable[[Any], Any] | None = None

    @property
    def channels_first(self) -> bool:
        """False: ``build_model`` builds a network with channels last."""
        return False

    def configure(self, name: str, settings: Settings) -> BackboneConfig:
        """Raises ConfigError where the settings ask for another size or pooling."""
        multi = settings.pooling == MULTI and self.build_multi is not None
        own = f"PREQUEL_BACKBONE={name} has its own"
        if not (multi or settings.pooling in (AVERAGE, self.pooling)):
            remedy = "unset, or set it to multi" if self.build_multi else "unset"
            meant = f" (did you mean {MULTI}?)" if difflib.get_close_matches(settings.pooling, [MULTI]) else ""
            raise ConfigError(
                f"PREQUEL_POOLING={settings.pooling}{meant}: {own}: leave it {remedy}, or choose another backbone"
            )
        if settings.image_size not in (0, self.size):
            size = f"PREQUEL_IMAGE_SIZE={settings.image_size}"
            raise ConfigError(f"{size}: {own}, {self.size}: leave it unset, or choose another backbone")
        weights = str(self.weights) if settings.weights == IMAGENET else settings.weights
        return BackboneConfig(name, MULTI if multi else self.pooling, self.size, existing_file(name, weights))

    def build(self, keras: Any, config: BackboneConfig, layout: str) -> Network:
        """As Architecture has it."""
        build = self.build_multi if self.build_multi and config.pooling == MULTI else self.build_model
        model = build(keras)
        load_weights(model, config)
        return Network(model, model)
