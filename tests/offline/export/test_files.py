"""ONNX and Keras files answer as the arrays do that they are made of."""

import json
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from prequel.services.learner.models.catalogue import MODELS
from prequel.services.learner.portable import steps
from prequel.services.learner.portable.archive import PortableModel
from prequel.services.learner.portable.calibrated import Calibrate
from prequel.services.offline.export import graph, onnx_file
from prequel.shared.model_files import CannotConvert
from tests.learner.models.suite import BUILT_IN
from tests.learner.portable.asked import DIM, Asked

CLOSE = 1e-6
SPECS = [spec for spec in BUILT_IN if "cgan" not in spec]


def run_onnx(data: bytes, xs: Any) -> Any:
    return onnxruntime.InferenceSession(data).run(["probabilities"], {"features": xs})[0]


def leaves(spec: str) -> bool:
    """A mixture leaves as all of its models do."""
    return all("onnx" in row.leaves_as for name, row in MODELS.items() if name in spec)


@pytest.mark.parametrize("spec", SPECS)
def test_an_onnx_file_answers_as_the_arrays_do(spec: str) -> None:
    asked = Asked(spec)
    model = asked.file()
    if not leaves(spec):
        with pytest.raises(CannotConvert, match="search among stored examples: export it as npz"):
            onnx_file.write(model)
        return
    data = onnx_file.write(model)
    assert run_onnx(data, asked.unlearned()) == pytest.approx(model.probabilities(asked.unlearned()), abs=CLOSE)
    about = {each.key: each.value for each in onnx.load_from_string(data).metadata_props}
    assert json.loads(about.pop("labels")) == list(model.meta.labels)
    assert about == {
        "backbone": "test-3",
        "model": spec,
        "stream": "s",
        "position": model.meta.position,
        "digest": model.digest,
    }


def linear(*offsets: float) -> steps.Linear:
    return steps.Linear(np.zeros((len(offsets), DIM)), np.array(offsets))


BINS = np.linspace(-0.5, 0.5, 15)
EDGES: dict[str, tuple[steps.Step, ...]] = {
    "one class": (steps.Linear(np.ones((1, DIM)), np.zeros(1)), steps.Softmax(2.0)),
    "no sigmoid above 0": (linear(-40.0, -40.0, -50.0), steps.OneVsRest()),
    "a row of zeros": (steps.UnitLength(), steps.Linear(np.eye(3, DIM), np.zeros(3)), steps.Softmax()),
    "classes without examples": (linear(0.0, steps.NO_EXAMPLES, 1.0), steps.Softmax(1e6, 0.1)),
    "ties among twelve": (linear(*[0.0] * 12), steps.Softmax(), Calibrate(0.2, 0.1, 0.3, 0.05, BINS)),
    "constant features": (
        steps.Standardise(np.ones(DIM), np.zeros(DIM, np.float32)),
        steps.Linear(np.ones((2, DIM)), np.arange(2.0)),
        steps.Softmax(),
    ),
}


def at_an_edge(name: str) -> tuple[PortableModel, Any]:
    own = EDGES[name]
    meta = Asked("ncm").file().meta.model_copy(update={"labels": tuple(map(str, range(steps.width_behind(own, DIM))))})
    xs = np.random.default_rng(0).normal(size=(5, DIM)).astype(np.float32)
    xs[0] = 0.0
    return PortableModel(meta, own, np.zeros(0), np.zeros(0)), xs


@pytest.mark.parametrize("name", EDGES)
def test_edges_are_the_same_in_onnx(name: str) -> None:
    model, xs = at_an_edge(name)
    expected = model.probabilities(xs)
    assert expected.sum(axis=1) == pytest.approx(1.0)
    assert run_onnx(onnx_file.write(model), xs) == pytest.approx(expected, abs=CLOSE)


def test_a_projection_whose_matrix_would_be_too_large_stays_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a linear model it needs no matrix."""
    monkeypatch.setattr(graph, "MAX_MATRIX", 100)
    onnx_file.write(Asked("project:8|slda").file())
    with pytest.raises(CannotConvert, match="export npz"):
        onnx_file.write(Asked("project:8|naive-bayes").file())


KERAS = ["mix", "logistic", "l2|ncm", "project:8|naive-bayes", "ridge;width=16"]
"""Together they have every step that a Keras file can have but those of `mlp`, which are among others' too."""


@pytest.mark.parametrize("case", [*KERAS, *EDGES])
def test_keras_layers_answer_as_the_arrays_do(case: str) -> None:
    import keras

    from prequel.services.offline.export.keras_graph import KerasGraph

    if case in EDGES:
        model, xs = at_an_edge(case)
    else:
        asked = Asked(case)
        model, xs = asked.file(), asked.unlearned()
    layers, features = KerasGraph(), keras.Input((DIM,), dtype="float64")
    made = keras.Model(features, graph.lower(layers, model.steps, features, DIM))
    layers.set_weights()
    assert np.asarray(made(xs)) == pytest.approx(model.probabilities(xs), abs=CLOSE)
