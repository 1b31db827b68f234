"""River's own pipelines that our models must equal, for tests and benchmarks."""

from typing import Any

from river import linear_model, multiclass, naive_bayes, preprocessing


def river_logistic() -> Any:
    return preprocessing.StandardScaler() | multiclass.OneVsRestClassifier(linear_model.LogisticRegression())


def river_softmax() -> Any:
    return preprocessing.StandardScaler() | linear_model.SoftmaxRegression()


def river_naive_bayes() -> Any:
    return naive_bayes.GaussianNB()  # type: ignore[no-untyped-call]
