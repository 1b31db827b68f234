"""The models made of sums: what they equal, what they unlearn, how far they lag."""

import os
import subprocess
import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.linalg import lapack
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid

from prequel.services.learner.models import registry
from prequel.services.learner.models.base import Matrix, Model, ModelState
from prequel.services.learner.models.discriminant import Discriminant
from prequel.services.learner.models.factors import FewRows
from prequel.services.learner.models.pending_examples import BLOCK
from prequel.services.learner.models.projection import Projection
from prequel.services.learner.models.solve_schedule import correction_price, max_lag
from prequel.services.learner.models.sums import Sums
from tests.learner.models.suite import contents, run, same, stream

Array = npt.NDArray[np.float64]


def discriminant(spec: str, dim: int) -> Discriminant:
    model = registry.create(spec, dim, seed=0)
    assert isinstance(model, Discriminant)
    return model


def weights(model: Model) -> tuple[Array, Array]:
    solver: Any = getattr(model, "inner", model)
    solver.solve()
    state: ModelState = solver.state()
    order = np.argsort(model.labels)
    return state.arrays["weights"][order], state.arrays["offsets"][order]


def assert_close(one: Model, two: Model, rtol: float = 1e-9) -> None:
    for mine, other in zip(weights(one), weights(two), strict=True):
        np.testing.assert_allclose(mine, other, rtol=rtol, atol=rtol * float(np.abs(other).max()))


def test_slda_is_scikit_learns_lda_in_any_order() -> None:
    """Shrunken towards the identity in the space of deviations, as scikit-learn's lsqr solver does."""
    xs, labels = stream(400, 30, 4)
    scatter = np.zeros(30)
    for label in set(labels):
        of_class = xs[np.array(labels) == label]
        scatter += ((of_class - of_class.mean(axis=0)) ** 2).sum(axis=0)
    deviations = np.sqrt(scatter / 400)
    oracle = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.3).fit(xs / deviations, labels)
    model = discriminant("slda;shrinkage=0.3", 30)
    order = np.argsort(labels, kind="stable")
    model.fold(xs[order], [labels[i] for i in order])
    model.solve()
    predicted = [model.labels[int(np.argmax(model.predict(x)))] for x in xs]
    assert predicted == oracle.predict(xs / deviations).tolist()


@pytest.mark.parametrize("spec", ["slda", "ridge;width=64"])
def test_the_order_of_the_stream_does_not_matter(spec: str) -> None:
    xs, labels = stream(500, 20, 5)
    mixed, sorted_ = discriminant(spec, 20), discriminant(spec, 20)
    mixed.fold(xs, labels)
    order = np.argsort(labels, kind="stable")
    sorted_.fold(xs[order], [labels[i] for i in order])
    assert_close(mixed, sorted_)


@pytest.mark.parametrize("spec", ["slda", "ridge;width=64", "project:15|slda"])
def test_a_correction_is_as_good_as_a_clean_refit(spec: str) -> None:
    xs, labels = stream(600, 20, 3)
    wrong = list(labels)
    for i in range(0, 600, 7):
        wrong[i] = labels[(i + 3) % 600]
    corrected, clean = registry.create(spec, 20, seed=0), registry.create(spec, 20, seed=0)
    corrected.fold(xs, wrong)
    for i in range(0, 600, 7):
        corrected.unlearn(xs[i], wrong[i])
        corrected.learn(xs[i], labels[i])
    clean.fold(xs, labels)
    assert_close(corrected, clean)


def test_a_correction_is_seen_at_once() -> None:
    xs, labels = stream(3000, 100, 3)
    model = discriminant("slda", 100)
    model.fold(xs, labels)
    before = model.state().arrays["weights"]
    model.unlearn(xs[5], labels[5])
    model.learn(xs[5], "another")
    after = model.state()
    assert after.arrays["weights"].shape == (4, 100)
    assert after.meta["since"] == 0
    assert not np.array_equal(before, after.arrays["weights"][:3])


def test_what_examples_weigh_does_not_depend_on_how_many_classes_came_at_once() -> None:
    """Nor on a restart: the room of an array differs then, and with it the order in which NumPy adds."""
    random, x = np.random.default_rng(0), np.ones(4, np.float32)
    for _ in range(50):
        weights, together, singly = random.random(13), Sums(4, 0.9), Sums(4, 0.9)
        together.grow(13)
        for target, weight in enumerate(weights.tolist()):
            singly.grow(target + 1)
            for sums in (together, singly):
                sums.correct(x, None, target, weight)
        restored = Sums(4, 0.9)
        restored.load(singly.arrays(13))
        assert together.count == singly.count == restored.count


def test_a_class_that_lost_its_last_label_is_not_predicted_by_scores_of_before() -> None:
    xs, labels = stream(600, 368, 3)
    xs[:12] += 9.0
    model = discriminant("slda", 368)
    model.fold(xs, ["rare"] * 12 + labels[12:])
    for x in xs[:12]:
        model.unlearn(x, "rare")
    assert model.state().meta["since"] > 0, "the last corrections are to be solved later"
    assert max(model.predict(x)[model.labels.index("rare")] for x in xs[:12]) < 0.01


def test_a_new_class_is_solved_at_once_and_whenever_it_has_doubled() -> None:
    xs, labels = stream(1000, 900, 3)
    model = discriminant("slda", 900)
    model.fold(xs, labels)
    fresh, solved = np.random.default_rng(2).normal(3, 1, size=(70, 900)).astype(np.float32), []
    for number, x in enumerate(fresh, start=1):
        before = model.state().arrays["weights"]
        model.learn(x, "new")
        if not np.array_equal(before, model.state().arrays["weights"]):
            solved.append(number)
    assert max_lag(1070, 1070, 900, 4) > 70
    assert solved == [1, 2, 4, 8, 16, 32, 64]


def test_the_schedule_is_the_same_however_a_stream_is_cut() -> None:
    xs, labels = stream(900, 600, 6)
    order = np.argsort(labels, kind="stable")
    xs, partly_labelled = xs[order], [None if i % 7 == 3 else labels[number] for i, number in enumerate(order)]
    whole, pieces, random = discriminant("slda", 600), discriminant("slda", 600), np.random.default_rng(4)
    predictions, cut, at = whole.fold(xs, partly_labelled), list[Any](), 0
    while at < len(xs):
        end = at + int(random.integers(1, 90))
        cut += pieces.fold(xs[at:end], partly_labelled[at:end])
        at = end
    assert max_lag(900, 900, 600, 6) > 30
    for one, other in zip(predictions, cut, strict=True):
        np.testing.assert_array_equal(one, other)
    assert contents(whole.state()) == contents(pieces.state())


def test_many_classes_that_double_cost_no_more_than_one_solve_in_twenty_four() -> None:
    xs, _ = stream(1200, 900, 3)
    model, counts = discriminant("slda", 900), np.repeat(np.arange(400), 3)
    model.fold(xs[:400], [str(n) for n in counts[::3]])
    solves = 0
    for x, number in zip(xs[400:], np.tile(np.arange(400), 2), strict=True):
        model.learn(x, str(number))
        solves += model._schedule.since == 0
    smallest = max_lag(400, 400, 900, 400)
    assert 800 // 128 <= solves <= 5 + 800 // 24 + 800 // smallest


def test_a_storm_of_corrections_costs_no_more_than_one_solve_in_thirty_two() -> None:
    xs, labels = stream(1000, 900, 3)
    model = discriminant("slda", 900)
    model.fold(xs, labels)
    solves = 0
    for i in range(400):
        model.correct(xs[i], labels[i], labels[i + 1], age=999 - i)
        solves += model._schedule.since == 0
    assert max_lag(1000, 1000, 900, 3) == 125
    assert 4 <= solves <= 4 + 400 // 32 + 400 // 125


def test_a_correction_is_dearer_where_solving_is() -> None:
    assert [correction_price(dim, 10) for dim in (64, 368, 1280, 1856, 2048, 8192)] == [32, 32, 32, 93, 124, 128]


@pytest.mark.parametrize(
    ("count", "seen", "dim", "classes", "expected"),
    [
        (10, 10, 1280, 2, 1),
        (1600, 1600, 1280, 10, 200),
        (1e6, 10**6, 1280, 10, 748),
        (1e6, 10**6, 368, 10, 20),
        (1e6, 10**6, 64, 10, 1),
        (200, 800, 1280, 10, 100),
        (200, 10**6, 1280, 10, 187),
        (200, 10**6, 368, 10, 20),
        (20, 10**6, 368, 10, 5),
    ],
)
def test_the_lag_is_bounded(count: float, seen: int, dim: int, classes: int, expected: int) -> None:
    assert max_lag(count, seen, dim, classes) == expected


def test_scores_never_lag_by_more_than_promised() -> None:
    xs, labels = stream(2500, 300, 3)
    model = discriminant("slda", 300)
    for x, label in zip(xs, labels, strict=True):
        model.learn(x, label)
        count = float(model._sums.counts.sum())
        assert model._schedule.since <= max_lag(count, int(count), 300, 3)


def test_two_streams_merge_into_one() -> None:
    xs, labels = stream(300, 12, 4)
    whole, left, right = (discriminant("slda", 12) for _ in range(3))
    whole.fold(xs, labels)
    left.fold(xs[:100], labels[:100])
    right.fold(xs[100:], labels[100:])
    left.merge(right)
    assert_close(left, whole)


def test_fading_sums_follow_a_change() -> None:
    xs, labels = stream(3000, 10, 2)
    swapped = [{"class 0": "class 1", "class 1": "class 0"}[label] for label in labels]
    hits = {}
    for spec in ("slda", "slda;decay=0.01"):
        model = registry.create(spec, 10, seed=0)
        model.fold(xs[:2000], labels[:2000])
        after = model.fold(xs[2000:], swapped[2000:])
        hits[spec] = np.mean(
            [model.labels[int(p.argmax())] == label for p, label in zip(after[500:], swapped[2500:], strict=True)]
        )
    assert hits["slda;decay=0.01"] > 0.9 > 0.5 > hits["slda"]


def test_probabilities_are_calibrated() -> None:
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(4, 40)) * 0.35
    numbers = rng.integers(4, size=6000)
    xs = (centres[numbers] + rng.normal(size=(6000, 40))).astype(np.float32)
    model = registry.create("slda", 40, seed=0)
    predictions = model.fold(xs, [str(n) for n in numbers])
    late = [
        (p.max(), model.labels[int(p.argmax())] == str(n))
        for p, n in zip(predictions[2000:], numbers[2000:], strict=True)
    ]
    confidence, right = np.array(late, float).T
    assert abs(confidence.mean() - right.mean()) < 0.03
    for low in (0.3, 0.5, 0.7):
        chosen = (confidence > low) & (confidence <= low + 0.2)
        assert abs(confidence[chosen].mean() - right[chosen].mean()) < 0.06


def test_confidence_does_not_suffer_from_a_sorted_stream() -> None:
    xs, labels = stream(2000, 30, 4)
    model = registry.create("slda", 30, seed=0)
    order = np.argsort(labels, kind="stable")
    model.fold(xs[order], [labels[i] for i in order])
    confidence = np.mean([model.predict(x).max() for x in xs[:500]])
    assert confidence > 0.6


def test_bits_do_not_depend_on_where_arrays_lie() -> None:
    """BLAS may choose its way by alignment; the products and factors that are used here do not."""
    rng = np.random.default_rng(0)
    rows, matrix = rng.normal(size=(40, 301)), np.eye(301) * 400.0
    results = set()
    for shift in (0, 1, 2, 3, 5, 7):
        room = np.empty(301 * 301 + 8)
        aligned = room[shift : shift + 301 * 301].reshape((301, 301), order="F")
        aligned[:] = matrix
        sums = Sums(301)
        sums.condense()
        sums._second = aligned
        sums.pending.rows[:40], sums.pending.weights[:40], sums.pending.filled = rows, 1.0, 40
        sums.settle()
        factor, failed = lapack.dpotrf(sums.second, lower=1, clean=0)
        solved, _ = lapack.dpotrs(factor, rows[:3].T, lower=1)
        assert failed == 0
        results.add((np.tril(factor).tobytes(), solved.tobytes()))
    assert len(results) == 1


def test_examples_wait_for_a_blocked_product() -> None:
    xs, labels = stream(1400, 1100, 2)
    model = discriminant("slda", 1100)
    model.fold(xs[:1300], labels[:1300])
    waiting = []
    for x, label in zip(xs[1300:], labels[1300:], strict=True):
        model.learn(x, label)
        waiting.append(len(model.state().arrays["pending"]))
    assert max_lag(1300, 1300, 1100, 2) > BLOCK > max(waiting) > 50


def test_a_projection_keeps_inner_products() -> None:
    xs, _ = stream(20, 5000, 20)
    narrow = Projection(5000, 2000, seed=1)(xs)
    np.testing.assert_allclose(narrow @ narrow.T / 5000, xs @ xs.T / 5000, atol=0.2)


def test_a_projection_is_the_same_for_ever() -> None:
    xs = np.arange(12, dtype=np.float32).reshape(2, 6)
    first = Projection(6, 8, seed=42)(xs)
    assert first.tolist() == Projection(6, 8, seed=42)(xs).tolist()
    assert first[1].tolist() == [6.5, -8.0, 10.5, 0.0, 4.5, 6.0, -6.0, -8.5]
    assert Projection(6, 8, seed=43)(xs).tolist() != first.tolist()


def test_ncm_is_scikit_learns_nearest_centroid() -> None:
    xs, labels = stream(300, 10, 5)
    model = registry.create("ncm", 10, seed=0)
    model.fold(xs, labels)
    oracle = NearestCentroid().fit(xs, labels)
    assert [model.labels[int(model.predict(x).argmax())] for x in xs] == oracle.predict(xs).tolist()


def test_knn_is_scikit_learns_on_the_window() -> None:
    xs, labels = stream(700, 10, 4)
    model = registry.create("knn;k=7;window=200", 10, seed=0)
    model.fold(xs[:600], labels[:600])
    oracle = KNeighborsClassifier(7, algorithm="brute").fit(xs[400:600], labels[400:600])
    order = [model.labels.index(label) for label in oracle.classes_]
    predicted = np.array([model.predict(x)[order] for x in xs[600:]])
    squares = (7 * oracle.predict_proba(xs[600:]) + 0.5) ** 2
    np.testing.assert_allclose(predicted, squares / squares.sum(axis=1, keepdims=True), rtol=1e-12)


def test_knn_relabels_what_it_has() -> None:
    xs, labels = stream(50, 6, 2)
    model = registry.create("knn;k=1;window=100", 6, seed=0)
    model.fold(xs, labels)
    model.learn(xs[10], "corrected")
    assert model.labels[int(model.predict(xs[10]).argmax())] == "corrected"
    assert len(model.state().arrays["rows"]) == 50


def folded(spec: str, xs: Matrix, labels: list[str]) -> tuple[object, ...]:
    model = registry.create(spec, xs.shape[1], seed=0)
    model.fold(xs, labels)
    return contents(model.state())


def test_a_wide_stream_is_the_same_in_pieces() -> None:
    xs, labels = stream(120, 1280, 3)
    batch, rows = registry.create("slda", 1280, seed=0), registry.create("slda", 1280, seed=0)
    assert same(batch.fold(xs, labels), run(rows, xs, labels))
    assert contents(batch.state()) == contents(rows.state()) == folded("slda", xs, labels)


DIGEST = """
import hashlib
from prequel.services.learner.models import registry
from tests.learner.models.suite import contents, stream
for spec, size in (("slda", 400), ("ridge;width=200", 400), ("river:forest.ARFClassifier", 60)):
    xs, labels = stream(size, 300, 3)
    model = registry.create(spec, 300, seed=0)
    model.fold(xs, labels)
    print(hashlib.sha256(repr(contents(model.state())).encode()).hexdigest())
"""


def test_every_process_comes_to_the_same_bits() -> None:
    """Whatever its BLAS threads, its hash seed and its memory's layout."""
    digests = []
    for threads in ("1", "2"):
        environ = os.environ | {"OPENBLAS_NUM_THREADS": threads, "PYTHONHASHSEED": threads}
        digests.append(
            subprocess.run([sys.executable, "-c", DIGEST], env=environ, capture_output=True, check=True).stdout
        )
    assert digests[0] == digests[1]
    assert len(digests[0].split()) == 3


@pytest.mark.parametrize("decay", [0.05, 0.2])
def test_a_class_that_stays_away_fades_to_nothing_and_not_to_garbage(decay: float) -> None:
    count = {0.05: 15_000, 0.2: 4_000}[decay]
    assert (1.0 - decay) ** (count - 10) == 0.0, "in the end what it weighed is less than any number"
    random = np.random.default_rng(0)
    model = discriminant(f"slda;decay={decay}", 4)
    xs = random.normal(size=(count, 4)).astype(np.float32)
    labels = ["absent"] * 10 + ["a" if x[0] > 0 else "b" for x in xs[10:]]
    for at in range(0, count, 500):
        predicted = model.fold(xs[at : at + 500], labels[at : at + 500])
        assert all(np.isfinite(each).all() for each in predicted)
    right = [model.labels[int(np.argmax(p))] == label for p, label in zip(predicted, labels[-500:], strict=True)]
    assert np.mean(right) > 0.8
    model.learn(xs[0], "absent")
    assert np.isfinite(model.predict(xs[0])).all()


def test_a_model_faded_again_and_again_stays_finite() -> None:
    xs, labels = stream(200, 5, 3)
    model = discriminant("slda", 5)
    model.fold(xs, labels)
    for _ in range(600):
        model.fade(0.25)
        model.learn(xs[0], labels[0])
    assert np.isfinite(model.predict(xs[1])).all()


def test_merging_changes_nothing_in_the_model_merged_from() -> None:
    xs, labels = stream(400, 300, 3)  # wide: narrow ones are solved with every example, and nothing waits
    one, other = discriminant("slda", 300), discriminant("slda", 300)
    one.fold(xs[:200], labels[:200])
    for x, label in zip(xs[200:], labels[200:], strict=True):
        other.learn(x, label)
        if len(other.state().arrays["pending"]):
            break
    before = contents(other.state())
    one.merge(other)
    assert len(other.state().arrays["pending"])
    assert contents(other.state()) == before


@pytest.mark.parametrize("constant", [0.0, 3.7, -1e-3])
def test_naive_bayes_corrected_where_features_are_constant_is_as_if_it_had_never_erred(constant: float) -> None:
    random = np.random.default_rng(0)
    a = np.column_stack([np.full(60, constant), random.normal(size=60)]).astype(np.float32)
    b = random.normal(2.0, 1.0, size=(60, 2)).astype(np.float32)
    erred, clean = registry.create("naive-bayes", 2, seed=0), registry.create("naive-bayes", 2, seed=0)
    for number, (x, y) in enumerate(zip(a, b, strict=True)):
        for model in (erred, clean):
            model.learn(x, "a")
            wrong = model is erred and number % 10 == 5
            model.learn(y, "a" if wrong else "b")
        if number % 10 == 5:
            erred.unlearn(y, "a")
            erred.learn(y, "b")
    for x in [*a, *b]:
        np.testing.assert_allclose(erred.predict(x), clean.predict(x), rtol=1e-6, atol=1e-9)


def few_and_condensed(spec: str, xs: Matrix, labels: list[str]) -> tuple[Discriminant, Discriminant]:
    """The same examples stored themselves, and as sums from the first on."""
    few, condensed = discriminant(spec, xs.shape[1]), discriminant(spec, xs.shape[1])
    condensed._sums.condense()
    for model in (few, condensed):
        model.fold(xs, labels)
    assert few._sums.stores_examples > condensed._sums.stores_examples
    return few, condensed


@pytest.mark.parametrize("spec", ["slda", "slda;shrinkage=0.01", "ridge;width=300"])
def test_few_examples_give_the_scores_that_their_sums_give(spec: str) -> None:
    xs, labels = stream(100, 300, 4)
    few, condensed = few_and_condensed(spec, xs, labels)
    for model in (few, condensed):
        model.unlearn(xs[7], labels[7])
        model.learn(xs[7], "another")
    assert few._sums.stores_examples
    assert_close(few, condensed, rtol=1e-7)
    for x in xs:
        np.testing.assert_allclose(few.predict(x), condensed.predict(x), rtol=1e-6)


@pytest.mark.parametrize("spec", ["slda", "ridge;width=60"])
def test_examples_become_sums_at_a_number_of_them_and_no_earlier(spec: str) -> None:
    xs, labels = stream(60, 60, 3)
    model = discriminant(spec, 60)
    for number, (x, label) in enumerate(zip(xs, labels, strict=True), start=1):
        model.learn(x, label)
        assert model._sums.stores_examples == (number < 30)
    for x, label in zip(xs, labels, strict=True):
        model.unlearn(x, label)
    assert not model._sums.stores_examples, "what has become sums stays so: the examples are not known any more"
    assert float(np.abs(model._sums.second).max()) < 1e-6


def test_an_example_taken_out_of_few_is_as_if_it_had_never_come() -> None:
    xs, labels = stream(20, 300, 3)
    erred, clean = discriminant("slda", 300), discriminant("slda", 300)
    erred.fold(xs, labels)
    erred.unlearn(xs[19], labels[19])
    clean.fold(xs[:19], labels[:19])
    np.testing.assert_array_equal(erred.state().arrays["pending"], clean.state().arrays["pending"])
    erred.unlearn(xs[3] + 1.0, labels[3])  # it never came: only sums can take that
    assert not erred._sums.stores_examples


def test_a_model_takes_the_room_of_what_it_has_seen() -> None:
    xs, labels = stream(700, 1280, 3)
    model, sizes = registry.create("slda", 1280, seed=0), {}
    for number, (x, label) in enumerate(zip(xs, labels, strict=True), start=1):
        model.learn(x, label)
        sizes[number] = sum(array.nbytes for array in model.state().arrays.values()) if number in (20, 700) else 0
    assert sizes[20] < 200_000
    assert sizes[700] > 6_500_000


def test_the_bits_of_few_examples_do_not_depend_on_where_arrays_lie() -> None:
    rng, results = np.random.default_rng(0), set()
    rows, sides = rng.normal(size=(40, 301)), rng.normal(size=(3, 301))
    for shift in (0, 1, 2, 3, 5, 7):
        room = np.empty(43 * 301 + 8)[shift:]
        moved = room[: 40 * 301].reshape(40, 301)
        aside = room[40 * 301 : 43 * 301].reshape(3, 301)
        moved[:], aside[:] = rows, sides
        results.add(FewRows(moved, share=0.1, ridge=0.2).solve(aside).tobytes())
    assert len(results) == 1
