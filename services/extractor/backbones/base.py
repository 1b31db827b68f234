"""Backbones: frozen networks that turn images into feature vectors (protocol, table of architectures, recipe)."""

import difflib
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from prequel.services.extractor.backbones import compact
from prequel.shared.config import ConfigError, Settings

Images = npt.NDArray[np.uint8]
Vectors = npt.NDArray[np.float32]

COMPACT = "compact"
IMAGENET = "imagenet"


class OutOfMemory(Exception):
    """The engine had not enough memory for this many images at once; fewer may fit."""


class Backbone(Protocol):
    """A frozen network. For one thread only.

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


class Architecture(NamedTuple):
    """A row of the table: the maker in `keras.applications`, the side of its input, the width multiplier."""

    maker: str
    size: int
    alpha: float | None = None


ARCHITECTURES = {
    COMPACT: Architecture("", compact.SIZE),
    "convnexttiny": Architecture("ConvNeXtTiny", 224),
    "convnextsmall": Architecture("ConvNeXtSmall", 224),
    "convnextbase": Architecture("ConvNeXtBase", 224),
    "convnextlarge": Architecture("ConvNeXtLarge", 224),
    "convnextxlarge": Architecture("ConvNeXtXLarge", 224),
    "densenet121": Architecture("DenseNet121", 224),
    "densenet169": Architecture("DenseNet169", 224),
    "densenet201": Architecture("DenseNet201", 224),
    "efficientnetb0": Architecture("EfficientNetB0", 224),
    "efficientnetb1": Architecture("EfficientNetB1", 240),
    "efficientnetb2": Architecture("EfficientNetB2", 260),
    "efficientnetb3": Architecture("EfficientNetB3", 300),
    "efficientnetb4": Architecture("EfficientNetB4", 380),
    "efficientnetb5": Architecture("EfficientNetB5", 456),
    "efficientnetb6": Architecture("EfficientNetB6", 528),
    "efficientnetb7": Architecture("EfficientNetB7", 600),
    "efficientnetv2b0": Architecture("EfficientNetV2B0", 224),
    "efficientnetv2b1": Architecture("EfficientNetV2B1", 240),
    "efficientnetv2b2": Architecture("EfficientNetV2B2", 260),
    "efficientnetv2b3": Architecture("EfficientNetV2B3", 300),
    "efficientnetv2s": Architecture("EfficientNetV2S", 384),
    "efficientnetv2m": Architecture("EfficientNetV2M", 480),
    "efficientnetv2l": Architecture("EfficientNetV2L", 480),
    "inceptionresnetv2": Architecture("InceptionResNetV2", 299),
    "inceptionv3": Architecture("InceptionV3", 299),
    "mobilenet": Architecture("MobileNet", 224),
    "mobilenetv2": Architecture("MobileNetV2", 224),
    "mobilenetv3large": Architecture("MobileNetV3Large", 224),
    "mobilenetv3small": Architecture("MobileNetV3Small", 224),
    "nasnetlarge": Architecture("NASNetLarge", 331),
    "nasnetmobile": Architecture("NASNetMobile", 224),
    "resnet50": Architecture("ResNet50", 224),
    "resnet50v2": Architecture("ResNet50V2", 224),
    "resnet101": Architecture("ResNet101", 224),
    "resnet101v2": Architecture("ResNet101V2", 224),
    "resnet152": Architecture("ResNet152", 224),
    "resnet152v2": Architecture("ResNet152V2", 224),
    "vgg16": Architecture("VGG16", 224),
    "vgg19": Architecture("VGG19", 224),
    "xception": Architecture("Xception", 299),
}
"""Every model of `keras.applications` by its name in lower case, and our own `compact`."""

_WITH_ALPHA = ("mobilenet", "mobilenetv2")


class Recipe(NamedTuple):
    """What to build: everything that decides the vectors. ``weights`` is `imagenet` or a file."""

    name: str
    pooling: str
    size: int
    weights: str


def architecture(name: str) -> Architecture:
    """Look a name up; `mobilenet_0.25` is `mobilenet` of a quarter of the width. Raises ConfigError."""
    base, _, alpha = name.partition("_")
    if name in ARCHITECTURES:
        return ARCHITECTURES[name]
    if base in _WITH_ALPHA and alpha.isascii() and alpha.replace(".", "", 1).isdecimal():
        return ARCHITECTURES[base]._replace(alpha=float(alpha))
    near = difflib.get_close_matches(name, ARCHITECTURES, 3) or [COMPACT, "mobilenetv2", "resnet50"]
    raise ConfigError(f"PREQUEL_BACKBONE={name} is no backbone: use {', '.join(near)} or another of keras.applications")


def recipe(settings: Settings) -> Recipe:
    """The recipe that the settings ask for. Raises ConfigError, naming the setting and the remedy."""
    name = settings.backbone.lower()
    size = settings.image_size or architecture(name).size
    weights = settings.weights
    if name == COMPACT:
        if settings.pooling != "avg" or size != compact.SIZE:
            raise ConfigError(
                f"{COMPACT} has one input size ({compact.SIZE}) and a pooling of its own: "
                "leave PREQUEL_IMAGE_SIZE and PREQUEL_POOLING unset, or choose another PREQUEL_BACKBONE"
            )
        weights = str(compact.WEIGHTS) if weights == IMAGENET else weights
        return Recipe(name, "max", size, _file(name, weights))
    return Recipe(name, settings.pooling, size, weights if weights == IMAGENET else _file(name, weights))


def identity(recipe: Recipe, digest: str) -> str:
    """The id of a backbone, from its recipe and the hexadecimal digest of its weights."""
    return f"{recipe.name}-{recipe.pooling}-{recipe.size}-{digest[:8]}"


def _file(name: str, weights: str) -> str:
    if not Path(weights).is_file():
        raise ConfigError(f"PREQUEL_WEIGHTS={weights} is no file: give a weights file of {name}, or {IMAGENET}")
    return weights
