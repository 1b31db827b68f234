"""Train the `compact` backbone on CIFAR-10 and write its weights, with a record of their training beside them."""

import argparse
import hashlib
import io
import json
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py  # type: ignore[import-untyped]  # ships no types
import keras
import numpy as np
from PIL import Image

from prequel.services.extractor.backbones import compact

SHIFT = 4
HOLE = 10


def read_split(archive: Path, split: str) -> tuple[Any, Any]:
    """Read `split/class/*.jpg` from a tar: uint8 [n, 32, 32, 3], and int64 class numbers [n] in order of name."""
    images: list[Any] = []
    names: list[str] = []
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.isfile() and member.name.startswith(f"{split}/") and (stream := tar.extractfile(member)):
                images.append(np.asarray(Image.open(io.BytesIO(stream.read())).convert("RGB")))
                names.append(member.name.split("/")[1])
    classes = {name: number for number, name in enumerate(sorted(set(names)))}
    return np.stack(images), np.array([classes[name] for name in names])


def whitening(images: Any) -> Any:
    """Kernel [2, 2, 3, 24] that whitens 2x2 patches: scaled eigenvectors of their covariance, and their negatives."""
    scaled = images[:5000].astype(np.float32) / 64 - 2
    windows = np.lib.stride_tricks.sliding_window_view(scaled, (2, 2), axis=(1, 2))
    patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, 12)
    values, vectors = np.linalg.eigh(np.cov(patches, rowvar=False))
    kernel = (vectors / np.sqrt(values + 5e-4)).reshape(2, 2, 3, 12)
    return np.concatenate([kernel, -kernel], axis=-1)


def shifted(images: Any, random: np.random.Generator) -> Any:
    """Move every image by up to SHIFT pixels each way, its border reflected."""
    padded = np.pad(images, ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0)), mode="reflect")
    where = random.integers(0, 2 * SHIFT + 1, (2, len(images)))
    result = np.empty_like(images)
    for y in range(2 * SHIFT + 1):
        for x in range(2 * SHIFT + 1):
            chosen = (where[0] == y) & (where[1] == x)
            result[chosen] = padded[chosen, y : y + compact.SIZE, x : x + compact.SIZE]
    return result


def holed(images: Any, random: np.random.Generator) -> Any:
    """Blank one square of every image with grey (cutout), in place."""
    corners = random.integers(1 - HOLE, compact.SIZE, (len(images), 2))
    for image, (y, x) in zip(images, corners, strict=True):
        image[max(y, 0) : y + HOLE, max(x, 0) : x + HOLE] = 128
    return images


def augmented(images: Any, epoch: int, mirrored: Any, random: np.random.Generator) -> Any:
    """One epoch's copy of the images; a tenth is grey and a tenth inverted, so that drawings are not foreign to it.

    Each image is mirrored in every second epoch, starting at random (`mirrored`, bool [n]): alternating flips.
    """
    images = shifted(images, random)
    flip = mirrored ^ (epoch % 2 == 1)
    images[flip] = images[flip, :, ::-1]
    grey = random.random(len(images)) < 0.1
    images[grey] = images[grey].mean(axis=-1, keepdims=True).astype(np.uint8)
    inverted = random.random(len(images)) < 0.1
    images[inverted] = 255 - images[inverted]
    return holed(images, random)


def batches(images: Any, labels: Any, size: int, random: np.random.Generator) -> Iterator[tuple[Any, Any]]:
    """Shuffled full batches of one epoch as float32 images and labels."""
    order = random.permutation(len(images))
    for start in range(0, len(order) - size + 1, size):
        chosen = order[start : start + size]
        yield images[chosen].astype(np.float32), labels[chosen]


def classifier() -> Any:
    """The trunk with a global maximum and a linear head of ten logits, as it is trained."""
    trunk = compact.trunk(keras)
    pooled = keras.layers.GlobalMaxPooling2D(name="pool")(trunk.outputs[-1])
    logits = keras.layers.Dense(10, kernel_initializer=keras.initializers.RandomNormal(stddev=0.03), name="head")(
        pooled
    )
    return keras.Model(trunk.inputs, logits)


def one_cycle(peak: float, steps: int, warm: float) -> Any:
    """Learning rate: linear from a tenth to `peak` over a share `warm` of the steps, then linear to zero."""

    class OneCycle(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
        def __call__(self, step: Any) -> Any:
            done = keras.ops.cast(step, "float32") / steps
            rising = 0.1 + 0.9 * done / warm if warm else 1.0
            return peak * keras.ops.minimum(rising, (1.0 - done) / (1.0 - warm))

    return OneCycle()


def compiled(model: Any, rate: Any) -> Any:
    """Compile with Nesterov momentum, decoupled weight decay (not of norms) and smoothed labels."""
    optimizer = keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, weight_decay=5e-3)
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    model.compile(optimizer, loss, metrics=["accuracy"], jit_compile=keras.backend.backend() == "jax")
    return model


def write_backbone(model: Any, path: Path) -> None:
    """Write the backbone's share of the weights, without head or optimiser state, as float16 in Keras' own format."""
    backbone = compact.build(keras)
    for layer in backbone.layers:
        if layer.weights:
            layer.set_weights(model.get_layer(layer.name).get_weights())
    backbone.save_weights(path)
    with h5py.File(path, "r+") as file:
        _halve(file)
    packed = path.with_suffix(".packed")
    with h5py.File(path, "r") as source, h5py.File(packed, "w") as target:  # a fresh file leaves the float32 behind
        for name in source:
            source.copy(name, target)
    packed.replace(path)


def _halve(group: Any) -> None:
    for name, item in list(group.items()):
        if isinstance(item, h5py.Group):
            _halve(item)
        else:
            values = item[()].astype(np.float16)
            del group[name]
            group.create_dataset(name, data=values)


def write_record(path: Path, training: str, accuracy: float) -> None:
    """Write `NAME.json` beside `NAME.weights.h5`: what the weights are, how good, and from which data."""
    backbone = compact.build(keras)
    record = {
        "architecture": "compact",
        "input": list(backbone.input_shape[1:]),
        "features": backbone.output_shape[-1],
        "parameters": backbone.count_params(),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "precision": "float16",
        "cifar10_test_accuracy": round(accuracy, 4),
        "training": training,
        "trained_with": f"benchmarks/train_compact.py, Keras {keras.__version__} on {keras.backend.backend()}",
        "data": "CIFAR-10 (A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009), research use",
    }
    path.with_name(path.name.replace(".weights.h5", ".json")).write_text(json.dumps(record, indent=2) + "\n")


def described(options: argparse.Namespace, epochs: int) -> str:
    """How the weights were trained, in one line, for the record."""
    start = options.resume.name if options.resume else "scratch"
    how = f"batch {options.batch}, rate {options.rate}, seed {options.seed}"
    return f"{epochs} of {options.epochs} epochs from {start} ({how})"


def train(options: argparse.Namespace) -> None:
    """Train from scratch, write a checkpoint after every few epochs, and print loss and accuracy as it goes."""
    keras.utils.set_random_seed(options.seed)
    random = np.random.default_rng(options.seed)
    (images, labels), (test_images, test_labels) = (read_split(options.archive, split) for split in ("train", "test"))
    targets, test_targets = np.eye(10, dtype=np.float32)[labels], np.eye(10, dtype=np.float32)[test_labels]
    steps = len(images) // options.batch
    rate = one_cycle(options.rate, steps * options.epochs, 0.0 if options.resume else 0.2)
    model = compiled(classifier(), rate)
    if options.resume:
        model.load_weights(options.resume)
    else:
        model.get_layer("whiten").set_weights([whitening(images), np.zeros(24)])
    mirrored = random.random(len(images)) < 0.5
    begin = time.perf_counter()
    for epoch in range(options.epochs):
        copies = augmented(images, epoch, mirrored, random)
        for batch, target in batches(copies, targets, options.batch, random):
            logs = model.train_on_batch(batch, target, return_dict=True)
        line = f"epoch {epoch + 1}/{options.epochs} {time.perf_counter() - begin:.0f}s loss {logs['loss']:.3f}"
        if (epoch + 1) % options.every == 0 or epoch + 1 == options.epochs:
            scores = model.evaluate(
                test_images.astype(np.float32), test_targets, batch_size=500, verbose=0, return_dict=True
            )
            model.save_weights(options.out.with_name("checkpoint.weights.h5"))
            write_backbone(model, options.out)
            write_record(options.out, described(options, epoch + 1), scores["accuracy"])
            line += f" test {scores['accuracy']:.4f}"
        print(line, flush=True)


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path, help="tar of train/<class>/*.jpg and test/<class>/*.jpg, 32x32")
    parser.add_argument("--out", type=Path, default=Path("compact.weights.h5"), help="a name that ends in .weights.h5")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--every", type=int, default=4, help="epochs between checkpoints")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rate", type=float, default=0.25, help="peak learning rate")
    parser.add_argument(
        "--resume", type=Path, help="a checkpoint to go on from; the rate then falls from the first step"
    )
    parser.add_argument("--seed", type=int, default=0)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
