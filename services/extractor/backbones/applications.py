"""The backbones of `keras.applications`: the table of them, and how each is built."""

import sys
from typing import Any, NamedTuple

from prequel.services.extractor.backbones.base import IMAGENET, BackboneConfig, Network
from prequel.services.extractor.backbones.feature_maps import FLATTENED, MAXIMUM, feature_maps, pooling_word
from prequel.services.extractor.backbones.weights_files import existing_file, load_weights
from prequel.shared.config import ConfigError, Settings


class Application(NamedTuple):
    """An Architecture of `keras.applications`: its function there, the side of its input, the width multiplier."""

    function: str
    size: int
    alpha: float | None = None

    @property
    def channels_first(self) -> bool:
        """True: most can be built so, and the others raise ValueError when they are built."""
        return True

    def configure(self, name: str, settings: Settings) -> BackboneConfig:
        """Raises ConfigError where the weights file does not exist."""
        weights = settings.weights if settings.weights == IMAGENET else existing_file(name, settings.weights)
        return BackboneConfig(name, pooling_word(settings.pooling), settings.image_size or self.size, weights)

    def build(self, keras: Any, config: BackboneConfig, layout: str) -> Network:
        """As Architecture has it; `imagenet` weights are downloaded by Keras, unless they are in its own cache."""
        first = layout == "channels_first"
        base, preprocess = self._model(keras, config, first)
        # What no chosen map needs is not computed; the weights, and so the id, remain those of the whole network.
        trunk = keras.Model(base.inputs, feature_maps(base, config, 1 if first else 3))

        def apply(floats: Any) -> Any:
            maps = trunk(preprocess(keras.ops.transpose(floats, (0, 3, 1, 2)) if first else floats))
            return _vectors(keras, [_pool(keras, each, config.pooling, first) for each in maps])

        return Network(base, apply)

    def _model(self, keras: Any, config: BackboneConfig, channels_first: bool) -> tuple[Any, Any]:
        """The network without its top, and the function that preprocesses its input."""
        function, side = getattr(keras.applications, self.function), config.size
        options: dict[str, Any] = {"input_shape": (3, side, side) if channels_first else (side, side, 3)}
        if self.alpha is not None:
            options["alpha"] = self.alpha
        try:
            # Without weights first: so a ValueError means an input that is too small, and never a failed download.
            model = function(include_top=False, weights=None, **options)
        except ValueError as error:
            if "channels_first" in str(error):
                raise
            raise ConfigError(f"PREQUEL_BACKBONE={config.name} with PREQUEL_IMAGE_SIZE={side}: {error}") from error
        if config.weights == IMAGENET:
            model = _with_imagenet_weights(function, options, config.name)
        else:
            load_weights(model, config)
        return model, sys.modules[function.__module__].preprocess_input


APPLICATIONS = {
    "convnexttiny": Application("ConvNeXtTiny", 224),
    "convnextsmall": Application("ConvNeXtSmall", 224),
    "convnextbase": Application("ConvNeXtBase", 224),
    "convnextlarge": Application("ConvNeXtLarge", 224),
    "convnextxlarge": Application("ConvNeXtXLarge", 224),
    "densenet121": Application("DenseNet121", 224),
    "densenet169": Application("DenseNet169", 224),
    "densenet201": Application("DenseNet201", 224),
    "efficientnetb0": Application("EfficientNetB0", 224),
    "efficientnetb1": Application("EfficientNetB1", 240),
    "efficientnetb2": Application("EfficientNetB2", 260),
    "efficientnetb3": Application("EfficientNetB3", 300),
    "efficientnetb4": Application("EfficientNetB4", 380),
    "efficientnetb5": Application("EfficientNetB5", 456),
    "efficientnetb6": Application("EfficientNetB6", 528),
    "efficientnetb7": Application("EfficientNetB7", 600),
    "efficientnetv2b0": Application("EfficientNetV2B0", 224),
    "efficientnetv2b1": Application("EfficientNetV2B1", 240),
    "efficientnetv2b2": Application("EfficientNetV2B2", 260),
    "efficientnetv2b3": Application("EfficientNetV2B3", 300),
    "efficientnetv2s": Application("EfficientNetV2S", 384),
    "efficientnetv2m": Application("EfficientNetV2M", 480),
    "efficientnetv2l": Application("EfficientNetV2L", 480),
    "inceptionresnetv2": Application("InceptionResNetV2", 299),
    "inceptionv3": Application("InceptionV3", 299),
    "mobilenet": Application("MobileNet", 224),
    "mobilenetv2": Application("MobileNetV2", 224),
    "mobilenetv3large": Application("MobileNetV3Large", 224),
    "mobilenetv3small": Application("MobileNetV3Small", 224),
    "nasnetlarge": Application("NASNetLarge", 331),
    "nasnetmobile": Application("NASNetMobile", 224),
    "resnet50": Application("ResNet50", 224),
    "resnet50v2": Application("ResNet50V2", 224),
    "resnet101": Application("ResNet101", 224),
    "resnet101v2": Application("ResNet101V2", 224),
    "resnet152": Application("ResNet152", 224),
    "resnet152v2": Application("ResNet152V2", 224),
    "vgg16": Application("VGG16", 224),
    "vgg19": Application("VGG19", 224),
    "xception": Application("Xception", 299),
}
"""Every model of `keras.applications`, by its name in lower case, with the input size that its weights were trained
for."""

_WITH_ALPHA = ("mobilenet", "mobilenetv2")


def application_of_width(name: str) -> Application | None:
    """`mobilenet_0.25` is `mobilenet` of a quarter of the width; None where ``name`` is not of this form."""
    base, _, alpha = name.partition("_")
    if base in _WITH_ALPHA and alpha.isascii() and alpha.replace(".", "", 1).isdecimal():
        return APPLICATIONS[base]._replace(alpha=float(alpha))
    return None


def _with_imagenet_weights(function: Any, options: dict[str, Any], name: str) -> Any:
    try:
        return function(include_top=False, weights="imagenet", **options)
    except Exception as error:  # urllib, ssl and http raise many types
        raise ConfigError(
            f"PREQUEL_BACKBONE={name} needs ImageNet weights, which Keras could not download ({str(error)[:300]}): "
            f"set PREQUEL_WEIGHTS to a local weights file of {name} without its top, or to a folder that has it as "
            f"{name}.weights.h5, or PREQUEL_BACKBONE=compact, whose weights are packaged with Prequel"
        ) from error


def _vectors(keras: Any, pooled: list[Any]) -> Any:
    """The pooled maps of an image beside each other, in float32."""
    return keras.layers.Concatenate(dtype="float32")(pooled) if len(pooled) > 1 else pooled[0]


def _pool(keras: Any, maps: Any, pooling: str, channels_first: bool) -> Any:
    """Feature maps to vectors, in float32; flattened ones in the order of height, width, channel."""
    if pooling == MAXIMUM:
        return keras.layers.GlobalMaxPooling2D(dtype="float32")(maps)
    if pooling == FLATTENED:
        last = keras.ops.transpose(maps, (0, 2, 3, 1)) if channels_first else maps
        return keras.layers.Flatten(data_format="channels_last")(last)
    return keras.layers.GlobalAveragePooling2D(dtype="float32")(maps)
