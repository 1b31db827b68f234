"""What the models of a stream, as they are now, predict of its examples: as a prediction on demand would be."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from prequel.services.learner.fold.predictions import ModelPrediction
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.models.base import Matrix
from prequel.services.learner.models.capabilities import predict_many
from prequel.services.learner.opinions.served import served


class PresentOpinion(NamedTuple):
    """The champion's label (None where it abstains, or has learned none), its probability, and every model's label."""

    label: str | None
    probability: float | None
    models: dict[str, str | None]


def present_opinions(state: StreamState, xs: Matrix) -> list[PresentOpinion]:
    """Of each row of ``xs``, float32 [n, dim]. Changes nothing."""
    sequences = np.arange(len(xs))
    by_model = [
        served(sequences, predict_many(model, xs), state.class_numbers(model), calibrator)
        for model, calibrator in zip(state.models, state.calibrators, strict=True)
    ]
    return [_opinion(state, xs, row, [model.prediction(row) for model in by_model]) for row in range(len(xs))]


def _opinion(state: StreamState, xs: Matrix, row: int, predictions: Sequence[ModelPrediction]) -> PresentOpinion:
    champion, labels = predictions[0], state.labels_by_model([prediction.top_class for prediction in predictions])
    if not champion.classes or state.novelty.unknown(xs[row], champion):
        return PresentOpinion(None, None, labels)
    return PresentOpinion(labels[state.config.models[0]], champion.probabilities[0], labels)
