"""Which feature maps of a network become its vectors: the last one, one more by rule, or layers by name."""

import difflib
import math
import re
from collections import Counter
from typing import Any

from prequel.services.extractor.backbones.base import BackboneConfig
from prequel.shared.config import ConfigError

AVERAGE, MAXIMUM, FLATTENED, MULTI = "avg", "max", "none", "multi"

LAST = "last"
"""In a list of layers, the last feature map of the network."""

ALONE = (AVERAGE, MAXIMUM, FLATTENED, MULTI)

_COUNTED = re.compile(r"(.+?)(?:_(\d+))?")


def pooling_word(setting: str) -> str:
    """PREQUEL_POOLING as a backbone's id has it: layers joined by `+`, without spaces; `last` alone is `avg`."""
    names = [name.strip() for name in setting.split(",")]
    return AVERAGE if names == [LAST] else "+".join(names)


def feature_maps(model: Any, config: BackboneConfig, channel_axis: int) -> list[Any]:
    """The symbolic feature maps of a Keras model that ``config.pooling`` asks for, [n, height, width, channels] each.

    ``channel_axis`` is 1 where channels come first, else 3. Raises ConfigError for a layer that the model lacks.
    """
    if config.pooling == MULTI:
        return [before_last_reduction(model, channel_axis), model.output]
    if config.pooling in ALONE:
        return [model.output]
    maps = {**named_maps(model), LAST: model.output}
    names = config.pooling.split("+")
    for name, times in Counter(names).items():
        if name not in maps or times > 1:
            raise ConfigError(_remedy(config, name, [*maps]))
    return [maps[name] for name in names]


def before_last_reduction(model: Any, channel_axis: int) -> Any:
    """The widest feature map that enters the last reduction of resolution which convolutions still follow.

    So it is the end of the last stage but one, at a sixteenth of the image's side (VGG: an eighth, because its last
    reduction is its end). An id calls this rule `multi`: one that chooses another map needs another word.
    """
    sources = _sources(model)
    before, after = dict[str, int](), dict[str, int]()
    for operation in model.operations:  # each comes after all that it reads
        before[operation.name] = max((after[source.name] for source in sources[operation.name]), default=1)
        after[operation.name] = before[operation.name] * _stride(operation)
    deepest = max(before[operation.name] for operation in model.operations if _convolves(operation))
    entered = [
        _before_padding(source, sources).output
        for operation in model.operations
        if before[operation.name] < deepest == after[operation.name]
        for source in sources[operation.name]
    ]
    return max(entered, key=lambda each: each.shape[channel_axis])


def named_maps(model: Any) -> dict[str, Any]:
    """Every feature map of a model by its layer's name, in the order of the network.

    Where an application does not name a layer, Keras counts through the life of the process: `activation_57` of the
    second network is `activation_3` of the first. A layer has the name here that it has in a first network.
    """
    names = _stable_names(model)
    return {names[each.name]: each.output for each in model.operations if len(each.output.shape) == 4}


def _stable_names(model: Any) -> dict[str, str]:
    """By the name that Keras gave each operation in this process, the name without what came before."""
    names, counts = {each.name: each.name for each in model.operations}, Counter[str]()
    for kind, _, name in sorted(filter(None, map(_automatic, model.operations))):
        names[name] = f"{kind}_{counts[kind]}" if counts[kind] else kind
        counts[kind] += 1
    return names


def _automatic(operation: Any) -> tuple[str, int, str] | None:
    """(`conv2d`, 3, `conv2d_3`) where Keras itself named the operation, after its class; None where it has a name."""
    match = _COUNTED.fullmatch(operation.name)
    assert match is not None
    kind, number = match[1], int(match[2] or 0)
    return (kind, number, operation.name) if kind.replace("_", "") == type(operation).__name__.lower() else None


def _sources(model: Any) -> dict[str, list[Any]]:
    """By an operation's name, the operations whose outputs it reads."""
    producers = {id(operation.output): operation for operation in model.operations}
    return {each.name: [producers[id(read)] for read in _reads(each)] for each in model.operations}


def _reads(operation: Any) -> list[Any]:
    """The tensors that an operation reads; the input layer reads none, and Keras says it reads its own output."""
    tensors = operation.input if isinstance(operation.input, list) else [operation.input]
    return [tensor for tensor in tensors if tensor is not operation.output]


def _stride(operation: Any) -> int:
    """How many times smaller a side of its output is than of its input, whatever padding and borders do to it."""
    strides = getattr(operation, "strides", 1)
    own = max(strides) if isinstance(strides, tuple | list) else strides
    return int(own) * math.prod(map(_stride, getattr(operation, "layers", ())))


def _convolves(operation: Any) -> bool:
    return hasattr(operation, "kernel_size") or any(map(_convolves, getattr(operation, "layers", ())))


def _before_padding(operation: Any, sources: dict[str, list[Any]]) -> Any:
    while type(operation).__name__ == "ZeroPadding2D":
        (operation,) = sources[operation.name]
    return operation


def _remedy(config: BackboneConfig, name: str, known: list[str]) -> str:
    setting = config.pooling.replace("+", ",")
    if name in known:
        return f"PREQUEL_POOLING={setting} names the layer {name} twice: name it once"
    near = difflib.get_close_matches(name, [*known, *ALONE], 4, 0.5)
    return (
        f"PREQUEL_POOLING={setting}: {config.name} has no feature map '{name}': use {', '.join(near or [LAST])}; "
        f"or one of {', '.join(ALONE)} alone"
    )
