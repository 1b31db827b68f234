"""The published recipes, one command each: features of a data set into a file, models learned from it, one row."""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from benchmarks.passes import Training, answers, train
from prequel.services.learner.models import registry
from prequel.services.learner.models.base import Matrix, Model

DIGIT_PASSES = 10
"""Over the digits: half as many are 0.1 points behind, four times as many gain nothing."""

SPLITS = 5
"""Random parts of the digits that recipe c is repeated on: 360 test images alone are sure to 2 points only."""


class Recipe(NamedTuple):
    """A recipe whose data set is a folder of images. ``evaluation`` are the options of `prequel evaluate`."""

    title: str
    backbone: str
    evaluation: tuple[str, ...]
    holdout: str
    data: str
    """Where the data set comes from, and how its folder looks."""
    spec: str
    passes: int
    """Over what is not held out, as the published training had them."""


DOGS = (
    "the 25,000 photographs in `train.zip` of https://www.kaggle.com/c/dogs-vs-cats/data: files cat.0.jpg, ... "
    "dog.12499.jpg (--labels filename), or folders cat/ and dog/"
)
FOOD = (
    "Food-5K of https://mmspg.epfl.ch/food-image-datasets (5,000 images), in a folder each for training/, validation/ "
    "and evaluation/: in these, files 0_1.jpg (no food) and 1_1.jpg (food), for --labels filename, or class folders"
)
RECIPES = {
    "a": Recipe("Dogs vs Cats, logistic, one at a time", "resnet50", (), "", DOGS, "logistic", 1),
    "b": Recipe(
        "Food-5K, dense 256-16 in mini-batches of 32",
        "resnet50",
        ("--mini-batch", "32"),
        "evaluation",
        FOOD,
        "mlp;hidden=256-16;batch=32",
        25,
    ),
    "e": Recipe("Food-5K, logistic", "vgg16", (), "evaluation", FOOD, "logistic", 10),
}


def from_images(letter: str, arguments: argparse.Namespace) -> str:
    """Recipes a, b and e by the commands that a user gives; what they print is shown."""
    recipe = RECIPES[letter]
    if arguments.data is None or not arguments.data.is_dir():
        sys.exit(f"recipe {letter} needs --data FOLDER: {recipe.data}. ResNet50's and VGG16's weights: PREQUEL_WEIGHTS")
    work = arguments.work / letter
    work.mkdir(parents=True, exist_ok=True)
    features, holdout = work / f"features.{arguments.format}", arguments.holdout or recipe.holdout
    labels = ("--labels", arguments.labels) if arguments.labels else ()
    backbone = ("--backbone", arguments.backbone or recipe.backbone, "--pooling", arguments.pooling)
    extracted = _timed("extract", str(arguments.data), *backbone, *labels, "--out", str(features), "--force")
    held_out = ("--holdout", holdout) if holdout else ()
    models = ("--models", recipe.spec, *recipe.evaluation)
    learned = _timed("evaluate", str(features), *models, *held_out, "--report", str(work / "report"))
    result = json.loads((work / "report" / "evaluation.json").read_text(encoding="utf-8"))
    model, *_ = result["models"]
    accuracy = f"{result['prequential']['models'][model]['accuracy']:.4f}"
    if result["held_out"]:
        accuracy += f" / {result['held_out']['models'][model]['accuracy']:.4f}"
    if holdout and (passes := arguments.passes or recipe.passes) > 1:
        began = time.perf_counter()
        after = train(features, Training(recipe.spec, holdout, passes, arguments.seed), work / "model.npz")
        accuracy += f"; after {passes} passes {after[-1]:.4f} held out, in {time.perf_counter() - began:.0f} s"
    shape = f"`{result['backbone']}`, {result['dim']:,} features, {result['prequential']['labelled']:,} labels"
    return f"| {letter} | {recipe.title} | {shape} | {accuracy} | {extracted:.0f} s | {learned:.0f} s |"


def _timed(*command: str) -> float:
    """Seconds that a command of Prequel took. Ends this process where it fails: it has said why."""
    print("$ prequel", *command, flush=True)
    began = time.perf_counter()
    ended = subprocess.run([sys.executable, "-m", "prequel.services", *command], check=False).returncode
    if ended:
        sys.exit(ended)
    return time.perf_counter() - began


def mistakes(_: str, arguments: argparse.Namespace) -> str:
    """Recipe c: 80 % of the digits learned, the mistakes on the others counted, learned, and counted again."""
    pixels, numbers = _digits()
    counts, began = [], time.perf_counter()
    for seed in range(SPLITS):
        xs, test_xs, ys, test_ys = train_test_split(pixels, numbers, test_size=0.2, random_state=seed)
        model = registry.create("mlp;hidden=100", pixels.shape[1], seed=arguments.seed)
        for each in range(arguments.passes or DIGIT_PASSES):
            order = np.random.default_rng(each).permutation(len(ys))
            model.fold(xs[order], [ys[at] for at in order])
        wrong = _mistakes(model, test_xs, test_ys)
        for at in wrong:
            model.learn(test_xs[at], test_ys[at])
        counts.append((len(test_ys), len(wrong), len(_mistakes(model, test_xs, test_ys))))
        print(
            f"split {seed}: {counts[-1][1]} of {counts[-1][0]} wrong, {counts[-1][2]} after learning these", flush=True
        )
    seconds = (time.perf_counter() - began) / SPLITS
    tested, before, after = np.array(counts).sum(axis=0).tolist()
    accuracy = f"{1 - before / tested:.4f}, wrong {before / SPLITS:.1f} then {after / SPLITS:.1f} of {tested // SPLITS}"
    return f"| c | DIGITS 80/20, 100 units, its own mistakes | 64 pixels | {accuracy} | - | {seconds:.1f} s |"


def _mistakes(model: Model, xs: Matrix, labels: Sequence[str]) -> list[int]:
    return [at for at, (answer, truth) in enumerate(zip(answers(model, xs), labels, strict=True)) if answer != truth]


def growing(_: str, arguments: argparse.Namespace) -> str:
    """Recipe d: one digit after the other, an output unit with each, with and without what the adversary recalls."""
    pixels, numbers = _digits()
    work = arguments.work / "d"
    work.mkdir(parents=True, exist_ok=True)
    features = work / "pixels.npz"
    np.savez(features, features=pixels, labels=np.array(numbers))
    specs = ("mlp", "mlp;replay=cgan")
    options = ("--order", "by-class", "--holdout", "0.2", "--report", str(work / "report"))
    seconds = _timed("evaluate", str(features), "--models", ",".join(specs), *options)
    result = json.loads((work / "report" / "evaluation.json").read_text(encoding="utf-8"))
    plain, recalled = (result["held_out"]["models"][spec]["accuracy"] for spec in specs)
    accuracy = f"held out {recalled:.4f}, without the adversary {plain:.4f}"
    return f"| d | one class after the other, conditional GAN | 64 pixels | {accuracy} | - | {seconds:.0f} s |"


def _digits() -> tuple[Matrix, list[str]]:
    pixels, numbers = load_digits(return_X_y=True)
    return pixels.astype(np.float32), [str(number) for number in numbers]


RUNS: dict[str, Callable[[str, argparse.Namespace], str]] = {
    "a": from_images,
    "b": from_images,
    "c": mistakes,
    "d": growing,
    "e": from_images,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", choices=sorted(RUNS))
    parser.add_argument("--data", type=Path, help="the data set's folder, for a, b and e")
    parser.add_argument("--work", type=Path, default=Path("recipes"), help="where features and reports go (recipes)")
    parser.add_argument("--backbone", help="another than the published one; PREQUEL_IMAGE_SIZE and _WEIGHTS apply")
    parser.add_argument("--pooling", default="none", help="of feature maps, as for prequel extract (none: flattened)")
    parser.add_argument("--labels", help="where labels come from, as for prequel extract")
    parser.add_argument("--holdout", help="a split of the data, or a share, instead of the published split")
    parser.add_argument("--format", choices=("parquet", "npz", "csv"), default="parquet", help="of the features' file")
    parser.add_argument("--passes", type=int, help="over what is learned, instead of as many as were published")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    row = RUNS[arguments.recipe](arguments.recipe, arguments)
    print("\n| recipe | | features | accuracy, prequential / held out | extracted in | learned in |")
    print(f"|---|---|---|---|---|---|\n{row}")


if __name__ == "__main__":
    main()
