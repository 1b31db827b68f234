"""Probabilities: sane from the first examples on, measured on examples held out, and as if no label had been wrong."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.datasets import load_digits

from prequel.services.learner.models import registry
from prequel.services.learner.models.base import Matrix, Probabilities
from prequel.services.learner.models.calibration import Calibration
from prequel.services.learner.models.capabilities import correct
from prequel.services.learner.models.discriminant import Discriminant
from prequel.services.learner.models.mix import Mix
from tests.learner.models.suite import contents, stream

Array = npt.NDArray[np.float64]

CALIBRATED = ["slda", "slda;decay=0.005", "ridge;width=64", "ncm", "scale|perceptron", "scale|passive-aggressive"]


def discriminant(spec: str, dim: int) -> Discriminant:
    model = registry.create(spec, dim, seed=0)
    assert isinstance(model, Discriminant)
    return model


def digits(seed: int, size: int = 1_500) -> tuple[Matrix, list[str]]:
    """The scanned digits' pixels through 368 random features, as wide as those of the packaged backbone."""
    pixels, labels = load_digits(return_X_y=True)
    random = np.random.default_rng(seed)
    order = random.permutation(len(pixels))[:size]
    wide = np.maximum(pixels[order] @ np.random.default_rng(0).normal(size=(64, 368)), 0.0)
    return wide.astype(np.float32), [str(label) for label in labels[order]]


def losses(classes: Sequence[str], predicted: Sequence[Probabilities], labels: Sequence[str]) -> tuple[Array, Array]:
    """Log loss of each example, and that of even probabilities; both 0 where the class could not be known."""
    own, even = np.zeros(len(labels)), np.zeros(len(labels))
    for i, (p, label) in enumerate(zip(predicted, labels, strict=True)):
        number = classes.index(label)
        if number < len(p):
            own[i], even[i] = -np.log(p[number]), np.log(len(p))
    return own, even


@pytest.mark.parametrize("spec", CALIBRATED)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_young_models_are_never_worse_than_even_odds(spec: str, seed: int) -> None:
    for xs, labels in (digits(seed, 100), stream(100, 1_280, 2, seed), stream(100, 300, 10, seed)):
        model = registry.create(spec, xs.shape[1], seed=0)
        own, even = losses(model.labels, model.fold(xs, labels), labels)
        assert own.mean() < 1.1 * even.mean()


@pytest.mark.parametrize("spec", CALIBRATED)
def test_no_known_class_is_impossible(spec: str) -> None:
    xs, labels = stream(300, 400, 5)
    xs[::2] *= 100.0
    predicted = registry.create(spec, 400, seed=0).fold(xs, labels)
    assert all(p.min() >= 0.4 / (number + 10) for number, p in enumerate(predicted) if len(p))


@pytest.mark.parametrize("dim", [40, 320])
@pytest.mark.parametrize("name", ["slda;shrinkage=0.4", "ridge;shrinkage=0.1;width="])
def test_held_out_scores_are_those_of_a_model_without_the_row(name: str, dim: int) -> None:
    """Up to what the leaving out of a row changes in units, penalty and mean of all, which stay as they are."""
    xs, labels = stream(150, dim, 3)
    spec = name + str(dim) * name.endswith("=")
    model = discriminant(spec, dim)
    model.fold(xs, labels)
    model.solve()
    held_out, (rows, owners, _) = model._solver(model._sums, 3, held_out=True).held_out, model._sums.sample()
    assert held_out is not None
    assert model._sums.stores_examples == (dim == 320)
    assert len(rows) >= 128, "all that are settled"
    for number in range(0, 150, 10):
        without = discriminant(spec, dim)
        without.load(model.state())
        without._sums.correct(rows[number].copy(), int(owners[number]), None, 1.0)
        without.solve()
        expected = rows[number] @ without._weights.T + without._offsets
        actual, apart = held_out[number], np.ptp(expected)
        np.testing.assert_allclose(actual - actual.mean(), expected - expected.mean(), atol=0.03 * apart)


@pytest.mark.parametrize("spec", ["slda", "ridge;width=300"])
@pytest.mark.parametrize("only_hard", [False, True])
def test_after_all_corrections_the_calibration_is_that_of_a_clean_run(spec: str, only_hard: bool) -> None:
    """A fifth of the labels wrong; with ``only_hard``, only the examples that the model found least likely."""
    xs, labels = digits(5)
    clean = discriminant(spec, 368)
    predicted = clean.fold(xs[:1_000], labels[:1_000])
    own, _ = losses(clean.labels, predicted, labels[:1_000])
    wrong = np.argsort(-own)[:200] if only_hard else np.random.default_rng(0).permutation(1_000)[:200]
    erring = list(labels[:1_000])
    for i in wrong:
        erring[i] = str((int(labels[i]) + 1 + i % 9) % 10)
    erred = discriminant(spec, 368)
    erred.fold(xs[:1_000], erring)
    before = held_out_loss(erred, xs[1_000:], labels[1_000:])
    for i in sorted(wrong.tolist()):
        assert correct(erred, xs[i], erring[i], labels[i], age=0)
    after, wanted = (held_out_loss(model, xs[1_000:], labels[1_000:]) for model in (erred, clean))
    assert before > 1.3 * wanted
    assert after < 1.05 * wanted


@pytest.mark.parametrize("size", [100, 1_000])
def test_a_correction_of_a_row_that_is_held_out_counts_at_once(size: int) -> None:
    """Before the scores are solved again, the sharpness is fitted to the right labels."""
    xs, labels = digits(6, size)
    model = discriminant("slda", 368)
    erring = [str((int(label) + 1) % 10) if i % 5 == 0 else label for i, label in enumerate(labels)]
    model.fold(xs, erring)
    model.solve()
    model._calibration._since[1] = 1.0
    model.solve()
    rows, _, _ = model._sums.sample()
    order = {x.tobytes(): i for i, x in enumerate(xs)}
    weights, sharpness = model._weights.copy(), model._calibration.temperature[0]
    for row in rows:
        i = order[row.tobytes()]
        if i % 5 == 0:
            wrong, right = (model.labels.index(label) for label in (erring[i], labels[i]))
            model._calibration.relabel(row.reshape(1, -1), wrong, right)
    assert model._calibration.temperature[0] > sharpness + 0.1
    np.testing.assert_array_equal(model._weights, weights)


def test_a_correction_of_one_of_two_equal_rows_leaves_the_other() -> None:
    """As of an image that was sent twice under different ids, and labelled differently."""
    calibration, rows = Calibration(1.0), np.eye(4, dtype=np.float32)[[0, 1, 2, 0]]
    calibration.grow(3)
    calibration.measure(np.zeros((4, 3)), rows, np.array([0, 1, 2, 1]))
    calibration.relabel(rows[:1], 0, 2)
    assert calibration._classes.tolist() == [2, 1, 2, 1]


def test_corrections_teach_nothing_of_how_sure_to_be() -> None:
    """They may be of hard examples only."""
    xs, labels = digits(7, 600)
    model = discriminant("slda", 368)
    model.fold(xs, labels)
    before = model._calibration.recent.copy()
    correct(model, xs[0], labels[0], labels[1], age=0)
    np.testing.assert_array_equal(model._calibration.recent, before)


def held_out_loss(model: Discriminant, xs: Matrix, labels: list[str]) -> float:
    return float(losses(model.labels, [model.predict(x) for x in xs], labels)[0].mean())


@pytest.mark.parametrize("spec", ["slda;decay=0.005", "slda;decay=0.02", "slda;drift=forget", "ridge;width=300"])
def test_what_has_faded_is_held_out_with_the_weight_that_it_has_left(spec: str) -> None:
    """Taken out with its whole weight, an old example would leave less than nothing, and all probabilities even."""
    xs, labels = stream(2_000, 400, 3)
    xs = np.ascontiguousarray(xs + 2.0 * np.random.default_rng(1).normal(size=xs.shape), np.float32)
    model = discriminant(spec.removesuffix(";drift=forget"), 400)
    model.fold(xs[:1_500], labels[:1_500])
    if "decay" not in spec:
        model.fade(0.1)
    predicted = model.fold(xs[1_500:], labels[1_500:])
    right = np.array([model.labels[int(p.argmax())] == y for p, y in zip(predicted, labels[1_500:], strict=True)])
    assert abs(np.mean([p.max() for p in predicted]) - right.mean()) < 0.05


def test_one_outlier_does_not_make_all_predictions_even() -> None:
    xs, labels = stream(300, 40, 3)
    xs[17] *= 1e6
    model = discriminant("slda", 40)
    model.fold(xs[:17], labels[:17])
    model.fold(xs[18:], labels[18:])
    usual = np.mean([model.predict(x).max() for x in xs[18:]])
    model.learn(xs[17], labels[17])
    model.unlearn(xs[17], labels[17])
    model.solve()
    assert abs(np.mean([model.predict(x).max() for x in xs[18:]]) - usual) < 0.05


@pytest.mark.parametrize("scale", [1e3, 1e6, 1e9])
def test_scores_survive_an_outlier_that_is_taken_back(scale: float) -> None:
    """Rounding leaves 1e-16 of its square in the second moment, which must not pass for a direction without noise."""
    xs, labels = overlapping()
    model = discriminant("slda", 60)
    model.fold(xs[:1_000], labels[:1_000])
    outlier = (scale * np.random.default_rng(0).normal(size=60)).astype(np.float32)
    model.learn(outlier, labels[0])
    model.unlearn(outlier, labels[0])
    model.fold(xs[1_000:2_000], labels[1_000:2_000])
    right = accuracy(model, xs[2_000:], labels[2_000:])
    assert right > accuracy_without_outlier() - (0.02 if scale < 1e9 else 0.1)


def overlapping() -> tuple[Matrix, list[str]]:
    xs, labels = stream(3_000, 60, 3)
    xs *= 0.1
    xs += np.random.default_rng(1).normal(size=xs.shape).astype(np.float32)
    return xs, labels


@cache
def accuracy_without_outlier() -> float:
    xs, labels = overlapping()
    clean = discriminant("slda", 60)
    clean.fold(xs[:2_000], labels[:2_000])
    return accuracy(clean, xs[2_000:], labels[2_000:])


def accuracy(model: Discriminant, xs: Matrix, labels: list[str]) -> float:
    return float(
        np.mean([model.labels[int(model.predict(x).argmax())] == label for x, label in zip(xs, labels, strict=True)])
    )


@pytest.mark.parametrize("spec", ["ncm", "mix(ncm, slda)"])
def test_class_means_survive_outliers_one_of_which_is_taken_back(spec: str) -> None:
    """Of a sum that held a square of 1e36, what is left once that is taken out says nothing of how far examples lie."""
    model = registry.create(spec, 4, seed=0)
    xs, labels = stream(120, 4, 3)
    model.fold(xs, labels)
    taken_back, stays = np.full(4, 3e17, np.float32), np.full(4, 2e16, np.float32)
    model.learn(taken_back, labels[0])
    assert correct(model, taken_back, labels[0], None, age=0)
    predicted = model.fold(np.stack([stays, *xs]), [labels[1], *labels])
    assert np.isfinite(predicted).all()
    assert all(np.isfinite(array).all() for name, array in model.state().arrays.items() if name.endswith("heat"))


@pytest.mark.parametrize("spec", ["slda", "ridge;width=64", "mix(slda,ridge;width=64)"])
def test_a_label_taken_back_first_after_a_restart_finds_room_for_every_class(spec: str) -> None:
    xs, _ = stream(200, 20, 50)
    labels = [f"class {number % 50}" for number in range(200)]
    model = registry.create(spec, 20, seed=0)
    model.fold(xs, labels)
    twin = registry.restore(spec, model.state())
    for either in (model, twin):
        for x, label in zip(xs[-100:], labels[-100:], strict=True):
            either.unlearn(x, label)
    assert contents(twin.state()) == contents(model.state())
    discriminants = twin.experts if isinstance(twin, Mix) else [twin]
    for each in discriminants:
        assert isinstance(each, Discriminant)
        assert len(each._calibration.probabilities) >= 50, "the kernel wrote beyond the end of the array"
