"""scikit-learn is the oracle of `perceptron` and `passive-aggressive`."""

import numpy as np
import pytest
from sklearn.linear_model import Perceptron, SGDClassifier

from prequel.services.learner.models import registry
from tests.learner.models.suite import stream

ORACLES = {
    "perceptron": lambda: Perceptron(shuffle=False),
    "perceptron;rate=0.1": lambda: Perceptron(shuffle=False, eta0=0.1),
    "passive-aggressive": lambda: SGDClassifier(loss="hinge", penalty=None, learning_rate="pa1", eta0=1.0),
    "passive-aggressive;limit=0.01": lambda: SGDClassifier(loss="hinge", penalty=None, learning_rate="pa1", eta0=0.01),
}


@pytest.mark.parametrize("spec", ORACLES)
@pytest.mark.parametrize("classes", [2, 5])
def test_labels_are_scikit_learns(spec: str, classes: int) -> None:
    xs, labels = stream(200, 15, classes)
    order = list(dict.fromkeys(labels))
    numbers = np.array([order.index(label) for label in labels])
    model, oracle = registry.create(spec, 15, seed=0), ORACLES[spec]()
    model.learn(xs[0], labels[0])
    oracle.partial_fit(xs[:1].astype(float), numbers[:1], classes=np.arange(classes))
    same = 0
    for i in range(1, 200):
        label = int(oracle.predict(xs[i : i + 1].astype(float))[0])
        same += int(model.predict(xs[i]).argmax()) == label or label >= len(model.labels)
        model.learn(xs[i], labels[i])
        oracle.partial_fit(xs[i : i + 1].astype(float), numbers[i : i + 1])
    assert same == 199
    weights = model.state().arrays["weights"][1:]
    expected = oracle.coef_ if classes > 2 else np.vstack([-oracle.coef_, oracle.coef_])
    np.testing.assert_allclose(weights, expected, rtol=1e-9, atol=1e-9)
