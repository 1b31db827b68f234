"""`ridge`: its random features, and how it chooses its penalty."""

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.datasets import load_digits

from prequel.services.learner.kernels.lapack import inner_products
from prequel.services.learner.models import registry
from prequel.services.learner.models.base import Matrix
from prequel.services.learner.models.discriminant import Discriminant
from prequel.services.learner.models.least_squares import LeastSquares
from prequel.services.learner.models.ridge import INPUTS, PENALTIES, RandomFeatures, RidgeSolver, choose_penalty
from prequel.services.learner.models.sums import Sums
from tests.learner.models.suite import stream


def summed(xs: Matrix, classes: list[int], *, condensed: bool) -> Sums:
    sums = Sums(xs.shape[1])
    sums.grow(max(classes) + 1)
    for x, label in zip(xs, classes, strict=True):
        sums.correct(x, None, label, 1.0)
    if condensed:
        sums.condense()
    sums.settle()
    return sums


def numbers(labels: list[str]) -> list[int]:
    return [int(label.split()[1]) for label in labels]


def penalty(sums: Sums, classes: int) -> float:
    return RidgeSolver(None)._penalty(LeastSquares(sums), sums, classes)


def products(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return inner_products(rows, scale=1.0, ridge=0.0)


def test_a_random_feature_is_a_sum_of_few_inputs_and_never_negative() -> None:
    features = RandomFeatures(50, 400, seed=3)
    ones = np.eye(50, dtype=np.float32)
    alone = features(ones) - features(-ones)
    assert features(ones).min() == 0.0
    assert set(np.unique(np.abs(alone) * np.sqrt(INPUTS))) <= set(range(INPUTS + 1))
    assert (np.count_nonzero(alone, axis=0) <= INPUTS).all()
    assert np.count_nonzero(alone.any(axis=0)) > 390
    assert np.count_nonzero(alone.any(axis=1)) == 50, "no feature is left out"


def test_random_features_are_the_same_for_ever() -> None:
    xs = np.arange(12, dtype=np.float32).reshape(2, 6)
    first = RandomFeatures(6, 8, seed=42)(xs)
    assert first.tolist() == RandomFeatures(6, 8, seed=42)(xs).tolist()
    assert first[1].tolist() == [0.0, 0.0, 0.0, 0.0, 9.5, 8.0, 7.5, 5.5]
    assert RandomFeatures(6, 8, seed=43)(xs).tolist() != first.tolist()


@pytest.mark.parametrize("classes", [2, 5])
def test_the_chosen_penalty_is_best_when_each_row_is_left_out_in_turn(classes: int) -> None:
    """The closed form against fitting it as often as there are rows."""
    xs, labels = stream(40, 30, classes, seed=1)
    rows = np.maximum(xs.astype(np.float64), 0.0)
    owners = np.array(numbers(labels))
    targets = np.eye(classes)[owners]
    unit = float(np.square(rows).mean())

    def error(penalty: float) -> float:
        total = 0.0
        for left in range(40):
            rest = np.arange(40) != left
            matrix = rows[rest].T @ rows[rest] + penalty * unit * np.eye(30)
            total += float(
                np.square(targets[left] - rows[left] @ np.linalg.solve(matrix, rows[rest].T @ targets[rest])).sum()
            )
        return total

    best = min(PENALTIES, key=error)
    assert choose_penalty(products(rows), targets, unit) == pytest.approx(best * unit)


@pytest.mark.parametrize("rows", [20, 90])
def test_what_has_faded_counts_less_however_it_is_kept(rows: int) -> None:
    """Stored itself or in the second moment, solved with and without: the same weights, and scores held out."""
    xs, labels = stream(rows, 200, 3, seed=2)
    states = [summed(xs[: rows // 2], numbers(labels[: rows // 2]), condensed=False) for _ in range(2)]
    for sums in states:
        sums.fade(0.1)
        for x, target in zip(xs[rows // 2 :], numbers(labels)[rows // 2 :], strict=True):
            sums.correct(x, None, target, 1.0)
    states[1].condense()
    few, many = (RidgeSolver(0.01)(sums, 3, held_out=True) for sums in states)
    assert [sums.stores_examples for sums in states] == [True, False]
    np.testing.assert_allclose(few.weights, many.weights, atol=1e-6)
    assert few.held_out is not None
    assert many.held_out is not None
    np.testing.assert_allclose(np.sort(few.held_out, axis=0), np.sort(many.held_out, axis=0), atol=1e-6)


@pytest.mark.parametrize("seed", [1, 5])
def test_what_has_faded_counts_less_in_the_choice_of_the_penalty(seed: int) -> None:
    """A clear rule that has faded, then noise: the closed form against fitting it as often as there are rows."""
    random = np.random.default_rng(seed)
    xs = random.normal(size=(60, 150)).astype(np.float32)
    owners = np.where(np.arange(60) < 40, xs[:, 0] > 0, random.random(60) < 0.5).astype(np.int64)
    sums = summed(xs[:40], owners[:40].tolist(), condensed=False)
    sums.fade(0.1)
    for x, target in zip(xs[40:], owners[40:].tolist(), strict=True):
        sums.correct(x, None, target, 1.0)
    weights, rows, targets = np.repeat([0.1, 1.0], [40, 20]), xs.astype(np.float64), np.eye(2)[owners]
    unit = float((weights @ np.square(rows)).mean() / weights.sum())

    def error(penalty: float) -> float:
        total = 0.0
        for left in range(60):
            rest = np.arange(60) != left
            weighted = rows[rest].T * weights[rest]
            fit = np.linalg.solve(weighted @ rows[rest] + penalty * unit * np.eye(150), weighted @ targets[rest])
            total += float(weights[left] * np.square(targets[left] - rows[left] @ fit).sum())
        return total

    assert penalty(sums, 2) == pytest.approx(min(PENALTIES, key=error) * unit)


def test_a_model_that_faded_follows_a_contrary_rule() -> None:
    """While its examples are few, and stored themselves."""
    random = np.random.default_rng(1)
    xs = random.normal(size=(400, 32)).astype(np.float32)
    rule = xs[:, 0] > 0
    model = registry.create("ridge;width=2048", 32, seed=0)
    assert isinstance(model, Discriminant)
    model.fold(xs[:200], [str(label) for label in rule[:200]])
    model.fade(0.1)
    model.fold(xs[200:300], [str(not label) for label in rule[200:300]])
    answers = [model.labels[int(model.predict(x).argmax())] for x in xs[300:]]
    right = [answer == str(not label) for answer, label in zip(answers, rule[300:], strict=True)]
    assert np.mean(right) > 0.6, "0.22 where what was before the change weighs as much as ever"


def test_noise_asks_for_a_larger_penalty() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(200, 60))
    clear = (rows[:, 0] > 0).astype(np.int64)
    noisy = np.where(random.random(200) < 0.4, 1 - clear, clear)
    easy, hard = (choose_penalty(products(rows), np.eye(2)[owners], 1.0) for owners in (clear, noisy))
    assert easy < hard


def test_the_penalty_depends_neither_on_the_order_nor_on_how_examples_are_kept() -> None:
    xs, labels = stream(700, 2000, 4)
    xs = np.maximum(xs, 0.0)
    order = np.argsort(labels, kind="stable")
    classes = numbers(labels)
    chosen = {
        penalty(summed(xs[rows], [classes[i] for i in rows], condensed=condensed), 4)
        for rows in (np.arange(700), order)
        for condensed in (False, True)
    }
    assert max(chosen) == pytest.approx(min(chosen))


def test_a_fixed_penalty_stays_as_it_was_named() -> None:
    sums = summed(np.ones((10, 4), np.float32), [0, 1] * 5, condensed=True)
    assert RidgeSolver(0.1)._penalty(LeastSquares(sums), sums, 2) == 1.0


@pytest.mark.parametrize(("noise", "wrong"), [(0.0, "1"), (6.0, "0.01")])
def test_choosing_the_penalty_pays(noise: float, wrong: str) -> None:
    """scikit-learn's digits, as they are and in noise: of two fixed penalties each is wrong once."""
    data = load_digits()
    random = np.random.default_rng(0)
    xs = (data.data[:800] + noise * random.normal(size=(800, 64))).astype(np.float32)
    labels = [str(label) for label in data.target[:800]]
    errors = {}
    for spec in ("ridge;width=400", f"ridge;width=400;shrinkage={wrong}"):
        model = registry.create(spec, 64, seed=0)
        predictions = model.fold(xs, labels)[200:]
        answers = [model.labels[int(p.argmax())] for p in predictions]
        errors[spec] = sum(answer != label for answer, label in zip(answers, labels[200:], strict=True))
    chosen, fixed = errors.values()
    assert chosen < 0.9 * fixed, errors


def test_sums_that_every_example_was_taken_out_of_have_the_largest_penalty(capfd: pytest.CaptureFixture[str]) -> None:
    """Rounding leaves a trace of their energy, but no row that LAPACK could be asked about."""
    assert choose_penalty(np.zeros((0, 0)), np.zeros((0, 2)), 0.5) == 0.5 * max(PENALTIES)
    assert not capfd.readouterr().out, "LAPACK complains to the standard output"


def test_a_thousand_corrections_are_few_solves() -> None:
    """So `ridge` corrects a thousand a second: at 2,048 random features one solve takes as long as 150 corrections."""
    xs, labels = stream(700, 40, 3)
    model = registry.create("ridge;width=2048", 40, seed=0)
    assert isinstance(model, Discriminant)
    model.fold(xs, labels)
    model.solve()
    solves, before = 0, model._weights
    for i in range(300):
        model.correct(xs[i], labels[i], labels[(i + 1) % 700], age=699 - i)
        solves, before = solves + (model._weights is not before), model._weights
    assert 300 // 87 <= solves <= 1 + 300 // 87 + 300 // 128


def test_what_a_correction_finds_done_is_what_it_would_have_done_itself() -> None:
    """Whatever happens between solves, a model restored from its state, which has kept nothing, solves to the bit."""
    xs, labels = stream(400, 40, 3)
    model = registry.create("ridge;width=160", 40, seed=0)
    other = registry.create("ridge;width=160", 40, seed=0)
    assert isinstance(model, Discriminant)
    assert isinstance(other, Discriminant)
    other.fold(xs[:5], labels[:5])
    found_done = 0
    random = np.random.default_rng(0)
    for i in range(300):
        before = model._sums.derived
        if i % 20 == 5:
            model.unlearn(xs[i - 5], labels[i - 5])
        elif i % 20 == 6:
            model.correct(xs[i - 6], None, labels[i - 6], age=0)
        elif i == 50:
            model.fade(0.5)
        elif i in {60, 260}:
            model.merge(other)
        elif i % 2:
            at = int(random.integers(max(0, i - 40), i // 2 * 2 - 10)) if i > 20 else 0
            model.correct(xs[at], labels[at], labels[at + 1], age=0)
            labels[at] = labels[at + 1]
        else:
            model.fold(xs[i : i + 1], labels[i : i + 1])
        twin = registry.create("ridge;width=160", 40, seed=0)
        assert isinstance(twin, Discriminant)
        twin.load(model.state())
        for each in (model, twin):
            each._calibration.count_correction()
            each.solve()
        found_done += before is not None and model._sums.derived is before
        expected, actual = twin.state().arrays, model.state().arrays
        assert [name for name in expected if not np.array_equal(expected[name], actual[name])] == [], i
    assert found_done > 50


@pytest.mark.parametrize("examples", [300, 700])
def test_corrections_one_after_the_other_factorise_once(examples: int) -> None:
    """Half as many examples as features are stored themselves; with more there is a second moment."""
    xs, labels = stream(examples, 40, 3)
    model = registry.create("ridge;width=1024;shrinkage=0.01", 40, seed=0)
    assert isinstance(model, Discriminant)
    model.fold(xs, labels)
    factors: list[object] = []
    for i in range(examples):
        model.correct(xs[i], labels[i], labels[(i + 1) % examples], age=examples - 1 - i)
        done = model._sums.derived
        if isinstance(done, LeastSquares) and all(done._factor is not factor for factor in factors):
            factors.append(done._factor)
    assert len(factors) == 1


def test_settled_or_loaded_sums_have_nothing_done() -> None:
    """Settling moves rounding; the other changes are in the test above."""
    xs, labels = stream(40, 30, 2)
    sums = summed(xs, numbers(labels), condensed=True)
    sums.correct(xs[0], None, 0, 1.0)
    sums.derived = done = LeastSquares(sums)
    sums.correct(xs[0], 0, 1, 1.0)
    assert sums.derived is done
    sums.settle()
    assert sums.derived is None
    sums.derived = done
    sums.load(sums.arrays(2))
    assert sums.derived is None
