"""Backbones: frozen networks that turn images into feature vectors (the protocols, and the choice of one)."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from prequel.shared.config import Settings

Images = npt.NDArray[np.uint8]
Vectors = npt.NDArray[np.float32]

IMAGENET = "imagenet"
"""The value of PREQUEL_WEIGHTS that means the weights which come with the backbone."""


class OutOfMemory(Exception):
    """The engine had not enough memory for this many images at once; fewer may fit."""


class Backbone(Protocol):
    """A network that is loaded and ready to run, in one of the engines. For one thread only.

    ``id`` names what is computed (architecture, pooling, input size, digest of the weights), not how: engine and
    ``precision`` ("float32" or "bfloat16") are no part of it. Example: `resnet50-avg-224-3fa9c1d2`.
    ``dim`` is the length of a vector, ``size`` the side of the square input in pixels.
    """

    @property
    def id(self) -> str: ...
    @property
    def dim(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def precision(self) -> str: ...

    def extract(self, images: Images) -> Vectors:
        """RGB uint8 [n, size, size, 3] to float32 [n, dim], each row depending on its image only.

        Blocks. Raises OutOfMemory.
        """
        ...


class BackboneConfig(NamedTuple):
    """Everything that decides a backbone's vectors. ``weights`` is `imagenet` or the path of a file.

    ``pooling`` is `avg`, `max`, `none`, `multi`, a word of the backbone's own, or names of layers joined by `+`.

    Ids and the keys of converted networks are made from these fields in this order: a change makes all of them new.
    """

    name: str
    pooling: str
    size: int
    weights: str


class Choice(NamedTuple):
    """A backbone that is to run: its configuration, and the digest that its weights must have; empty: any."""

    config: BackboneConfig
    digest: str = ""

    @property
    def spec(self) -> str:
        """The backbone's id, or without a digest the beginning of it."""
        return "-".join(map(str, (*self.config[:3], *filter(None, [self.digest]))))


class Network(NamedTuple):
    """The layers of a backbone in Keras. ``base`` is the Keras model that has its weights.

    ``apply`` turns a symbolic tensor of float32 RGB [n, size, size, 3], values 0..255, into one of vectors [n, dim].
    """

    base: Any
    apply: Callable[[Any], Any]


class Architecture(Protocol):
    """How to build one kind of backbone: a row of the table in registry.py.

    ``size`` is the side of its input in pixels, unless PREQUEL_IMAGE_SIZE sets another. ``channels_first`` says
    whether it may also be built for tensors [n, 3, size, size], which some engines run faster.
    """

    @property
    def size(self) -> int: ...
    @property
    def channels_first(self) -> bool: ...

    def configure(self, name: str, settings: Settings) -> BackboneConfig:
        """The configuration that the settings ask for. Raises ConfigError, naming the setting and the remedy."""
        ...

    def build(self, keras: Any, config: BackboneConfig, layout: str) -> Network:
        """Build the network and load its weights. ``layout`` is `channels_last` or `channels_first`.

        ``keras`` is the module itself: only engines/ imports it, since importing it takes seconds. Raises ConfigError
        where weights are missing or do not fit, ValueError where the network does not exist in this layout.
        """
        ...


def backbone_id(config: BackboneConfig, digest: str) -> str:
    """The id of a backbone, from its configuration and the hexadecimal digest of its weights."""
    return f"{config.name}-{config.pooling}-{config.size}-{digest[:8]}"
